"""The calendar behind both Cal.com APIs: opening hours, free slots, bookings, holds.

Knows nothing of HTTP; v1 and v2 differ only in what they ask and how they print it.
Refusals are Refused with a name, which each API words in its own way.
"""
import json
import os
import uuid
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from . import clock

ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz123456789"
LIVE = ("accepted", "pending")


class Refused(Exception):
    """name: taken, past, notice, ended, cancelled, not_found. detail: for the text."""

    def __init__(self, name, detail=""):
        super().__init__(name)
        self.name, self.detail = name, detail


def new_uid():
    return "".join(ALPHABET[byte % len(ALPHABET)] for byte in os.urandom(22))


def booking_of(row):
    """A row as one flat dict: id, uid, event_type, start_ms, end_ms, status, … and its facts."""
    return {**json.loads(row["facts"]), **{key: row[key] for key in row.keys() if key != "facts"}}


class Calendar:
    def __init__(self, world):
        self.world = world
        self.store = world.store

    # ---- reading ----------------------------------------------------------------------

    def event_type(self, number):
        return self.store.thing("event_type", number)

    def find_type(self, slug, username=None, team_slug=None):
        for kind in self.store.things("event_type"):
            owner = self.store.thing("user", kind["hosts"][0]) if kind["hosts"] else None
            team = self.store.thing("team", kind["team"]) if kind["team"] else None
            if kind["slug"] != slug:
                continue
            if username and not team and owner and owner["username"] == username:
                return kind
            if team_slug and team and team["slug"] == team_slug:
                return kind
        return None

    def booking(self, uid):
        row = self.store.row("SELECT * FROM booking WHERE uid=?", uid)
        return booking_of(row) if row else None

    def booking_by_id(self, number):
        row = self.store.row("SELECT * FROM booking WHERE id=?", number)
        return booking_of(row) if row else None

    def bookings(self):
        return [booking_of(row) for row in self.store.rows("SELECT * FROM booking ORDER BY id")]

    # ---- free time --------------------------------------------------------------------

    def free_starts(self, kind, from_ms, to_ms, minutes=None, ignore_uid=None, notice=True,
                    reservations=True):
        """{start_ms: [free hosts]} of the slots that begin in [from_ms, to_ms]."""
        length = (minutes or kind["minutes"]) * clock.MINUTE
        earliest = self.world.now_ms() + (kind["notice"] * clock.MINUTE if notice else 0)
        from_ms = max(from_ms, earliest)
        offered = {}
        for host in kind["hosts"]:
            taken = self._taken(kind, host, from_ms, to_ms + length, ignore_uid, reservations)
            for start in self._offers(kind, host, from_ms, to_ms, length):
                if not any(a < start + length and start < b for a, b in taken):
                    offered.setdefault(start, []).append(host)
        needed = len(kind["hosts"]) if kind["scheduling"] == "collective" else 1
        return {start: hosts for start, hosts in sorted(offered.items()) if len(hosts) >= needed}

    def free_hosts(self, kind, start_ms, minutes, ignore_uid=None):
        """For booking: reservations do not count, they only hide slots from listings."""
        free = self.free_starts(kind, start_ms, start_ms, minutes, ignore_uid, notice=False,
                                reservations=False)
        return free.get(start_ms, [])

    def _offers(self, kind, host, from_ms, to_ms, length):
        step = (kind["interval"] or length // clock.MINUTE) * clock.MINUTE
        schedule = self.store.thing("schedule", self.store.thing("user", host)["schedule"])
        for opens, closes in self._windows(schedule, from_ms, to_ms):
            start = opens
            while start + length <= closes and start <= to_ms:
                if start >= from_ms:
                    yield start
                start += step

    def _windows(self, schedule, from_ms, to_ms):
        """Opening hours as instants; a wall clock's gap or repeat is resolved by its zone."""
        zone = ZoneInfo(schedule["timeZone"])
        day = clock.at(from_ms, schedule["timeZone"]).date() - timedelta(days=1)
        last = clock.at(to_ms, schedule["timeZone"]).date()
        while day <= last:
            for rule in self._rules(schedule, day):
                opens = datetime.combine(day, time.fromisoformat(rule["startTime"]), zone)
                ends = time.fromisoformat(rule["endTime"])
                day_of_end = day if ends > time(0) else day + timedelta(days=1)
                closes = datetime.combine(day_of_end, ends, zone)
                if clock.to_ms(closes) > from_ms:
                    yield clock.to_ms(opens), clock.to_ms(closes)
            day += timedelta(days=1)

    def _rules(self, schedule, day):
        special = [o for o in schedule["overrides"] if o["date"] == day.isoformat()]
        if special:  # an override from 00:00 to 00:00 closes the day
            return [o for o in special if o["startTime"] != o["endTime"]]
        return [rule for rule in schedule["availability"] if day.strftime("%A") in rule["days"]]

    def _taken(self, kind, host, from_ms, to_ms, ignore_uid, reservations):
        before, after = kind["before"] * clock.MINUTE, kind["after"] * clock.MINUTE
        margin = before + after
        sql = ("SELECT b.start_ms, b.end_ms FROM busy b LEFT JOIN booking k ON k.id=b.booking "
               "WHERE b.user=? AND b.end_ms>? AND b.start_ms<? AND (k.uid IS NULL OR k.uid<>?)")
        rows = self.store.rows(sql, host, from_ms - margin, to_ms + margin, ignore_uid or "")
        taken = [(row["start_ms"] - before, row["end_ms"] + after) for row in rows]
        if reservations:
            sql = ("SELECT start_ms, end_ms FROM reservation WHERE user=? AND until_ms>? "
                   "AND end_ms>? AND start_ms<?")
            rows = self.store.rows(sql, host, self.world.now_ms(), from_ms, to_ms)
            taken += [(row["start_ms"], row["end_ms"]) for row in rows]
        return taken

    # ---- bookings ---------------------------------------------------------------------

    def book(self, kind, start_ms, minutes, facts, repeat_by=None):
        """A new booking, or the old one where Cal.com gives that back; Refused otherwise.

        facts: attendee, fields, metadata, location, guests, title, description, plus whatever
        the caller wants back. repeat_by: the attendee's address for the repeat rule.
        """
        with self.store.write():
            old = self._repeated(kind, start_ms, repeat_by)
            if old:
                return old
            hosts = self._hosts_for(kind, start_ms, minutes)
            return self._insert(kind, start_ms, minutes, hosts, facts)

    def _repeated(self, kind, start_ms, address):
        if not address or not (kind["confirm"] or kind["scheduling"] == "roundRobin"):
            return None
        rows = self.store.rows("SELECT * FROM booking WHERE event_type=? AND start_ms=? "
                               "AND status IN ('accepted','pending')", kind["id"], start_ms)
        for row in rows:
            found = booking_of(row)
            attendee = found["attendee"]
            if address in (attendee.get("email"), attendee.get("phoneNumber")):
                return found
        return None

    def _hosts_for(self, kind, start_ms, minutes, ignore_uid=None):
        now = self.world.now_ms()
        if start_ms < now:
            raise Refused("past")
        if start_ms < now + kind["notice"] * clock.MINUTE:
            raise Refused("notice")
        free = self.free_hosts(kind, start_ms, minutes, ignore_uid)
        if not free:
            raise Refused("taken")
        return free if kind["scheduling"] == "collective" else [self._least_busy(free, start_ms)]

    def _least_busy(self, hosts, start_ms):
        def load(host):
            sql = "SELECT count(*) AS n FROM busy WHERE user=? AND start_ms BETWEEN ? AND ?"
            return self.store.row(sql, host, start_ms - clock.DAY, start_ms + clock.DAY)["n"]
        return min(hosts, key=lambda host: (load(host), hosts.index(host)))

    def _insert(self, kind, start_ms, minutes, hosts, facts):
        now = self.world.now_ms()
        number = self.world.next_id("booking", 480213)
        end_ms = start_ms + minutes * clock.MINUTE
        facts = {**facts, "hosts": hosts, "minutes": minutes}
        self.store.run("INSERT INTO booking VALUES(?,?,?,?,?,?,?,?,?)", number, new_uid(),
                       kind["id"], start_ms, end_ms, "pending" if kind["confirm"] else "accepted",
                       now, now, json.dumps(facts))
        for host in hosts:
            self.store.run("INSERT INTO busy VALUES(?,?,?,?,NULL)", host, start_ms, end_ms, number)
        return self.booking_by_id(number)

    def change(self, booking, status=None, **facts):
        """Sets facts and status; a booking that is no longer live gives its time back."""
        with self.store.write():
            row = self.store.row("SELECT facts FROM booking WHERE id=?", booking["id"])
            merged = {**json.loads(row["facts"]), **facts}
            status = status or booking["status"]
            self.store.run("UPDATE booking SET facts=?, status=?, updated_ms=? WHERE id=?",
                           json.dumps(merged), status, self.world.now_ms(), booking["id"])
            if status not in LIVE:
                self.store.run("DELETE FROM busy WHERE booking=?", booking["id"])
        return self.booking_by_id(booking["id"])

    def cancel(self, booking, reason, by=None, status="cancelled"):
        if booking["status"] not in LIVE:
            raise Refused("cancelled")
        if booking["end_ms"] < self.world.now_ms():
            raise Refused("ended")
        key = "rejectionReason" if status == "rejected" else "cancellationReason"
        return self.change(booking, status, **{key: reason, "cancelledByEmail": by})

    def reschedule(self, booking, start_ms, reason=None, by=None, facts=None, auto=False):
        """The new booking; the old one is cancelled and names it. Length: the type's own."""
        if booking["status"] not in LIVE:
            raise Refused("cancelled", booking.get("rescheduledToUid") or "")
        kind = self.event_type(booking["event_type"])
        with self.store.write():
            hosts = self._hosts_for(kind, start_ms, kind["minutes"], booking["uid"])
            keep = ("attendee", "fields", "metadata", "location", "guests", "title", "description")
            new = {key: booking.get(key) for key in keep}
            new.update(facts or {}, rescheduledFromUid=booking["uid"], reschedulingReason=reason,
                       rescheduledByEmail=by, sequence=booking.get("sequence", 0) + 1)
            made = self._insert(kind, start_ms, kind["minutes"], hosts, new)
            if auto and made["status"] == "pending":
                made = self.change(made, "accepted")
            self.change(booking, "cancelled", rescheduledToUid=made["uid"], rescheduled=True)
        return made

    def block(self, host, start_ms, end_ms, note):
        """Time the office takes for itself: no booking, no webhook, just no slot any more."""
        self.store.run("INSERT INTO busy VALUES(?,?,?,NULL,?)", host, start_ms, end_ms, note)

    # ---- holds ------------------------------------------------------------------------

    def reserve(self, kind, start_ms, slot_minutes, hold_minutes, uid=None):
        """A row of reservation. Does not ask whether the slot is offered: neither does Cal.com."""
        now = self.world.now_ms()
        end_ms = start_ms + slot_minutes * clock.MINUTE
        until = now + hold_minutes * clock.MINUTE
        with self.store.write():
            host = self._host_to_hold(kind, start_ms, end_ms, now)
            uid = uid or str(uuid.uuid4())
            self.store.run("INSERT OR REPLACE INTO reservation VALUES(?,?,?,?,?,?,?)", uid,
                           kind["id"], host, start_ms, end_ms, until, hold_minutes)
        return self.reservation(uid)

    def _host_to_hold(self, kind, start_ms, end_ms, now):
        reason = "booked"
        for host in kind["hosts"]:
            if self.store.row("SELECT 1 FROM busy WHERE user=? AND start_ms<? AND end_ms>?",
                              host, end_ms, start_ms):
                continue
            if self.store.row("SELECT 1 FROM reservation WHERE user=? AND start_ms<? AND end_ms>? "
                              "AND until_ms>?", host, end_ms, start_ms, now):
                reason = "reserved"
                continue
            return host
        raise Refused(reason)

    def reservation(self, uid):
        row = self.store.row("SELECT * FROM reservation WHERE uid=? AND until_ms>?", uid,
                             self.world.now_ms())
        return dict(row) if row else None

    def release(self, uid):
        self.store.run("DELETE FROM reservation WHERE uid=?", uid)

