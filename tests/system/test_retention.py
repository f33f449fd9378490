"""What is old is forgotten, what somebody may need is not; and each day has a receipt that balances."""
import json
import re
import sqlite3
import time
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from hooks_kit import booking_body, call_body, calcom_headers, retell_headers
from world import TENANT

SAID = "Agent: Guten Tag, hier ist die Praxis. User: Ich habe seit gestern Zahnschmerzen."
LINK = "https://recordings.example/call-4711.wav"
DAY_MS = 86400000


def said(world, call_id, words=SAID):
    """A call that was analyzed, as its webhook told it."""
    body = call_body(call_id, "call_analyzed", transcript=words, recording_url=LINK,
                     call_analysis={"call_summary": "Termin gewünscht"})
    assert world.hook("phone", body, retell_headers(body))[0] == 204


def file_has(world, piece):
    """Anywhere in the store's files, also where no row is any more."""
    return [p.name for p in world.state.glob("klinke.db*") if piece in p.read_bytes()]


def database(world):
    """The host must be down."""
    return sqlite3.connect(world.state / "klinke.db")


def backdate(world, days):
    """Everything happened that many days earlier."""
    ms = days * DAY_MS
    db = database(world)
    for table, columns in {"inbox": ["received_ms"], "event": ["received_ms", "at_ms"],
                           "job": ["created_ms", "updated_ms"], "attempt": ["started_ms"],
                           "call": ["started_ms", "ended_ms"]}.items():
        db.execute(f"UPDATE {table} SET " + ", ".join(f"{c} = {c} - {ms}" for c in columns))
    db.execute("DELETE FROM receipt")
    db.execute(f"UPDATE tally SET quarter = quarter - {ms // 900000}")
    db.commit()
    db.close()


def passed(world):
    world.wait(lambda: world.metrics().get("klinke_retention_passes_total", 0) >= 1, "everything was looked at")


def kept(world, call_id):
    return world.show(world.events("call.analyzed", subject=f"call:{call_id}")[0]["id"])


def test_what_is_old_is_gone_from_rows_and_file(world):
    world.ini.drop("pipeline")
    world.ini.add("pipeline remind", ("on", "booking.created"),
                  ("step", 'whatsapp.send template=rueckruf to="+491713920042" params=(json_array(data ->> \'$.attendee.name\'))'),
                  ("at", "now + 1h"))
    world.start()
    said(world, "old")
    body = booking_body("uid-1")
    assert world.hook("calendar", body, calcom_headers(body))[0] == 200
    world.wait(lambda: world.jobs("waiting") and world.events("call.analyzed"), "all is read")
    assert kept(world, "old")["events"][0]["data"]["transcript"] == SAID
    assert world.stop_host() == 0
    backdate(world, 31)
    world.start_host()
    said(world, "new")
    passed(world)
    story = kept(world, "old")
    data = story["events"][0]["data"]
    assert "transcript" not in data and "recording_url" not in data
    assert data["analysis"] == {"summary": "Termin gewünscht"}
    assert "body" not in story["inbox"][0] and story["inbox"][0]["state"] == "done"
    assert world.klinke("replay", story["inbox"][0]["id"], check=False).returncode == 1
    assert kept(world, "new")["events"][0]["data"]["transcript"] == SAID
    assert world.metrics()['klinke_retention_freed_total{kind="transcript"}'] >= 1
    # a reminder still needs its event and the webhook stays for whoever looks into it
    waiting = world.show(world.jobs("waiting")[0]["id"])
    assert waiting["events"][0]["data"]["attendee"]["name"] == "Max Muster"
    assert waiting["inbox"][0]["body"]

    # in the end everything of it is gone, and its repeat is known all the same
    assert world.stop_host() == 0
    backdate(world, 800)
    world.start_host()
    said(world, "newest")
    passed(world)
    assert not world.events("call.analyzed", subject="call:old")
    assert not world.events("call.analyzed", subject="call:new")
    repeats = world.metrics()["klinke_event_repeats_total"]
    said(world, "old")
    world.wait(lambda: world.metrics()["klinke_event_repeats_total"] == repeats + 1, "it is known")
    assert not world.events("call.analyzed", subject="call:old")
    assert world.show(world.jobs("waiting")[0]["id"])["events"][0]["data"]["attendee"]["name"] == "Max Muster"


def last_pass(world, at_ms):
    db = database(world)
    db.execute("INSERT INTO retention VALUES ('last', ?) ON CONFLICT (name) DO UPDATE SET seq = excluded.seq",
               (at_ms,))
    db.commit()
    db.close()


def test_a_jump_of_the_clock_deletes_nothing_and_deleted_bytes_are_overwritten(world):
    world.ini.drop("pipeline")
    world.ini["host"]["keep_transcript"] = "0"
    world.start()
    said(world, "1", SAID * 500)
    world.wait(lambda: world.events("call.analyzed"), "it is read")
    assert world.stop_host() == 0
    db = database(world)
    sealed = db.execute("SELECT sealed FROM event WHERE type = 'call.analyzed'").fetchone()[0][20000:20064]
    db.close()
    assert len(sealed) == 64 and file_has(world, sealed)
    last_pass(world, int(time.time() * 1000) - 3 * DAY_MS)
    world.start_host()
    world.wait(lambda: "nothing old is deleted for a day" in world.log(), "the clock is doubted")
    assert kept(world, "1")["events"][0]["data"]["transcript"] == SAID * 500
    assert world.stop_host() == 0
    last_pass(world, int(time.time() * 1000))
    world.start_host()
    said(world, "2")
    passed(world)
    assert "transcript" not in kept(world, "1")["events"][0]["data"]
    assert world.stop_host() == 0  # and the log is in the file
    db = database(world)
    assert db.execute("SELECT count(*) FROM event WHERE type = 'call.analyzed'").fetchone() == (2,)
    db.close()
    assert not file_has(world, sealed)
    world.start_host()


# ---- Receipts -------------------------------------------------------------------------------------

def receipts(world, *arguments):
    """(exit code, rows)."""
    done = world.klinke("receipt", "--json", *arguments, check=False)
    assert done.returncode in (0, 1), done.stderr
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


def receipt(world, *arguments):
    code, rows = receipts(world, "--tenant", TENANT, *arguments)
    assert len(rows) == 1
    assert rows[0]["balanced"] == (code == 0)
    return rows[0]


def day_of(zone, days_ago=0):
    return f"{datetime.now(ZoneInfo(zone)) - timedelta(days=days_ago):%Y-%m-%d}"


def test_a_day_balances_and_its_receipt_stays(world):
    world.ini.add("tenant waldhof", timezone="America/New_York")
    world.ini.add("pipeline mistaken", ("on", "message.read"), ("when", "data ->> 'x' = 1"),
                  ("step", "whatsapp.send template=gibt_es_nicht to=(data ->> 'to')"))
    world.start()
    world.ring()
    world.wait(lambda: world.settled(1, 1), "a call, its booking, its confirmation")
    body = b'{"event":"call_ended"}'
    assert world.hook("phone", body, retell_headers(body))[0] == 204  # nobody can read it
    again = call_body("twice")
    for _ in range(2):
        assert world.hook("phone", again, retell_headers(again))[0] == 204
    world.wait(lambda: not world.status()["webhooks_waiting"] and world.events("call.ended", subject="call:twice"),
               "all is read")
    world.wait(lambda: receipt(world)["webhooks"]["waiting"] == 0, "everything is read")
    today = receipt(world)
    delivered = len([h for h in world.hooks() if h["state"] == "delivered"])
    assert today["day"] == day_of("Europe/Berlin") and not today["stored"] and today["balanced"]
    assert today["webhooks"]["in"] == delivered + 3 == len(world.inbox())
    assert today["webhooks"]["parked"] == 1
    assert today["events"]["in"] == len(world.events()) == sum(
        today["events"][k] for k in ("done", "filtered", "parked", "dead", "waiting", "dropped"))
    assert today["events"]["done"] == 2 and today["events"]["filtered"] > 0
    assert today["events"]["repeats"] >= 1
    assert today["jobs"] == {"in": 2, "done": 2, "parked": 0, "dead": 0, "waiting": 0, "dropped": 0}
    assert today["effects"] == {"bookings": 1, "messages": 1, "unknowns": 0}
    code, rows = receipts(world, "--tenant", "waldhof")
    assert code == 0 and [r["tenant"] for r in rows] == ["waldhof"]
    assert rows[0]["day"] == day_of("America/New_York") and rows[0]["events"]["in"] == rows[0]["webhooks"]["in"] == 0
    assert sorted(r["tenant"] for r in receipts(world)[1]) == ["agency", TENANT, "waldhof"]
    assert receipts(world, "--tenant", TENANT, "--day", "2020-01-01") == (0, [])
    for wrong in ("gestern", "2099-01-01"):
        assert world.klinke("receipt", "--day", wrong, check=False).returncode == 2

    # a day later it is stored, as it was
    assert world.stop_host() == 0
    backdate(world, 1)
    world.start_host()
    yesterday = day_of("Europe/Berlin", 1)
    world.wait(lambda: receipt(world, "--day", yesterday)["stored"], "the day's receipt is made")
    stored = receipt(world, "--day", yesterday)
    assert {k: stored[k] for k in ("webhooks", "events", "jobs", "effects")} == {
        k: today[k] for k in ("webhooks", "events", "jobs", "effects")}
    assert receipt(world)["events"]["in"] == 0
    assert world.metrics()["klinke_receipts_unbalanced_total"] == 0
    text = world.klinke("receipt", "--tenant", TENANT, "--day", yesterday).stdout
    assert "1 booking made, 1 message sent" in text and "it balances" in text and "BALANCE" not in text
    done = world.klinke("receipt", "--day", "gestern", check=False)
    assert done.returncode == 2 and "gestern is no day: say it like 2026-" in done.stderr
    lines = world.klinke("receipt").stdout.splitlines()
    assert any(re.fullmatch(r"agency, \d{4}-\d\d-\d\d, counted now: nothing came", line) for line in lines), lines
    # without a host what is stored can be read, and today cannot be counted
    assert world.stop_host() == 0
    assert receipt(world, "--day", yesterday) == stored
    assert world.klinke("receipt", check=False).returncode == 69
    world.start_host()


def test_a_row_that_is_lost_is_told(world):
    world.start()
    for number in range(3):
        body = call_body(f"call-{number}")
        assert world.hook("phone", body, retell_headers(body))[0] == 204
    world.wait(lambda: len(world.events("call.ended")) == 3, "all are read")
    assert world.stop_host() == 0
    db = database(world)
    assert db.execute("DELETE FROM event WHERE subject = 'call:call-1'").rowcount == 1
    db.commit()
    db.close()
    backdate(world, 1)
    world.start_host()
    yesterday = day_of("Europe/Berlin", 1)
    world.wait(lambda: world.metrics().get("klinke_receipts_unbalanced_total") == 1, "it is missed")
    assert "receipt does not balance" in world.log()
    row = receipt(world, "--day", yesterday)
    assert row["stored"] and not row["balanced"] and row["events"]["in"] == 3
    done = world.klinke("receipt", "--day", yesterday, check=False)
    assert done.returncode == 1 and "DOES NOT BALANCE" in done.stdout
