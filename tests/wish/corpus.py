"""Reads corpus.jsonl: what callers say, and which free slots they mean. Knows nothing of the resolver;
the only calendar in here is Python's. README.md describes the lines. As a program: prints every line with
its slots and the expected ones written out, for other languages.
"""
import functools
import json
import re
import sys
from datetime import date, datetime, time, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

CORPUS = Path(__file__).with_name("corpus.jsonl")
DEFAULTS = {"now": "2025-06-17T10:00:00+02:00", "timezone": "Europe/Berlin", "language": "de", "length_min": 30,
            "grid": "month"}
# name: days from today on, minutes between slots, the first and the last start of a day
GRIDS = {
    "month": {"days": 28, "every": 30, "first": "06:00", "last": "21:30"},
    "week": {"days": 7, "every": 30, "first": "06:00", "last": "21:30"},
    "quarters": {"days": 7, "every": 15, "first": "06:00", "last": "21:45"},
    "fine": {"days": 2, "every": 5, "first": "06:00", "last": "21:55"},
    "nights": {"days": 5, "every": 30, "first": "00:00", "last": "23:30"},
}
WEEKDAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
MEMBERS = {"phrase", "now", "timezone", "language", "length_min", "state", "settings", "slots", "grid", "expect", "why"}
EXPECTED = {"matched", "either", "ambiguous", "reported", "say"}


class Line:
    def __init__(self, number, text):
        given = json.loads(text)
        unknown = set(given) - MEMBERS | set(given["expect"]) - EXPECTED
        assert not unknown, f"line {number}: {unknown}"
        assert ("matched" in given["expect"]) != ("either" in given["expect"]), f"line {number}"
        self.number, self.why, self.expect = number, given["why"], given["expect"]
        self.asked = {key: given.get(key, DEFAULTS.get(key)) for key in
                      ("phrase", "now", "timezone", "language", "length_min", "state", "settings")}
        self.asked = {key: value for key, value in self.asked.items() if value is not None}
        if isinstance(self.asked["phrase"], dict):
            long = self.asked["phrase"]
            self.asked["phrase"] = long["repeat"] * long["times"] + long["then"]
        self.zone = ZoneInfo(self.asked["timezone"])
        self.now = datetime.fromisoformat(self.asked["now"].replace("Z", "+00:00"))
        self.asked["slots"] = given["slots"] if "slots" in given else self.grid(given.get("grid", "month"))
        self.name = f"{number}: {self.asked['phrase'][:60]}"

    def grid(self, grid):
        """Slots by the clock on the wall, none before now. A time that is twice is two slots, one that is not
        there is none."""
        grid = GRIDS[grid] if isinstance(grid, str) else {**GRIDS["month"], **grid}
        day = date.fromisoformat(grid["from"]) if "from" in grid else self.now.astimezone(self.zone).date()
        slots = []
        for i in range(grid["days"]):
            at, last = minutes(grid["first"]), minutes(grid["last"])
            while at <= last:
                wall = datetime.combine(day + timedelta(days=i), time(at // 60, at % 60))
                slots += [slot for slot in instants(wall, self.zone) if slot >= self.now]
                at += grid["every"]
        return [slot.isoformat() for slot in sorted(slots)]

    def select(self, choices):
        """The slots that one of the choices describes, in the order given."""
        assert isinstance(choices, list)
        return [slot for slot in self.asked["slots"] if any(self.fits(slot, choice) for choice in choices)]

    def fits(self, slot, choice):
        if "T" in choice.replace("Thu", "").replace("Tue", ""):  # one slot, written as it was given
            return slot == choice
        return all(self.holds(slot, part) for part in choice.split())

    def holds(self, slot, part):
        start, end = span(slot, self.asked["length_min"], self.zone)
        return any(condition(one, start, end) for one in part.lstrip("!").split(",")) != part.startswith("!")

    def accepted(self):
        """Each list of slots that would be right."""
        return [self.select(choices) for choices in self.expect.get("either") or [self.expect["matched"]]]


@functools.lru_cache(maxsize=None)
def span(slot, length_min, zone):
    """Begin and end as the clock on the wall shows them."""
    start = datetime.fromisoformat(slot.replace("Z", "+00:00")).astimezone(timezone.utc)
    return start.astimezone(zone), (start + timedelta(minutes=length_min)).astimezone(zone)


def minutes(text):
    hour, minute = text.split(":")
    return int(hour) * 60 + int(minute)


@functools.lru_cache(maxsize=None)
def instants(wall, zone):
    """The 0, 1 or 2 instants at which a clock shows this."""
    found = []
    for fold in (0, 1):
        at = wall.replace(tzinfo=zone, fold=fold)
        there = at.astimezone(timezone.utc).astimezone(zone)
        if there.replace(tzinfo=None) == wall and at.utcoffset() not in [one.utcoffset() for one in found]:
            found.append(at)
    return found


def condition(text, start, end):
    """One condition of the README's table."""
    day, begin = start.date().isoformat(), start.hour * 60 + start.minute
    finish = (end.date() - start.date()).days * 1440 + end.hour * 60 + end.minute
    if text == "all":
        return True
    if text[:3] in WEEKDAYS:
        first, last = WEEKDAYS.index(text[:3]), WEEKDAYS.index(text[-3:])
        return first <= start.weekday() <= last
    if match := re.fullmatch(r"(\d{4}-\d\d-\d\d)?\.\.(\d{4}-\d\d-\d\d)?", text):
        return (match[1] or "") <= day <= (match[2] or "9999")
    if re.fullmatch(r"\d{4}-\d\d-\d\d", text):
        return date.fromisoformat(text).isoformat() == day
    if match := re.fullmatch(r"=(\d\d:\d\d)", text):
        return begin == minutes(match[1])
    if match := re.fullmatch(r"~(\d\d:\d\d)", text):
        return abs(begin - minutes(match[1])) <= 30
    if match := re.fullmatch(r"(\d\d:\d\d)?-(\d\d:\d\d)?", text):
        return minutes(match[1] or "00:00") <= begin and finish <= minutes(match[2] or "48:00")
    raise ValueError(f"no condition: {text}")


def read(path=CORPUS):
    with open(path, encoding="utf-8") as lines:
        return [Line(number, text) for number, text in enumerate(lines, 1) if text.strip()]


if __name__ == "__main__":
    for line in read():
        json.dump({"line": line.number, **line.asked, "accepted": line.accepted()}, sys.stdout, ensure_ascii=False)
        print()
