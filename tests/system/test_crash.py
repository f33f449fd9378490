"""The story, whole and with kill -9 at any moment."""


def test_story(world):
    world.start()
    world.ring()
    world.wait(lambda: world.settled(1, 1), "the story ends")
