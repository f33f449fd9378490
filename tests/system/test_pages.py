"""What the host shows over HTTP: who may look, what browsers must not be made to do, and that TERM
loses nothing of what was under way."""
import json
import re
import signal
import threading
import time
from html.parser import HTMLParser
from http.client import HTTPException
from urllib.parse import quote

import pytest

from hooks_kit import RETELL_KEY, Wire, booking_body, call_body, calcom_headers, head, lasting_world, message_body, \
    retell_headers, whatsapp_headers
from world import PATIENCE_S, SECRETS, TENANT, log_in, request, wait

TOKEN = SECRETS["KLINKE_ADMIN_TOKEN"]
BEARER = {"Authorization": f"Bearer {TOKEN}"}
EVIL = "<script>alert('x')</script>\"'><img src=x onerror=alert(1)>&amp;"


def prepare(world):
    world.ini.drop("pipeline")
    world.ini.add("pipeline fails", ("on", "call.ended"), ("step", "calendar.find_booking"),
                  ("in", "json_object('nonsense', data ->> '$.call_id')"))
    world.start()
    for body, connection, sign in (
            (call_body("page-1", transcript=EVIL), "phone", retell_headers),
            (call_body(f"page-{EVIL}"), "phone", retell_headers),
            (message_body("wamid.evil", text=EVIL, name=EVIL), "whatsapp", whatsapp_headers),
            (booking_body("evil", title=EVIL, attendees=[{"name": EVIL, "email": "a@example.com", "timeZone": EVIL}]),
             "calendar", calcom_headers),
            (b'{"event":"' + EVIL.replace('"', "").encode() + b'","call', "phone", retell_headers)):
        assert world.hook(connection, body, sign(body))[0] in (200, 204)
    wait(lambda: not world.status()["webhooks_waiting"] and len(world.jobs("parked")) == 2, "all is read")


house = lasting_world(prepare)


def get(world, path, headers=BEARER, method="GET", body=None):
    status, answer, fields = request(world.port, method, path, body, headers)
    return status, answer.decode(), fields


# ---- Alive, ready -----------------------------------------------------------------------------------------

def test_probes_need_no_token(house):
    assert get(house, "/livez", {})[:2] == (200, "alive\n")
    assert get(house, "/readyz", {})[:2] == (200, "ready\n")


@pytest.mark.parametrize("path", ["/", "/metrics", "/api/v1/status", "/api/v1/events", "/show/x", "/nowhere", "/api/v1/"])
@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Bearer "},
                                     {"Authorization": f"Basic {TOKEN}"}, {"Cookie": "klinke_session=wrong"},
                                     {"Cookie": f"klinke_session={TOKEN}"}, {"Authorization": f"Bearer {TOKEN}x"}])
def test_nothing_without_the_token(house, path, headers):
    status, text, _ = get(house, path, headers)
    assert status == 401 and "token" in text and TENANT not in text


# ---- Figures ------------------------------------------------------------------------------------------------

SAMPLE = re.compile(r'^([a-zA-Z_:][a-zA-Z0-9_:]*)(\{((?:[a-zA-Z_]\w*="(?:[^"\\\n]|\\["\\n])*",?)*)\})? '
                    r'(-?[0-9.]+(?:[eE][-+]?\d+)?|NaN|[-+]Inf)$')


def test_metrics_are_prometheus_text(house):
    status, text, headers = get(house, "/metrics")
    assert status == 200 and headers["content-type"].startswith("text/plain; version=0.0.4")
    assert text.endswith("\n")
    types, helps, seen, family, done = {}, set(), set(), None, set()
    for line in text.splitlines():
        if line.startswith("# HELP "):
            name = line.split()[2]
            assert name not in helps and len(line.split(" ", 3)[3]) > 3
            helps.add(name)
        elif line.startswith("# TYPE "):
            _, _, name, type_ = line.split()
            assert name not in types and type_ in ("counter", "gauge")
            assert name in helps, "HELP comes first"
            assert (type_ == "counter") == name.endswith("_total"), line
            done.add(family)
            types[name], family = type_, name
        else:
            match = SAMPLE.match(line)
            assert match, line
            assert match.group(1) == family, f"{line} stands apart from its family"
            assert (match.group(1), match.group(2)) not in seen, line
            seen.add((match.group(1), match.group(2)))
            assert float(match.group(4)) >= 0
    assert types and family not in done
    for name in types:
        assert any(n == name for n, _ in seen) or name.startswith(("klinke_lane", "klinke_requests", "klinke_desk_failures")), name
    for secret in SECRETS.values():
        assert secret not in text
    before = house.metrics()
    house.hook("phone", b"{}", {})
    after = house.metrics()
    assert after["klinke_webhooks_rejected_total"] == before["klinke_webhooks_rejected_total"] + 1
    assert after['klinke_jobs{state="parked"}'] == len(house.jobs("parked"))


# ---- API ----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("verb", ["events", "jobs", "inbox", "calls", "appointments", "dead"])
def test_api_lists(house, verb):
    status, text, headers = get(house, f"/api/v1/{verb}?limit=2")
    assert status == 200 and headers["content-type"] == "application/json"
    assert 0 < len(json.loads(text)["rows"]) <= 2
    assert json.loads(get(house, f"/api/v1/{verb}?tenant=nobody")[1])["rows"] == []


def test_api_inbox_states(house):
    for state in ("parked", "done"):
        rows = house.api("GET", f"/inbox?state={state}")["rows"]
        assert rows and {r["state"] for r in rows} == {state}


@pytest.mark.parametrize("path,status", [
    ("/api/v1/nothing", 400), ("/api/v1/", 400), ("/api/v1/events?limit=x", 400), ("/api/v1/events?limit=0", 400),
    ("/api/v1/jobs?state=x", 400), ("/api/v1/inbox?state=ready", 400), ("/api/v1/show", 400), ("/api/v1/show?id=nothing-like-it", 404),
    ("/api/v1/events?since=x", 400), ("/api/v1/events?before=x", 400)])
def test_api_problems(house, path, status):
    """RFC 9457: a program can read what went wrong."""
    got, text, headers = get(house, path)
    assert got == status and headers["content-type"] == "application/problem+json"
    problem = json.loads(text)
    assert problem["status"] == status and problem["title"] and problem["detail"]


@pytest.mark.parametrize("verb", ["retry", "drop", "replay", "call", "reload"])
def test_changes_are_posted(house, verb):
    for method in ("GET", "PUT", "DELETE", "PATCH"):
        assert get(house, f"/api/v1/{verb}?id=x", method=method)[0] == 405
    assert get(house, "/api/v1/events", method="POST", body="{}")[0] == 405


@pytest.mark.parametrize("body", ["{", "[]", '"x"', "17", "\xff", '{"id":"x"}{'])
def test_api_bodies_that_are_none(house, body):
    status, text, _ = get(house, "/api/v1/drop", method="POST", body=body.encode("latin-1"))
    assert status == 400 and json.loads(text)["detail"]


def test_api_call_and_decisions(house):
    answer = house.api("POST", "/call", {"target": f"{TENANT}/calendar.test", "input": {}})
    assert answer["state"] == "done"
    job = house.jobs("parked")[0]
    assert house.api("POST", "/drop", {"id": job["id"], "reason": "by api"}) == {"job": job["id"]}
    assert "by api" in house.job(job["id"])["reason"]
    status, text, _ = get(house, "/api/v1/drop", method="POST", body=json.dumps({"id": job["id"]}))
    assert status == 409 and "title" in json.loads(text)
    assert get(house, "/api/v1/call", method="POST", body='{"target":"a/b.c"}')[0] == 404
    assert house.api("POST", "/reload")["generation"] == house.status()["generation"]


# ---- Browsers -------------------------------------------------------------------------------------------------

class Tags(HTMLParser):
    """Which elements and attributes a browser would see."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.text = set(), set(), ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes |= {(k, v) for k, v in attrs}

    def handle_data(self, data):
        self.text += data


def pages(world):
    ids = [r["id"] for r in world.events() + world.jobs() + world.inbox()]
    return ["/", "/nowhere", "/show/" + quote(EVIL.replace("/", ""), safe=""), *("/show/" + i for i in ids)]


def test_what_others_wrote_is_text(house):
    """Names, transcripts, bodies, reasons: none of them becomes an element."""
    seen = ""
    for path in pages(house):
        status, text, headers = get(house, path)
        assert status in (200, 404) and headers["content-type"] == "text/html; charset=utf-8"
        found = Tags(text)
        assert not found.tags & {"script", "img", "iframe", "svg", "object", "input"}, path
        assert {v for k, v in found.attributes if k == "action"} == {"/logout"}, path
        assert not {name for name, _ in found.attributes if name.startswith("on")}, path
        assert not [v for k, v in found.attributes if k == "href" and not v.startswith("/")], path
        seen += found.text
    assert "alert('x')" in seen, "it was there to be escaped"


def test_safe_headers_everywhere(house):
    for path in ["/", "/nowhere", "/metrics", "/api/v1/status", "/api/v1/nothing", "/livez", "/show/x"]:
        for headers in (BEARER, {}):
            fields = get(house, path, headers)[2]
            assert fields["x-content-type-options"] == "nosniff", path
            assert fields["x-frame-options"] == "DENY" and fields["cache-control"] == "no-store"
            policy = fields["content-security-policy"]
            assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy
            assert "script" not in policy
            assert "access-control-allow-origin" not in fields
            assert "server" not in fields or not re.search(r"\d", fields["server"])


def test_cross_site_posts(house):
    """The cookie may be there; the request still says where it is from."""
    cookie = log_in(house.port, TOKEN)
    own = f"http://127.0.0.1:{house.port}"
    job = house.jobs("parked")[0]["id"]
    for more in ({"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": "https://evil.example"},
                 {"Origin": "null"}, {"Origin": own + "0"}, {"Origin": own, "Sec-Fetch-Site": "cross-site"},
                 {"Origin": f"http://127.0.0.1.evil.example:{house.port}"}):
        status = get(house, "/api/v1/drop", {**cookie, **more}, "POST", json.dumps({"id": job}))[0]
        assert status == 401, more
    assert house.job(job)["state"] == "parked"
    assert get(house, "/api/v1/drop", cookie, "POST", json.dumps({"id": job}))[0] == 401, "nothing says where it is from"
    for more in ({"Sec-Fetch-Site": "same-origin", "Origin": own}, {"Origin": own}, {"Sec-Fetch-Site": "none"}):
        assert get(house, "/api/v1/drop", {**cookie, **more}, "POST", '{"id":"nothing-like-it"}')[0] == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_pages_are_only_looked_at(house, method):
    assert get(house, "/", method=method, body="")[0] == 405
    assert get(house, "/metrics", method=method, body="")[0] == 405


def test_head(house):
    status, text, headers = get(house, "/livez", method="HEAD")
    assert status == 200 and text == ""


def test_without_a_token_all_is_closed(world):
    """Also for this machine: a proxy in front, or a page that points its own name at 127.0.0.1, would
    come from there too."""
    del world.ini["host"]["admin_token"]
    world.start_host()
    for name in (f"127.0.0.1:{world.port}", "localhost", "evil.example"):
        for path in ("/", "/api/v1/status", "/metrics", "/login", "/logout"):
            for more in ({}, {"Authorization": "Bearer "}, {"Cookie": "klinke_session="}):
                status, text, _ = get(world, path, {"Host": name, **more})
                assert status == 401 and "admin_token is not set" in text, (name, path, more)
    assert get(world, "/livez", {})[0] == 200
    body = call_body("open-hooks")
    assert world.hook("phone", body, retell_headers(body))[0] == 204, "webhooks have their signatures"
    assert world.status()["running"], "and the command line its socket"


def test_the_token_is_asked_whatever_the_host_is_called(house):
    for name in ("evil.example", "127.0.0.1", "localhost"):
        assert get(house, "/", {"Host": name})[0] == 401
        assert get(house, "/", {**BEARER, "Host": name})[0] == 200


def test_outside_needs_a_token(world):
    world.ini["host"]["listen"] = f"0.0.0.0:{world.port}"
    del world.ini["host"]["admin_token"]
    world.write_ini()
    done = world.klinke("run", check=False)
    assert done.returncode == 78 and "admin_token" in done.stderr


# ---- TERM -----------------------------------------------------------------------------------------------------

def test_term_answers_what_is_under_way(world):
    """A webhook half received is taken to its end; no new one is; the end is 0; nothing is lost."""
    world.start()
    body = call_body("drained")
    whole = head(f"/hooks/{TENANT}/phone", body, retell_headers(body)) + body
    with Wire(world.port) as wire:
        wire.send(whole[:-10])
        wait(lambda: world.metrics()["klinke_http_connections"] >= 2, "the host has it")
        world.host.send_signal(signal.SIGTERM)
        wait(lambda: "draining" in world.log(), "it drains")
        assert world.host.poll() is None
        wire.send(whole[-10:])
        assert wire.status() == 204
    assert world.host.wait(PATIENCE_S) == 0
    assert "msg=stopped" in world.log()
    world.start_host()
    event, = wait(lambda: world.events("call.ended", subject="call:drained"), "it became an event")
    assert event["tenant"] == TENANT


def test_term_closes_idle_connections_and_refuses_new_ones(world):
    world.start_host()
    wires = [Wire(world.port) for _ in range(5)]
    kept = Wire(world.port).send(head("/livez", method="GET"))
    assert kept.status() == 200
    began = time.monotonic()
    assert world.stop_host() == 0
    assert time.monotonic() - began < 3, "nobody is waited for who says nothing"
    for wire in [*wires, kept]:
        wire.receive()
        wire.close()
    with pytest.raises(OSError):
        Wire(world.port)


def test_term_finishes_a_run(world):
    """The calendar thinks for a moment: the booking that was sent is stored before the end."""
    world.start()
    world.fault(vendor="calcom_v2", method="POST", path="/calcom/v2/bookings*", delay_ms=700)
    world.ring()
    wait(lambda: world.requests(path="/calcom/v2/bookings", method="POST") or
         [j for j in world.jobs("ready") if j.get("pipeline") == "agency/book" and j["step"] == 1], "it is sent")
    assert world.stop_host() == 0
    world.start_host()
    wait(lambda: world.settled(1, 1), "the story ends")
    assert len(world.requests(path="/calcom/v2/bookings", method="POST")) == 1


def test_term_tells_whoever_waits(world):
    """klinke call, the API: told that the host stops, when the time to drain is over."""
    world.ini["host"]["drain_timeout"] = "300ms"
    world.ini["connection calendar"]["timeout"] = "30s"
    world.start()
    world.fault(vendor="calcom_v2", path="/calcom/v2/me*", delay_ms=4000, count=5)
    done = []
    threads = [threading.Thread(target=lambda: done.append(world.klinke("call", f"{TENANT}/calendar.test", check=False))),
               threading.Thread(target=lambda: done.append(refused_or_told(world)))]
    for thread in threads:
        thread.start()
    wait(lambda: sum(j.get("op") == "test" for j in world.jobs("ready")) == 2, "both are under way")
    began = time.monotonic()
    assert world.stop_host() == 0
    assert time.monotonic() - began < 3
    for thread in threads:
        thread.join()
    by_verb = next(d for d in done if hasattr(d, "returncode"))
    assert by_verb.returncode == 69 and "the host stops" in by_verb.stderr, by_verb


def refused_or_told(world):
    try:
        return get(world, "/api/v1/call", method="POST", body=json.dumps({"target": f"{TENANT}/calendar.test"}))[0]
    except (OSError, HTTPException):
        return None


def test_second_term_does_not_wait(world):
    world.ini["host"]["drain_timeout"] = "30s"
    world.ini["host"]["request_timeout"] = "30s"
    world.start_host()
    body = call_body("never")
    with Wire(world.port) as wire:
        wire.send(head(f"/hooks/{TENANT}/phone", body, retell_headers(body, RETELL_KEY)) + body[:5])
        wait(lambda: world.metrics()["klinke_http_connections"] >= 2, "the host has it")
        world.host.send_signal(signal.SIGTERM)
        wait(lambda: "draining" in world.log(), "it drains")
        began = time.monotonic()
        world.host.send_signal(signal.SIGTERM)
        assert world.host.wait(PATIENCE_S) == -signal.SIGTERM
        assert time.monotonic() - began < 2
    world.start_host()
    assert world.status()["running"]
