"""Steps that wait for their time: at =."""


def late(world, when):
    world.ini.drop("pipeline")
    world.ini.add("pipeline late", ("on", "call.ended"),
                  ("step", 'whatsapp.send template=rueckruf to="+491713920042" params=(json_array(1))'),
                  ("at", when))


def test_a_step_that_waited_longer_than_its_tries_may_last_is_tried_again(world):
    late(world, "now + 3s")
    world.ini["connection whatsapp"]["retry_max_age"] = "2500ms"
    world.start()
    world.fault(vendor="whatsapp", method="POST", status=429, count=1,
                body={"error": {"code": 131056, "message": "slower"}})
    world.ring()
    ended = world.wait(lambda: world.jobs("done", "dead", "parked", pipeline="agency/late"), "it is over")
    assert [(j["state"], j.get("reason")) for j in ended] == [("done", None)]
    assert len(world.messages()) == 1
