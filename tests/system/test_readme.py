"""The example on the front page, and the one that is installed: each is checked as it stands there, and calls are played with it."""
import importlib.util
import os
import re
import shutil
import subprocess
from functools import partial

import pytest

from desk_kit import Call, spoken, warm
from world import BUILD, KLINKE, PLUGINS, TOP

TEXTS = ("README.md", "config/office.ini")


def example(name="README.md"):
    if name != "README.md":
        return (TOP / name).read_text()
    blocks = re.findall(r"^```ini\n(.*?)^```$", (TOP / "README.md").read_text(), re.M | re.S)
    assert len(blocks) == 1, "README.md has one example"
    return blocks[0]


def changed(text, pattern, to):
    """The text with that one line changed; the example must have it exactly once."""
    out, count = re.subn(pattern, to, text, flags=re.M)
    assert count == 1, f"{pattern}: {count} times in the example"
    return out


def with_plugins(text):
    return changed(text, r"^\[host\]$", "[host]\nplugins = " + " ".join(map(str, PLUGINS)))


class AsWritten:
    """Stands in for world.ini: an example, pointed at the sandbox instead of the vendors."""

    def __init__(self, world, name):
        shutil.copy(TOP / "config" / "desk.ini", world.directory)
        text = with_plugins(example(name))
        text = changed(text, r"^listen .*$", f"listen = 127.0.0.1:{world.port}\n"
                                             f"allow_private = 127.0.0.1:{world.sandbox_port}")
        text = changed(text, r"^state +=  */.*$", f"state = {world.state}")
        for plugin, path in (("retell", "retell"), ("calcom_v2", "calcom/v2"), ("whatsapp", "whatsapp")):
            text = changed(text, rf"^(plugin +)= {plugin}$",
                           rf"\1= {plugin}\nbase_url = http://127.0.0.1:{world.sandbox_port}/{path}")
        self.text = text
        self.tenant = re.search(r"^\[tenant (.*)\]$", text, re.M).group(1)
        # whom it tells when a booking fails
        self.told = re.search(r'^on_error = whatsapp\.send .*to="(\S+)"', text, re.M).group(1)
        number = re.search(r"^numbers +=(.*)$", text, re.M)
        self.number = number.group(1).replace(" ", "") if number else "+493023125010"

    def __str__(self):
        return self.text


@pytest.fixture(params=TEXTS, ids=lambda name: name.split("/")[-1])
def office(request, world):
    """A world that runs it: the vendors send to its tenant."""
    world.ini = AsWritten(world, request.param)
    hooks = f"http://127.0.0.1:{world.port}/hooks/{world.ini.tenant}"
    for option, connection in (("retell", "phone"), ("calcom", "calendar"), ("whatsapp", "whatsapp")):
        world.sandbox_options += [f"--hooks-{option}", f"{hooks}/{connection}"]
    world.hook = partial(world.hook, tenant=world.ini.tenant)
    world.start()
    return world


def check(text, tmp_path, **environment):
    shutil.copy(TOP / "config" / "desk.ini", tmp_path)
    file = tmp_path / "office.ini"
    file.write_text(text)
    return subprocess.run([str(KLINKE), "check", "-c", str(file)], text=True, capture_output=True,
                          env={**os.environ, **environment}, timeout=60)


def call(world, **more):
    slot = world.slot()
    return world.control("/retell/call", {
        "from_number": "+491713920042",
        "custom_analysis_data": {
            "appointment_requested": True, "_name": "Jana Berger",
            "_datum__termin": slot.strftime("%d.%m.%Y"), "_uhrzeit__termin": slot.strftime("%H:%M"),
            "_versicherungsstatus": "Gesetzlich", **more}})["call_id"]


@pytest.mark.parametrize("name", TEXTS)
def test_the_example_is_fine_as_it_stands(world, tmp_path, name):
    done = check(with_plugins(example(name)), tmp_path, **world.secrets)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", TEXTS)
def test_the_example_without_its_secrets_is_refused_with_their_places(tmp_path, name):
    done = check(with_plugins(example(name)), tmp_path)
    assert done.returncode == 78
    for secret in ("KLINKE_ADMIN_TOKEN", "RETELL_API_KEY", "CALCOM_API_KEY", "WHATSAPP_TOKEN"):
        assert re.search(rf"office\.ini:\d+:\d+: error: .*{secret}", done.stderr)


def test_the_file_that_the_demo_tells_to_check_is_fine(tmp_path):
    text = (TOP / "tests" / "demo" / "demo.py").read_text()
    assert re.findall(r"klinke check -c (\S+)", text) == ["run/demo/office.ini"]
    spec = importlib.util.spec_from_file_location("demo", TOP / "tests" / "demo" / "demo.py")
    demo = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(demo)
    demo.RUN = tmp_path
    play = demo.Demo()
    plugins = play.environment["KLINKE_PLUGINS"].replace(str(TOP / "build"), str(BUILD))
    done = subprocess.run([str(KLINKE), "check", "-c", str(play.office_file())], text=True, capture_output=True,
                          env={**play.environment, "KLINKE_PLUGINS": plugins}, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


def confirmed_once(world):
    """All webhooks are taken, all jobs are over but the reminder, and the caller has got one message."""
    world.wait(lambda: world.events("message.read"), "the caller has read it")
    world.wait(lambda: world.settled(1, 1), "all is over")
    assert [b["attendee"]["name"] for b in world.bookings()] == ["Jana Berger"]
    assert [m["facts"]["template"]["name"] for m in world.messages()] == ["termin_bestaetigung"]
    assert [j["pipeline"] for j in world.jobs("waiting")] == ["agency/remind"]


def test_the_example_answers_and_books_during_the_call_and_confirms_once(office):
    warm(office)
    slot, caller = office.slot(), Call(office, to=office.ini.number)
    assert caller.ask("check_availability", **spoken(slot))["requested_slot_available"] is True
    booked = caller.ask("book_appointment", name="Jana Berger", fields={"versicherung": "gesetzlich"}, **spoken(slot))
    assert booked["booked"] is True, booked
    caller.hang_up()
    confirmed_once(office)


def test_the_example_books_after_the_call_and_confirms_once(office):
    call(office)
    confirmed_once(office)


def test_the_example_tells_the_office_what_could_not_be_booked(office):
    call(office, _versicherungsstatus="keine Ahnung")
    sent = office.wait(office.messages, "the office is told")
    assert [(m["facts"]["to"], m["facts"]["template"]["name"]) for m in sent] == [(office.ini.told, "rueckruf")]
    assert office.bookings() == []
    parked = office.jobs("parked")
    assert [j["fail"] for j in parked] == ["bad input"] and parked[0]["pipeline"].startswith("agency/book")


def test_the_reminder_is_dropped_when_the_booking_is_cancelled(office):
    call(office)
    office.wait(lambda: office.jobs("waiting"), "the reminder waits")
    uid = office.bookings()[0]["uid"]
    office.control(f"/calcom/bookings/{uid}/cancel", {"reason": "Urlaub"})
    office.wait(lambda: office.jobs("dropped"), "the reminder is dropped")
    assert {j["pipeline"] for j in office.jobs("dropped") if not j.get("op")} == {"agency/remind"}
