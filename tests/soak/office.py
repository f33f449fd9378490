"""The office that is put under load: world.py's, with a pipeline for each kind of obligation and a
calendar in which a double booking is possible, so that one would be seen."""
import os
import shlex
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "system"))
from world import EVENT_TYPE, World  # noqa: E402

DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
OPENS, CLOSES = 6, 22  # o'clock in Berlin, every day: never in the hour that a year has twice


def furnish(world):
    """The INI, before the start; a fault may change it."""
    ini = world.ini
    for name in ("phone", "calendar", "whatsapp"):
        ini[f"connection {name}"]["breaker_rate"] = 101  # faults are plenty here, and meant
        ini[f"connection {name}"]["retry_max_tries"] = 50
    # Cal.com never repeats what was refused, Retell not for ever: what is missing is fetched.
    ini["connection calendar"]["poll_bookings"] = "2s"
    ini.add("pipeline echo",
            ("on", "message.received"),
            ("when", "data ->> '$.text' is not null"),
            ("step", "whatsapp.send to=(data ->> '$.from') text=('Wir haben gelesen: ' || (data ->> '$.text'))"))


def open_calendar(world):
    """In the sandbox, after the start: two dentists, so a second booking of a time succeeds; no rule that
    gives an old booking back; long hours, so there are times for all."""
    world.control(f"/things/event_type/{EVENT_TYPE}", {"scheduling": None, "after": 0}, "PUT")
    rule = {"days": DAYS, "startTime": f"{OPENS:02}:00", "endTime": f"{CLOSES}:00"}
    for schedule in (7710, 7711):
        world.control(f"/things/schedule/{schedule}", {"availability": [rule]}, "PUT")
    world.settings(whatsapp_window="open", whatsapp_status_gap_ms=20)


class Office(World):
    def __init__(self, directory):
        super().__init__(directory)
        furnish(self)


def make(directory):
    """Furnished, not started."""
    return Office(directory)


def start(world):
    world.start()
    open_calendar(world)
    begin(world)
    return world


def begin(world):
    """Bookings from before the first poll are not news."""
    if "poll_bookings" in dict(world.ini["connection calendar"].pairs):
        world.wait(lambda: world.jobs("done", op="poll_bookings"), "it has begun to poll")


def shim(world, name):
    """NAME.c, made to be preloaded; its path."""
    made = world.directory / f"{name}.so"
    source = Path(__file__).with_name(f"{name}.c")
    subprocess.run([*shlex.split(os.environ.get("CC", "cc")), "-O1", "-g", "-Wall", "-Wextra", "-Werror", "-shared",
                    "-fPIC", source, "-o", made], check=True)
    return str(made)
