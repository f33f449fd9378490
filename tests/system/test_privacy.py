"""Whatever is stored of a person lies under a key of theirs: nothing of it is in clear in any file, `klinke export`
tells it to them, `klinke forget` makes it unreadable, in old copies of the database too."""
import json
import re
import shutil
import sqlite3

import pytest

from hooks_kit import calcom_headers, booking_body, message_body, retell_headers, whatsapp_headers
from world import CALLER, TENANT

NAME = "Annegret Wüstenhagen"
OTHER, OTHER_NAME = "+491713920077", "Bernward Ottokar"
MAIL = "annegret.wuestenhagen@example.org"
WAMID = "wamid.HBgNNDkxNzEzOTIwMDQyFQIAEhgUM0E"  # base64 of the number, as Meta makes them
SPELLINGS = ["0171 3920042", "+49 (0)171 / 39 200 42", "00491713920042"]


def files(world):
    return [p for p in (world.directory / "state").rglob("*") if p.is_file()]


def holding(world, *texts):
    """Files of the state that hold one of the texts, however it is written."""
    found = set()
    for path in files(world):
        data = path.read_bytes()
        for text in texts:
            forms = {text, text.lstrip("+"), json.dumps(text)[1:-1]}
            found |= {(path.name, form) for form in forms if form.encode() in data}
    return found


def person(world, who, *more):
    return json.loads(world.klinke("export", who, "--json", *more).stdout)["persons"]


@pytest.fixture
def office(world):
    """A call that books, a message, a booking by mail; a webhook that cannot be read; and somebody else's call."""
    world.start()
    call = world.ring(NAME, CALLER)
    other = world.ring(OTHER_NAME, OTHER)
    world.wait(lambda: world.settled(2, 2), "both are booked and told")
    for name, body, sign in (
            ("whatsapp", message_body(WAMID, f"Hier ist {NAME}", name=NAME), whatsapp_headers),
            ("phone", b'{"event":"call_ended","call":"0171 / 392 00-42 ' + NAME.encode(), retell_headers),
            ("calendar", booking_body("uid_by_mail", attendees=[
                {"name": NAME, "email": MAIL, "timeZone": "Europe/Berlin"}]), calcom_headers)):
        assert world.hook(name, body, sign(body))[0] in (200, 204), name
    world.wait(lambda: not world.status()["webhooks_waiting"] and world.status()["webhooks_parked"] == 1
               and not any(world.status()["jobs"][s] for s in ("ready", "queued")), "all is read")
    world.ids = {"anna": call, "other": other}
    return world


def test_nothing_of_a_person_is_in_clear_in_any_file(office):
    secrets = (NAME, "Annegret", CALLER, "1713920042", MAIL, WAMID, OTHER, OTHER_NAME)
    assert not holding(office, *secrets)
    office.stop_host()  # and with the logs emptied into the files
    assert not holding(office, *secrets)
    assert holding(office, office.ids["anna"]), "the files were looked into"


def test_forget_and_export(office):
    world, state = office, office.directory / "state"
    mine = person(world, SPELLINGS[0])
    assert [(p["tenant"], p["person"]) for p in mine] == [(TENANT, CALLER)]
    before = mine[0]
    assert {"call.ended", "call.analyzed", "booking.created", "message.received"} <= {e["type"] for e in before["events"]}
    for part in ("inbox", "jobs", "attempts", "calls", "appointments"):
        assert before[part], part
    told = json.dumps(before, ensure_ascii=False)
    assert NAME in told and WAMID in told
    for secret in (OTHER, OTHER_NAME, world.ids["other"]):
        assert secret not in told, "nothing of anybody else"
    assert all(row.get("body") for row in before["inbox"]), "each told of nobody else"
    shown = world.klinke("export", SPELLINGS[1]).stdout
    assert "Appointments (1)" in shown and NAME in shown and OTHER not in shown

    # A copy of the database, as an old backup would be.
    with sqlite3.connect(state / "klinke.db") as source, sqlite3.connect(world.directory / "old.db") as copy:
        source.backup(copy)

    answer = json.loads(world.klinke("forget", SPELLINGS[2], "--json", "--tenant", TENANT).stdout)
    receipt, = answer["receipts"]
    assert receipt["person"] == CALLER and receipt["tenant"] == TENANT and receipt["key_destroyed"]
    assert receipt["unreadable"]["events"] >= len(before["events"])
    assert receipt["unreadable"]["webhooks"] == len(before["inbox"])
    assert receipt["unreadable"]["appointments"] == len(before["appointments"])
    assert receipt["dropped"]["parked_webhooks"] == 1 and not world.status()["webhooks_parked"]
    assert {f"{TENANT}/phone", f"{TENANT}/calendar", f"{TENANT}/whatsapp"} == set(receipt["vendors_that_know"])

    # By the address: the booking that has no number.
    assert json.loads(world.klinke("forget", MAIL.upper(), "--json").stdout)["receipts"][0]["unreadable"]["events"] == 1

    # Nothing of hers, all of the other's: in events, stories, calls, appointments.
    everything = "".join(json.dumps(world.rows(verb), ensure_ascii=False) for verb in ("events", "jobs", "calls"))
    everything += json.dumps(world.show(world.ids["anna"]), ensure_ascii=False)
    everything += json.dumps(world.api("GET", "/appointments")["rows"], ensure_ascii=False)
    assert NAME not in everything and CALLER not in everything
    assert OTHER_NAME in json.dumps(world.show(world.ids["other"]), ensure_ascii=False)
    assert person(world, OTHER)[0]["events"]
    gone = world.klinke("export", CALLER, check=False)
    assert gone.returncode == 1 and "nothing is stored" in gone.stderr and not gone.stdout

    # Again is no harm, and says when; a stranger is nobody.
    again = world.klinke("forget", CALLER)
    assert "was forgotten at" in again.stdout
    stranger = world.klinke("forget", "+4930999999", check=False)
    assert stranger.returncode == 1 and "nothing is stored of +4930999999" in stranger.stderr

    # The old copy, with the keys as they are now.
    world.stop_host()
    for name in ("klinke.db", "klinke.db-wal", "klinke.db-shm"):
        (state / name).unlink(missing_ok=True)
    shutil.copy(world.directory / "old.db", state / "klinke.db")
    world.start_host()
    old = json.dumps([world.rows("events"), world.show(world.ids["anna"])], ensure_ascii=False)
    assert NAME not in old and CALLER not in old
    assert OTHER_NAME in json.dumps(world.show(world.ids["other"]), ensure_ascii=False)

    # Who calls again is somebody new.
    world.ring(NAME, CALLER)
    world.wait(lambda: world.settled(3, 3), "booked and told once more")
    assert {e["type"] for e in person(world, CALLER)[0]["events"]} >= {"call.ended", "booking.created"}
    assert not world.complaints()


def test_a_dead_letter_goes_too_and_nothing_more_is_sent(world):
    """The calendar is down: what is still to be done for somebody who is forgotten is not done."""
    world.start()
    world.fault(vendor="calcom_v2", method="POST", path="/calcom/v2/bookings", count=1000, status=422,
                body=json.dumps({"status": "error", "error": {"message": f"{NAME} may not book"}}))
    world.ring(NAME, CALLER)
    world.wait(lambda: world.rows("dead"), "it is dead or parked")
    assert "Annegret" in json.dumps(world.rows("dead"), ensure_ascii=False), "an operator reads why"
    assert not holding(world, "Annegret", CALLER) and "Annegret" not in world.log()
    receipt = json.loads(world.klinke("forget", CALLER, "--json").stdout)["receipts"][0]
    assert receipt["dropped"]["jobs"] >= 1 and not world.rows("dead")
    sent = len(world.requests("calcom_v2", method="POST"))
    assert "Annegret" not in json.dumps(world.jobs(), ensure_ascii=False)
    world.clear_faults()
    world.restart_host()
    assert not world.status()["jobs"]["ready"] and len(world.requests("calcom_v2", method="POST")) == sent


def test_without_a_host_and_wrongly_asked(office):
    office.stop_host()
    assert person(office, CALLER)[0]["events"]
    shown = office.klinke("forget", CALLER).stdout
    assert re.search(r"unreadable from now on: \d+ webhooks, \d+ events", shown) and "not reached" in shown
    for words, code in ((["forget"], 2), (["export"], 2), (["forget", "Annegret"], 2), (["export", "Annegret"], 2),
                        (["forget", CALLER, OTHER], 2)):
        assert office.klinke(*words, check=False).returncode == code, words


def test_only_the_operator(office):
    """Verbs of the API too: by POST, since a person has no place in a URL."""
    status, text, _ = office_request(office, "GET", f"/api/v1/export?person={CALLER[1:]}")
    assert status == 405, text
    assert office_request(office, "POST", "/api/v1/forget", {"person": "+4930999999"})[0] == 404
    answer = office.api("POST", "/export", {"person": CALLER, "tenant": TENANT})
    assert answer["persons"][0]["person"] == CALLER
    elsewhere = office_request(office, "POST", "/api/v1/export", {"person": CALLER, "tenant": "nobody"})
    assert elsewhere[0] == 404 and NAME not in elsewhere[1].decode()


def office_request(world, method, path, body=None):
    from world import request
    token = re.search(r"admin_token\s*=\s*(\S+)", str(world.ini)).group(1)
    token = world.environment.get(token.strip("${}"), token)
    return request(world.port, method, path, json.dumps(body) if body else None, {"Authorization": f"Bearer {token}"})
