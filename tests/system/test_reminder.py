"""Steps that wait for their time: at =. And how long they may be tried, if nobody knows what the time is."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "soak"))
from clock import Clock  # noqa: E402

DAY_S = 86400


def late(world, when):
    world.ini.drop("pipeline")
    world.ini.add("pipeline late", ("on", "call.ended"),
                  ("step", 'whatsapp.send template=rueckruf to="+491713920042" params=(json_array(1))'),
                  ("at", when))


def test_a_step_that_waited_longer_than_its_tries_may_last_is_tried_again(world):
    late(world, "now + 3s")
    world.ini["connection whatsapp"]["retry_max_age"] = "2500ms"
    world.start()
    busy(world, 1)
    world.ring()
    assert over(world) == ("done", None)
    assert len(world.messages()) == 1


def busy(world, count):
    return world.fault(vendor="whatsapp", method="POST", status=429, count=count,
                       body={"error": {"code": 131056, "message": "slower"}})


def over(world):
    """(state, reason) of the step's job."""
    (job, ) = world.wait(lambda: world.jobs("done", "dead", "parked", pipeline="agency/late"), "it is over")
    return job["state"], job.get("reason")


def test_what_is_put_off_for_longer_than_it_may_last_is_dead(world):
    late(world, "now")
    world.ini["connection whatsapp"]["retry_max_age"] = "200ms"
    world.start()
    busy(world, 0)
    world.ring()
    state, reason = over(world)
    assert state == "dead" and "too many messages" in reason


def test_what_a_person_runs_again_may_be_tried_as_long_as_at_first(world):
    """Days after an outage: one more stumble of the vendor must not end it at once."""
    late(world, "now")
    world.ini["connection whatsapp"]["retry_max_age"] = "1s"
    world.start()
    fault = busy(world, 0)
    world.ring()
    assert over(world)[0] == "dead"
    world.control(f"/faults/{fault['id']}", method="DELETE")
    stumble = busy(world, 1)
    (job, ) = world.jobs("dead")
    world.klinke("dead", "retry", job["id"])
    world.wait(lambda: world.job(job["id"])["state"] in ("done", "dead"), "it is over again")
    assert world.job(job["id"])["state"] == "done" and len(world.messages()) == 1
    assert stumble["id"] not in [f["id"] for f in world.faults_left()]


def test_neither_a_wrong_clock_nor_a_pause_makes_a_job_too_old(world):
    """retry_max_age is a day, and the host thinks that three have passed."""
    late(world, "now")
    world.ini["connection whatsapp"]["breaker_rate"] = 101
    clock = Clock(world)
    world.start()
    fault = busy(world, 0)
    world.ring()

    def asked_again(what):
        seen = len(world.requests(vendor="whatsapp"))
        world.wait(lambda: len(world.requests(vendor="whatsapp")) > seen, what)
    asked_again("it is put off")
    for wrong_s, what in ((3 * DAY_S, "the clock leaps ahead"), (0, "it is put right"), (-3 * DAY_S, "it is put back")):
        clock.err(wrong_s)
        asked_again(what)
    world.kill_host()
    clock.err(3 * DAY_S)
    world.start_host()
    asked_again("the host was off")
    world.control(f"/faults/{fault['id']}", method="DELETE")
    assert over(world) == ("done", None)
    assert len(world.messages()) == 1
