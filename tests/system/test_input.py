"""Bad input: answered clearly, told in the log with the place, and nothing of value lost. Then the
reverse path: what the vendors report becomes the right events, and callers who wait are answered."""
import json
import os
import re
import sqlite3
import threading
import time
from datetime import datetime, timedelta, timezone
from urllib.parse import quote

import pytest

from hooks_kit import (RETELL_KEY, SIGN, Wire, booking_body, call_body, calcom_headers, head, lasting_world,
                       message_body, retell_headers, whatsapp_headers)
from world import CALLER, KLINKE, SECRETS, TENANT, descendants, request, wait

MAX_BODY = 64 * 1024
HEADER_S, BODY_S = 0.6, 0.9


def prepare(world):
    host = world.ini["host"]
    host["max_body"] = "64K"
    host["header_timeout"], host["request_timeout"] = "600ms", "900ms"
    host["log_level"] = "debug"
    world.ini["connection calendar"]["retry_max_tries"] = "1"
    # v1 has its key in the URL; its own connection, so that we may look for it there
    world.ini.add("connection diary", tenant=TENANT, plugin="calcom_v1", api_key="${CALCOM_API_KEY}",
                  webhook_secret="${CALCOM_WEBHOOK_SECRET}",
                  base_url=f"http://127.0.0.1:{world.sandbox_port}/calcom/v1", retry_max_tries="1")
    world.start()


house = lasting_world(prepare)

BODIES = {
    "phone": lambda id_: call_body(id_),
    "whatsapp": lambda id_: message_body("wamid." + id_),
    "calendar": lambda id_: booking_body(id_),
}


def said_since(world, mark):
    """The log's lines since then; the host writes them before it answers or soon after."""
    return world.log()[mark:]


def stored(world):
    return len(world.inbox())


# ---- Signatures -------------------------------------------------------------------------------------

def unsigned(body):
    return {"Content-Type": "application/json"}


def wrong_retell(body):
    return retell_headers(body, key="not-" + RETELL_KEY)


def stale_retell(body):
    return retell_headers(body, at_ms=int(time.time() * 1000) - 3600_000)


def future_retell(body):
    return retell_headers(body, at_ms=int(time.time() * 1000) + 3600_000)


def cut_retell(body):
    headers = retell_headers(body)
    return {**headers, "X-Retell-Signature": headers["X-Retell-Signature"][:-7]}


def odd_retell(body):
    return {"X-Retell-Signature": "hello"}


def foreign_retell(body):
    return retell_headers(body + b" ")


def wrong_meta(body):
    return whatsapp_headers(body, secret="f" * 32)


def cut_meta(body):
    return {"X-Hub-Signature-256": whatsapp_headers(body)["X-Hub-Signature-256"][:-2]}


def sha1_meta(body):
    return {"X-Hub-Signature": "sha1=" + "0" * 40}


def wrong_calcom(body):
    return calcom_headers(body, secret="somebody else's")


def no_secret_calcom(body):
    return {**calcom_headers(body), "X-Cal-Signature-256": "no-secret-provided"}


def cut_calcom(body):
    return {"X-Cal-Signature-256": calcom_headers(body)["X-Cal-Signature-256"][:32]}


BAD_SIGNATURES = [
    ("phone", unsigned, "x-retell-signature is missing"),
    ("phone", wrong_retell, "does not match"),
    ("phone", foreign_retell, "does not match"),
    ("phone", stale_retell, "stale"),
    ("phone", future_retell, "from the future"),
    ("phone", cut_retell, "x-retell-signature"),
    ("phone", odd_retell, "x-retell-signature"),
    ("whatsapp", unsigned, "X-Hub-Signature-256"),
    ("whatsapp", wrong_meta, "does not match"),
    ("whatsapp", cut_meta, "X-Hub-Signature-256"),
    ("whatsapp", sha1_meta, "X-Hub-Signature-256"),
    ("calendar", unsigned, "X-Cal-Signature-256 is missing"),
    ("calendar", wrong_calcom, "does not match"),
    ("calendar", no_secret_calcom, "secret"),
    ("calendar", cut_calcom, "64 hex digits"),
]


@pytest.mark.parametrize("connection,sign,part", BAD_SIGNATURES,
                         ids=[f"{c}-{s.__name__}" for c, s, _ in BAD_SIGNATURES])
def test_bad_signature(house, connection, sign, part):
    mark, before = len(house.log()), stored(house)
    body = BODIES[connection](f"bad-{connection}-{sign.__name__}")
    status, answer, _ = house.hook(connection, body, sign(body))
    assert status == 401
    line = wait(lambda: next((l for l in said_since(house, mark).splitlines() if "webhook refused" in l), None),
                "the log tells")
    assert f"connection={TENANT}/{connection}" in line
    reason = re.search(r'reason="?([^"]*)', line).group(1)
    assert part.lower() in reason.lower(), line
    for secret in SECRETS.values():
        assert secret not in line and secret not in answer.decode()
    assert body.decode() not in said_since(house, mark)
    assert stored(house) == before


def test_good_signatures_of_all(house):
    """The same bodies, rightly signed, are taken: so the tests above fail for the reason they name."""
    for connection, make in BODIES.items():
        body = make(f"good-{connection}")
        assert house.hook(connection, body, SIGN[connection](body))[0] in (200, 204), connection
    wait(lambda: house.events("call.ended", subject="call:good-phone"), "the call is an event")
    wait(lambda: house.events("booking.created", subject="booking:good-calendar"), "the booking is")


def test_signature_covers_the_bytes(house):
    """One changed byte, also one that JSON does not care for."""
    body = call_body("bytes")
    assert house.hook("phone", body.replace(b", ", b",", 1), retell_headers(body))[0] == 401


# ---- Twice ------------------------------------------------------------------------------------------

def test_twice_one_after_the_other(house):
    body = call_body("twice-later")
    headers = retell_headers(body)
    assert [house.hook("phone", body, headers)[0] for _ in range(3)] == [204] * 3
    wait(lambda: sum("twice-later" in json.dumps(house.show(i["id"])["inbox"][0].get("body", ""))
                     and i["state"] == "done" for i in house.inbox()) == 3, "all three are read")
    assert len(house.events("call.ended", subject="call:twice-later")) == 1


@pytest.mark.parametrize("connection", BODIES)
def test_twice_at_the_same_moment(house, connection):
    """Two connections, whose last bytes leave together."""
    id_ = f"moment-{connection}"
    body = BODIES[connection](id_)
    whole = head(f"/hooks/{TENANT}/{connection}", body, SIGN[connection](body)) + body
    repeats = house.metrics()["klinke_event_repeats_total"]
    wires = [Wire(house.port) for _ in range(8)]
    for wire in wires:
        wire.send(whole[:-1])
    gate = threading.Barrier(len(wires))

    def finish(wire):
        gate.wait()
        wire.send(whole[-1:])
    threads = [threading.Thread(target=finish, args=(wire,)) for wire in wires]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {wire.status() for wire in wires} <= {200, 204}
    for wire in wires:
        wire.close()
    wait(lambda: house.metrics()["klinke_event_repeats_total"] == repeats + len(wires) - 1,
         "seven are known already")
    events = [e for e in house.events() if id_ in json.dumps(e)]
    assert len(events) == 1
    jobs = [j for j in house.jobs() if j.get("event") == events[0]["id"]]
    assert len(jobs) == len({j["pipeline"] for j in jobs})


# ---- What cannot be read -------------------------------------------------------------------------------

UNREADABLE = {
    "phone": [b'{"event":"call_ended","call":{', b"not json at all", b'{"event":"call_ended"}', b"[]",
              b'{"event":"call_ended","call":{"call_id":"a\\u0000b"}}', b"\xff\xfe\x00{}"],
    "whatsapp": [b'{"entry":[', b'{"object":"x"}'],
    "calendar": [b'{"triggerEvent":"BOOKING_CREATED"', b'{"hello":1}',
                 b'{"triggerEvent":"BOOKING_CREATED","payload":{}}'],
}


@pytest.mark.parametrize("connection,body", [(c, b) for c, bodies in UNREADABLE.items() for b in bodies])
def test_malformed_with_a_good_signature(house, connection, body):
    """Taken, since it is genuine; parked with a reason, where people look; its bytes kept."""
    before = {i["id"] for i in house.inbox()}
    assert house.hook(connection, body, SIGN[connection](body))[0] in (200, 204)
    row = wait(lambda: next((i for i in house.inbox() if i["id"] not in before and i["state"] == "parked"), None),
               "it is parked")
    assert row["reason"] and row["connection"] == f"{TENANT}/{connection}"
    listed = house.klinke("dead").stdout
    assert row["id"] in listed and "webhook of" in listed
    told = next(r for r in map(json.loads, house.klinke("dead", "--json").stdout.splitlines())
                if r["id"] == row["id"])
    assert told["kind"] == "webhook" and told["reason"] == row["reason"] and told["tenant"] == TENANT
    kept = house.show(row["id"])["inbox"][0]["body"]
    if b"\xff" in body:
        assert "5 bytes" in kept
    else:
        assert kept == body.decode() or kept == json.loads(body)
    log = [l for l in house.log().splitlines() if row["id"] in l]
    assert any("webhook parked" in l and "reason=" in l for l in log)


def test_a_parked_webhook_is_read_again_or_let_go(house):
    body = b'{"event":"call_ended","call":{"half'
    before = {i["id"] for i in house.inbox()}
    house.hook("phone", body, retell_headers(body))

    def mine(state):
        return next((i for i in house.inbox() if i["id"] not in before and i["state"] == state), None)
    id_ = wait(lambda: mine("parked"), "it is parked")["id"]
    assert house.status()["webhooks_parked"] >= 1
    page = request(house.port, "GET", "/", headers={"Authorization": "Bearer " + SECRETS["KLINKE_ADMIN_TOKEN"]})
    assert id_ in page[1].decode()
    assert json.loads(house.klinke("dead", "retry", id_, "--json").stdout)["inbox"] == id_
    wait(lambda: mine("parked"), "it is parked again")
    house.klinke("dead", "drop", id_[-12:], "--reason", "a test")
    assert "a test" in mine("ignored")["reason"]
    assert id_ not in house.klinke("dead").stdout
    again = house.klinke("dead", "drop", id_, check=False)
    assert again.returncode == 1 and "not parked" in again.stderr


# ---- Too large, unknown, slow ----------------------------------------------------------------------------

def test_declared_too_large(house):
    """413 before the body is sent."""
    before = stored(house)
    with Wire(house.port) as wire:
        wire.send(head(f"/hooks/{TENANT}/phone", length=MAX_BODY + 1))
        assert wire.status() == 413
    with Wire(house.port) as wire:
        wire.send(head(f"/hooks/{TENANT}/phone", length=10 ** 15))
        assert wire.status() == 413
    assert stored(house) == before


def test_chunked_too_large(house):
    """Read on to a cap, so that the answer is not overtaken by a reset; not for ever."""
    before = stored(house)
    piece = b"4000\r\n" + b"x" * 0x4000 + b"\r\n"
    with Wire(house.port) as wire:
        wire.send(head(f"/hooks/{TENANT}/phone", length="chunked"))
        for _ in range(40):  # 640 KB, ten times the limit
            wire.send(piece)
        wire.send(b"0\r\n\r\n")
        assert wire.status() == 413
    with Wire(house.port, timeout=8) as wire:
        wire.send(head(f"/hooks/{TENANT}/phone", length="chunked"))
        with pytest.raises(OSError):
            for _ in range(5000):  # 80 MB: nobody listens that long
                wire.send(piece)
    assert stored(house) == before


def test_largest_that_fits(house):
    body = call_body("largest", transcript="x")
    body = call_body("largest", transcript="x" * (MAX_BODY - len(body) + 1))
    assert len(body) == MAX_BODY
    assert house.hook("phone", body, retell_headers(body))[0] == 204


@pytest.mark.parametrize("path,status", [
    ("/hooks/nobody/phone", 404), (f"/hooks/{TENANT}/nothing", 404), (f"/hooks/{TENANT}/phone/nowhere", 404),
    (f"/hooks/{TENANT}", 404), ("/hooks/", 404), ("/hooks//phone", 404), ("/hooks/agency/phone", 404),
    (f"/hooks/{TENANT}/booking", 404), (f"/hooks/{TENANT}/{'p' * 5000}", 404),
    (f"/hooks/{TENANT}/../{TENANT}/phone", 400), (f"/hooks/{TENANT}%2Fphone", 400)])
def test_unknown_address(house, path, status):
    before = stored(house)
    body = call_body("unknown-address")
    assert request(house.port, "POST", path, body, retell_headers(body))[0] == status
    assert stored(house) == before


def test_an_address_that_nobody_has_is_told_and_not_for_each_webhook(world):
    world.start()
    for i in range(20):
        assert world.hook("phne", call_body(f"c{i}"))[0] == 404
    line, = [line for line in world.log().splitlines() if "address that nobody has" in line]
    assert f"path=/hooks/{TENANT}/phne" in line and "remedy=" in line
    assert world.metrics()["klinke_webhooks_stray_total"] == 20


def threads_of(pid):
    return len(os.listdir(f"/proc/{pid}/task"))


@pytest.mark.parametrize("phase,deadline", [("head", HEADER_S), ("body", BODY_S)])
def test_drip(house, phase, deadline):
    """Many who send a byte now and then are cut off at our deadline, hold no thread and nobody up."""
    body = call_body("drip", transcript="x" * 20000)
    whole = head(f"/hooks/{TENANT}/phone", body, retell_headers(body))
    if phase == "body":
        whole += body
    begin = len(whole) - len(body) if phase == "body" else 0
    last = len(whole) - 5  # never the end
    cut, threads = house.metrics()["klinke_http_cut_total"], threads_of(house.host.pid)
    wires = [Wire(house.port).send(whole[:begin + 1]) for _ in range(40)]
    sent, end = begin + 1, time.monotonic() + deadline * 0.6
    while time.monotonic() < end:
        for wire in wires:
            wire.send(whole[sent:sent + 1])
        sent = min(sent + 1, last)
        assert threads_of(house.host.pid) <= threads + 1  # a metrics thread may come and go
        began = time.monotonic()
        assert request(house.port, "GET", "/livez")[0] == 200
        assert time.monotonic() - began < 2
    lasted = [wire.ended() for wire in wires]
    assert min(lasted) >= deadline * 0.9
    assert max(lasted) < deadline + 3, "each drip must not begin a new deadline"
    assert house.metrics()["klinke_http_cut_total"] >= cut + len(wires)
    for wire in wires:
        wire.close()


# ---- Answers of the providers ------------------------------------------------------------------------------

def told_by_call(world, target, value):
    done = world.klinke("call", target, json.dumps(value), "--json", check=False)
    assert done.returncode == 1, done.stdout
    return json.loads(done.stdout)


SLOTS = {"event_type": "310455", "timezone": "Europe/Berlin", "from": "2026-12-01T00:00:00Z", "to": "2026-12-08T00:00:00Z"}
WRONG_SHAPES = [
    ({"non_json": True}, "<html>"),
    ({"status": 200, "body": {"status": "success", "data": 17}}, "17"),
    ({"status": 200, "body": {"hello": "world"}}, "world"),
    ({"status": 200, "body": "[]"}, "[]"),
    ({"status": 200, "body": '{"status":"success","data":{"2026-12-01":[{"start":'}, "2026-12-01"),
]


@pytest.mark.parametrize("fault,kept", WRONG_SHAPES, ids=[str(i) for i in range(len(WRONG_SHAPES))])
def test_answer_of_the_wrong_shape(house, fault, kept):
    house.fault(vendor="calcom_v2", path="/calcom/v2/slots*", **fault)
    answer = told_by_call(house, f"{TENANT}/calendar.slots", SLOTS)
    assert answer["fail"] == "surprise", answer
    attempts = [a for a in house.show(answer["job"])["attempts"] if a["kind"] == "request"]
    assert len(attempts) == 1 and attempts[0]["status"] == 200
    out = attempts[0]["output"]
    assert kept in (out if isinstance(out, str) else json.dumps(out))


def test_answer_cut_off(house):
    """Half of what its head promised is no answer: whether it was done is not known."""
    house.fault(vendor="calcom_v2", path="/calcom/v2/slots*", truncate=True)
    answer = told_by_call(house, f"{TENANT}/calendar.slots", SLOTS)
    attempts = [a for a in house.show(answer["job"])["attempts"] if a["kind"] == "request"]
    assert answer["fail"] in ("surprise", "broken", "unknown"), answer
    assert attempts[0]["outcome"] == "unknown"
    assert answer["state"] == "dropped", "only read, and told"


def test_answer_of_ten_megabytes(house):
    """As long as it is taken, its beginning is kept; the host does not grow with it for ever."""
    house.fault(vendor="calcom_v2", path="/calcom/v2/slots*", huge=True)
    answer = told_by_call(house, f"{TENANT}/calendar.slots", SLOTS)
    assert answer["fail"] in ("surprise", "broken"), answer
    attempts = [a for a in house.show(answer["job"])["attempts"] if a["kind"] == "request"]
    assert "filler" in json.dumps(attempts[0].get("output", "")) or "large" in json.dumps(attempts[0]), attempts[0]


@pytest.mark.parametrize("target,path,value,fail", [
    ("phone.agents", "/retell/*", {}, "surprise"),
    ("whatsapp.send", "/whatsapp/*", {"to": CALLER, "text": "Hallo"}, "unknown"),  # it may be sent
    ("diary.slots", "/calcom/v1/*", SLOTS, "surprise")])
def test_no_provider_is_believed_blindly(house, target, path, value, fail):
    house.fault(path=path, status=200, body="<p>maintenance</p>", headers={"Content-Type": "text/html"})
    answer = told_by_call(house, f"{TENANT}/{target}", value)
    assert answer["fail"] == fail, answer
    assert "maintenance" in json.dumps(house.show(answer["job"])["attempts"])


# ---- Secrets and personal data ------------------------------------------------------------------------

MARK = "only-in-the-raw-bytes-4711"


def everything_said(world):
    """Whatever the host tells anybody: log, verbs, API, pages, metrics."""
    token = {"Authorization": "Bearer " + SECRETS["KLINKE_ADMIN_TOKEN"]}
    said = {"log": world.log()}
    ids = [row["id"] for row in world.events() + world.jobs()] + [i["id"] for i in world.inbox()]
    for verb in ("events", "jobs", "calls", "dead", "status"):
        for more in ([], ["--json"]):
            said[" ".join([verb, *more])] = world.klinke(verb, *more).stdout
    for id_ in ids:
        said["show " + id_] = world.klinke("show", id_, "--full").stdout
        said["page " + id_] = request(world.port, "GET", "/show/" + id_, headers=token)[1].decode()
        said["api " + id_] = request(world.port, "GET", "/api/v1/show?id=" + id_, headers=token)[1].decode()
    for path in ("/", "/metrics", "/api/v1/status", "/api/v1/inbox", "/api/v1/appointments", "/nowhere"):
        said[path] = request(world.port, "GET", path, headers=token)[1].decode()
    return said


def memory_of(pid):
    """What the process could write: its heap, stack and data."""
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb") as memory:
        for line in maps:
            span, rights = line.split()[:2]
            if not rights.startswith("rw") or "[v" in line:
                continue
            begin, end = (int(x, 16) for x in span.split("-"))
            if end - begin > 1 << 29:
                continue  # a sanitizer's shadow of everything
            try:
                memory.seek(begin)
                yield memory.read(end - begin)
            except (OSError, ValueError):
                continue


@pytest.fixture(scope="module")
def busy_house(house):
    """A whole story, refused and parked webhooks, failed operations, a wrong handshake behind it."""
    house.clear_faults()
    house.ring()
    wait(lambda: len(house.bookings()) == 1 and [e for e in house.events("message.read") if e["data"]["to"] == CALLER],
         "the story ends")
    body = call_body("marked", unlisted=MARK)
    assert house.hook("phone", body, retell_headers(body))[0] == 204
    for connection, make in BODIES.items():
        house.hook(connection, make("no-secret"), {"X-Retell-Signature": f"v=1,d={'0' * 64}"})
    house.fault(path="/calcom/v1/*", close_after=True)
    house.klinke("call", f"{TENANT}/diary.slots", json.dumps(SLOTS), check=False)
    house.klinke("call", f"{TENANT}/diary.event_types", check=False)
    house.klinke("call", f"{TENANT}/phone.agents", check=False)
    house.reload()
    wait(lambda: house.events("call.ended", subject="call:marked"), "the marked call is an event")
    return house


def test_no_secret_is_ever_said(busy_house):
    for place, text in everything_said(busy_house).items():
        for name, secret in SECRETS.items():
            assert secret not in text, f"{name} is in {place}"
            assert quote(secret, safe="") not in text, f"{name} is in {place}"


def test_no_secret_on_the_disk(busy_house):
    """Neither secrets nor raw bodies: those are sealed. The keys lie apart and are no text."""
    files = [p for p in busy_house.state.rglob("*") if p.is_file()]
    assert any(p.read_bytes()[:15] == b"SQLite format 3" for p in files)
    for path in files:
        data = path.read_bytes()
        for name, secret in SECRETS.items():
            assert secret.encode() not in data, f"{name} is in {path}"
        assert MARK.encode() not in data, f"a raw body is in {path}"
    shown = json.dumps([busy_house.show(i["id"])["inbox"][0].get("body") for i in busy_house.inbox()])
    assert MARK in shown, "it was there to be found"


def test_state_is_ours_alone(busy_house):
    assert busy_house.state.stat().st_mode & 0o077 == 0
    for path in busy_house.state.rglob("*"):
        if path.is_file() or path.is_socket():
            assert path.stat().st_mode & 0o077 == 0, path


def looked_into(pid):
    """What another process of this user can see; None: nothing, and only root is never refused."""
    try:
        places = {what: open(f"/proc/{pid}/{what}", "rb").read() for what in ("cmdline", "environ")}
        return {**places, "memory": list(memory_of(pid))}
    except PermissionError:
        assert os.geteuid() != 0
        return None


# A sanitizer's runtime keeps a copy of the environment for itself; nothing else does.
SANITIZED = b"__asan_init" in KLINKE.read_bytes() if KLINKE.exists() else False


def test_no_secret_in_other_processes(busy_house):
    family = descendants(busy_house.host.pid)
    assert {p.name for p in family} >= {"klinke-zygote"} and len(family) >= 5
    for process in family:
        seen = looked_into(process.pid)
        if not seen:
            continue
        assert sum(map(len, seen["memory"])) > 100000, "its memory could be read"
        for name, secret in SECRETS.items():
            for what in ("cmdline", "environ"):
                assert secret.encode() not in seen[what], f"{name} is in {what} of {process.name}"
            for piece in seen["memory"] if not SANITIZED else []:
                at = piece.find(secret.encode())
                assert at < 0, f"{name} is in the memory of {process.name}: {piece[max(at - 40, 0):at + 60]!r}"
    assert not any(s.encode() in open(f"/proc/{busy_house.host.pid}/cmdline", "rb").read()
                   for s in SECRETS.values())
    if os.geteuid() != 0:
        assert looked_into(busy_house.host.pid) is None


def test_personal_data_is_not_logged(busy_house):
    log = busy_house.log()
    assert "level=debug" in log, "the log is as talkative as it can be"
    for personal in ("Jana Berger", "Berger", CALLER, CALLER[1:], "Max Muster", "max@example.com", "Guten Tag"):
        assert personal not in log, personal


def test_database_is_whole(busy_house):
    for path in busy_house.state.rglob("*"):
        if path.is_file() and path.read_bytes()[:15] == b"SQLite format 3":
            with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as db:
                assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
                assert not db.execute("PRAGMA foreign_key_check").fetchall()


# ---- The reverse path: Cal.com -----------------------------------------------------------------------------

def booked_at_the_desk(world):
    made = world.control("/calcom/bookings", {"eventTypeId": 310455, "start": utc(world.slot()),
                                              "name": "Erika Muster", "email": "erika@example.com"})
    uid = made.get("uid") or made["booking"]["uid"]
    wait(lambda: world.events("booking.created", subject=f"booking:{uid}"), "the booking is reported")
    return uid


def utc(moment):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment.timestamp()))


def appointment(world, uid):
    return next((a for a in world.api("GET", "/appointments?limit=1000")["rows"] if a["uid"] == uid), None)


def test_booking_created(busy_house):
    uid = booked_at_the_desk(busy_house)
    event, = busy_house.events("booking.created", subject=f"booking:{uid}")
    data = event["data"]
    assert data["uid"] == uid and data["attendee"]["name"] == "Erika Muster"
    assert data["status"] == "booked" and data["start"] < data["end"] and data["event_type"] == "310455"
    assert event["tenant"] == TENANT and event["source"] == f"{TENANT}/calendar"
    assert appointment(busy_house, uid)["status"] == "booked"


@pytest.mark.parametrize("verb,body,type_,status", [
    ("cancel", {"reason": "krank"}, "booking.cancelled", "cancelled"),
    ("no-show", {}, "booking.noshow", None),
    ("meeting-started", {}, "meeting.started", "booked"),
    ("meeting-ended", {}, "meeting.ended", "booked")])
def test_booking_changes(busy_house, verb, body, type_, status):
    uid = booked_at_the_desk(busy_house)
    busy_house.control(f"/calcom/bookings/{uid}/{verb}", body)
    event, = wait(lambda: busy_house.events(type_, subject=f"booking:{uid}"), type_)
    assert event["data"]["uid"] == uid
    if status:
        assert appointment(busy_house, uid)["status"] == status


def test_booking_rescheduled(busy_house):
    uid = booked_at_the_desk(busy_house)
    later = busy_house.slot()
    busy_house.control(f"/calcom/bookings/{uid}/reschedule", {"start": utc(later)})
    event = wait(lambda: next((e for e in busy_house.events("booking.rescheduled")
                               if e["data"].get("rescheduled_from") == uid or e["data"]["uid"] == uid), None),
                 "the move is reported")
    assert event["data"]["start"][:16] == utc(later)[:16]
    assert appointment(busy_house, event["data"]["uid"])["status"] == "booked"


@pytest.mark.parametrize("connection", ["calendar", "diary"])
@pytest.mark.parametrize("order", [(0, 1, 2), (1, 0, 2), (2, 1, 0), (2, 0, 1)])
def test_a_move_may_overtake_what_it_moved(busy_house, connection, order):
    """Webhooks of Cal.com come in any order; whatever comes last, one appointment stands, at the newest time."""
    mark = f"moved-{connection}-{''.join(map(str, order))}"
    day = datetime(2027, 4, 5, 7, tzinfo=timezone.utc) + timedelta(days=order[0] * 3 + order[1] + 7 * (connection == "diary"))
    bodies = []
    for i in range(3):
        at = day + timedelta(hours=i)
        from_ = {"rescheduleUid": f"{mark}-{i - 1}", "rescheduleId": 4710} if i else {}
        bodies.append(booking_body(f"{mark}-{i}", "BOOKING_RESCHEDULED" if i else "BOOKING_CREATED", utc(at),
                                   utc(at + timedelta(minutes=30)), **from_))
    for i in order:
        assert busy_house.hook(connection, bodies[i], calcom_headers(bodies[i]))[0] == 200
        found = wait(lambda n=i: (lambda all_: f"{mark}-{n}" in all_ and all_)({
            a["uid"]: (a["status"], a["start"][:16]) for a in busy_house.api("GET", "/appointments?limit=1000")["rows"]
            if a["uid"].startswith(mark)}), "it is read")
    assert {u: s for u, (s, _) in found.items()} == {f"{mark}-0": "rescheduled", f"{mark}-1": "rescheduled", f"{mark}-2": "booked"}
    assert found[f"{mark}-2"][1] == utc(day + timedelta(hours=2))[:16]


def test_booking_requested_and_rejected(busy_house):
    """A type that needs confirmation."""
    made = busy_house.control("/calcom/bookings", {"eventTypeId": 310458, "start": utc(busy_house.slot()),
                                                   "name": "Erika Muster", "email": "erika@example.com"})
    uid = made.get("uid") or made["booking"]["uid"]
    event, = wait(lambda: busy_house.events("booking.requested", subject=f"booking:{uid}"), "requested")
    assert event["data"]["status"] == "requested"
    busy_house.control(f"/calcom/bookings/{uid}/reject", {"reason": "Urlaub"})
    event, = wait(lambda: busy_house.events("booking.rejected", subject=f"booking:{uid}"), "rejected")
    assert event["data"]["reason"] == "Urlaub"
    assert appointment(busy_house, uid)["status"] == "rejected"


def test_ping(busy_house):
    busy_house.control("/calcom/ping", {})
    event = wait(lambda: busy_house.events("calendar.ping"), "the ping")[0]
    assert "uid" not in event["data"], "the booking in a ping is made up"


def test_a_late_event_does_not_overwrite(busy_house):
    """Cancelled first, created later: Cal.com's order is no order."""
    uid = "late-booking"
    for trigger, at in (("BOOKING_CANCELLED", "2026-11-22T12:05:00.000Z"), ("BOOKING_CREATED", "2026-11-22T12:00:00.000Z")):
        body = json.loads(booking_body(uid, trigger))
        body["createdAt"] = at
        raw = json.dumps(body).encode()
        assert busy_house.hook("calendar", raw, calcom_headers(raw))[0] == 200
        type_ = {"BOOKING_CANCELLED": "booking.cancelled", "BOOKING_CREATED": "booking.created"}[trigger]
        wait(lambda: busy_house.events(type_, subject=f"booking:{uid}"), type_)
    assert appointment(busy_house, uid)["status"] == "cancelled"


# ---- The reverse path: WhatsApp ------------------------------------------------------------------------------

INBOUND = [
    ({"text": "Ich komme später"}, {"kind": "text", "text": "Ich komme später"}),
    ({"button": {"payload": "ABSAGEN", "text": "Absagen"}}, {"kind": "button", "payload": "ABSAGEN", "text": "Absagen"}),
    ({"button_reply": {"id": "ja", "title": "Ja, gern"}}, {"kind": "interactive", "payload": "ja", "text": "Ja, gern"}),
    ({"list_reply": {"id": "mo-9", "title": "Montag 9 Uhr"}}, {"kind": "interactive", "payload": "mo-9"}),
]


@pytest.mark.parametrize("sent,data", INBOUND, ids=[next(iter(s)) for s, _ in INBOUND])
def test_message_received(busy_house, sent, data):
    before = {e["id"] for e in busy_house.events("message.received")}
    busy_house.control("/whatsapp/inbound", {"from": "491713920042", "name": "Jana Berger", **sent})
    event = wait(lambda: next((e for e in busy_house.events("message.received") if e["id"] not in before), None),
                 "the message")
    assert {k: event["data"].get(k) for k in data} == data
    assert event["data"]["from"] == CALLER and event["data"]["name"] == "Jana Berger"
    assert event["subject"].startswith("contact:") and event["tenant"] == TENANT


def test_message_statuses(busy_house):
    """Ours was sent, delivered and read; another one fails."""
    sent = busy_house.call(f"{TENANT}/whatsapp.send", {"to": CALLER, "text": "Bis morgen"})
    for type_ in ("message.sent", "message.delivered", "message.read"):
        event = wait(lambda: next((e for e in busy_house.events(type_)
                                   if e["data"]["message_id"] == sent["message_id"]), None), type_)
        assert event["data"]["to"] == CALLER
    lost = busy_house.call(f"{TENANT}/whatsapp.send",
                           {"to": "+491713920043", "template": "rueckruf", "params": ["Jana"]})
    event = wait(lambda: next((e for e in busy_house.events("message.failed")
                               if e["data"]["message_id"] == lost["message_id"]), None), "it fails")
    assert event["data"]["code"] == "131026" and event["data"]["reason"]


def handshake(world, token, challenge="1158201444", mode="subscribe"):
    return request(world.port, "GET", f"/hooks/{TENANT}/whatsapp?hub.mode={mode}&hub.challenge={challenge}"
                                      f"&hub.verify_token={quote(token)}")


def test_handshake(busy_house):
    before = stored(busy_house)
    status, body, headers = handshake(busy_house, SECRETS["WHATSAPP_VERIFY_TOKEN"])
    assert (status, body) == (200, b"1158201444")
    assert headers["content-type"].startswith("text/plain"), "what is echoed must not become a page"
    assert busy_house.control("/whatsapp/verify", {})["verified"] is True
    assert stored(busy_house) == before


@pytest.mark.parametrize("token", ["", "zahn-gehei", "zahn-geheim ", "falsch-geraten"])
def test_handshake_with_a_wrong_token(busy_house, token):
    mark = len(busy_house.log())
    status, body, _ = handshake(busy_house, token)
    assert status == 403 and b"1158201444" not in body
    line = wait(lambda: next((l for l in said_since(busy_house, mark).splitlines() if "webhook refused" in l), None),
                "the log tells")
    assert "verify_token" in line and "falsch-geraten" not in line and "zahn-gehei" not in line


# ---- The reverse path: who waits ------------------------------------------------------------------------------

def test_call_inbound_is_answered(busy_house):
    answer = busy_house.control("/retell/inbound", {"from_number": CALLER, "to_number": "+493023125010"})
    assert answer["status"] == 200
    body = answer["body"] if isinstance(answer["body"], dict) else json.loads(answer["body"])
    assert body == {"call_inbound": {}}, "no pipeline answers, so the number's own agent does"
    event = wait(lambda: busy_house.events("call.inbound"), "the ringing is an event")[0]
    assert event["data"]["from"] == CALLER and event["data"]["to"] == "+493023125010"


@pytest.mark.parametrize("at_root", [False, True])
def test_call_function_is_answered(busy_house, at_root):
    """No pipeline answers: the agent gets the sentence of `unanswered`, never an error or a lie."""
    answer = busy_house.control("/retell/function", {
        "name": "check_availability", "args": {"day": "Donnerstag"}, "call_id": f"fn-{at_root}",
        "args_at_root": at_root})
    assert answer["status"] == 200
    body = answer["body"] if isinstance(answer["body"], dict) else json.loads(answer["body"])
    assert "leider nicht" in body["say"]
    event = wait(lambda: next((e for e in busy_house.events("call.function")
                               if f"fn-{at_root}" in json.dumps(e) or at_root), None), "the event")
    assert event["data"]["args"]["day"] == "Donnerstag"


def test_waiting_routes_need_signatures_too(busy_house):
    for route in ("inbound", "function"):
        status, body, _ = busy_house.hook(f"phone/{route}", b'{"name":"x","args":{}}', {})
        assert status == 401 and b"say" not in body
