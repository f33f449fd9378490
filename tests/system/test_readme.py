"""The example on the front page: it is checked as it stands there, and calls are played with it."""
import os
import re
import shutil
import subprocess

from desk_kit import Call, spoken, warm
from world import KLINKE, PLUGINS, TOP

OFFICE = "+493023125099"  # whom the example tells when a booking fails


def example():
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
    """Stands in for world.ini: the example, pointed at the sandbox instead of the vendors."""

    def __init__(self, world):
        shutil.copy(TOP / "config" / "desk.ini", world.directory)
        text = with_plugins(example())
        text = changed(text, r"^listen .*$", f"listen = 127.0.0.1:{world.port}\n"
                                             f"allow_private = 127.0.0.1:{world.sandbox_port}")
        text = changed(text, r"^state +=  */.*$", f"state = {world.state}")
        for plugin, path in (("retell", "retell"), ("calcom_v2", "calcom/v2"), ("whatsapp", "whatsapp")):
            text = changed(text, rf"^(plugin +)= {plugin}$",
                           rf"\1= {plugin}\nbase_url = http://127.0.0.1:{world.sandbox_port}/{path}")
        self.text = text

    def __str__(self):
        return self.text


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


def test_the_example_is_fine_as_it_stands(world, tmp_path):
    done = check(with_plugins(example()), tmp_path, **world.secrets)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_example_without_its_secrets_is_refused_with_their_places(tmp_path):
    done = check(with_plugins(example()), tmp_path)
    assert done.returncode == 78
    for name in ("RETELL_API_KEY", "CALCOM_API_KEY", "WHATSAPP_TOKEN"):
        assert re.search(rf"office\.ini:\d+:\d+: error: .*{name}", done.stderr)


def test_the_example_answers_and_books_during_the_call(world):
    world.ini = AsWritten(world)
    world.start()
    warm(world)
    slot, caller = world.slot(), Call(world)
    assert caller.ask("check_availability", **spoken(slot))["requested_slot_available"] is True
    booked = caller.ask("book_appointment", name="Jana Berger", fields={"versicherung": "gesetzlich"}, **spoken(slot))
    assert booked["booked"] is True, booked
    world.wait(lambda: world.events("message.read"), "the caller has the confirmation")
    assert [b["attendee"]["name"] for b in world.bookings()] == ["Jana Berger"]
    assert [m["facts"]["template"]["name"] for m in world.messages()] == ["termin_bestaetigung"]


def test_the_example_books_and_confirms(world):
    world.ini = AsWritten(world)
    world.start()
    call(world)
    world.wait(lambda: world.events("message.read"), "the caller has read it")
    assert [b["attendee"]["name"] for b in world.bookings()] == ["Jana Berger"]
    assert [m["facts"]["template"]["name"] for m in world.messages()] == ["termin_bestaetigung"]
    assert [j["pipeline"] for j in world.jobs("waiting")] == ["agency/remind"]


def test_the_example_tells_the_office_what_could_not_be_booked(world):
    world.ini = AsWritten(world)
    world.start()
    call(world, _versicherungsstatus="keine Ahnung")
    sent = world.wait(world.messages, "the office is told")
    assert [(m["facts"]["to"], m["facts"]["template"]["name"]) for m in sent] == [(OFFICE, "rueckruf")]
    assert world.bookings() == []
    parked = world.jobs("parked")
    assert [(j["pipeline"], j["fail"]) for j in parked] == [("agency/book", "bad input")]


def test_the_reminder_is_dropped_when_the_booking_is_cancelled(world):
    world.ini = AsWritten(world)
    world.start()
    call(world)
    world.wait(lambda: world.jobs("waiting"), "the reminder waits")
    uid = world.bookings()[0]["uid"]
    world.control(f"/calcom/bookings/{uid}/cancel", {"reason": "Urlaub"})
    world.wait(lambda: world.jobs("dropped"), "the reminder is dropped")
    assert [j["pipeline"] for j in world.jobs("dropped")] == ["agency/remind"]
