"""The live stream: calls told as they happen, to whoever may see them, once, in order, over any number of
reconnects; and that no viewer, slow or angry, is in a caller's way."""
import json
import select
import socket
import threading
from html.parser import HTMLParser
from urllib.parse import quote

import pytest

from hooks_kit import booking_body, call_body, calcom_headers, message_body, retell_headers, \
    whatsapp_headers
from world import PATIENCE_S, SECRETS, TENANT, instant, log_in, request, wait

TOKEN = SECRETS["KLINKE_ADMIN_TOKEN"]
BEARER = {"Authorization": f"Bearer {TOKEN}"}
OTHER = "birkenweg"
LIVE = {TENANT: "live-token-of-lindenhof", OTHER: "live-token-of-birkenweg"}
LIVE_OLD = "live-token-of-lindenhof-before"
PATH = "/api/v1/live"


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


# ---- A viewer -----------------------------------------------------------------------------------

class Viewer:
    """One stream, read as a browser would: what() are its whole events so far, as dicts."""

    def __init__(self, world, query="", headers=BEARER, last=None, window=None):
        self.socket = socket.socket()
        if window:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
        self.socket.settimeout(PATIENCE_S)
        self.socket.connect(("127.0.0.1", world.port))
        lines = [f"GET {PATH}{query} HTTP/1.1", "Host: 127.0.0.1", *(f"{k}: {v}" for k, v in headers.items())]
        if last:
            lines.append(f"Last-Event-ID: {last}")
        self.socket.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        self.raw, self.body, self.text, self.closed, self.ended = b"", b"", "", False, False
        self.status, self.fields = None, {}

    def take(self):
        """What is there now, without waiting."""
        while not self.closed and select.select([self.socket], [], [], 0)[0]:
            try:
                piece = self.socket.recv(65536)
            except ConnectionResetError:
                piece = b""
            self.closed = not piece
            self.raw += piece
        if self.status is None and b"\r\n\r\n" in self.raw:
            top, self.raw = self.raw.split(b"\r\n\r\n", 1)
            first, *rest = top.decode().split("\r\n")
            self.status = int(first.split()[1])
            self.fields = {k.lower(): v for k, v in (line.split(": ", 1) for line in rest)}
        if self.fields.get("transfer-encoding") == "chunked":
            self.chunks()
        elif self.status:
            self.body, self.raw = self.body + self.raw, b""
        return self

    def chunks(self):
        while not self.ended and b"\r\n" in self.raw:
            size, rest = self.raw.split(b"\r\n", 1)
            size = int(size, 16)
            if len(rest) < size + 2:
                return
            self.body, self.raw = self.body + rest[:size], rest[size + 2:]
            self.ended = size == 0

    def blocks(self):
        """Everything up to the last blank line: events and comments."""
        return self.take().body.decode().split("\n\n")[:-1]

    def events(self, type_=None):
        found = []
        for block in self.blocks():
            fields = dict(line.split(": ", 1) for line in block.split("\n") if not line.startswith(":"))
            if "data" in fields:
                found.append({"id": fields.get("id"), "event": fields.get("event"),
                              "data": json.loads(fields["data"])})
        return [e for e in found if type_ in (None, e["event"])]

    def comments(self):
        return [line for block in self.blocks() for line in block.split("\n") if line.startswith(":")]

    def calls(self):
        """Ids of the calls that ended, in the order told."""
        return [e["data"]["call"] for e in self.events("call.ended")]

    def wait_open(self):
        wait(lambda: self.comments(), "the stream is open")
        assert self.status == 200
        return self

    def wait_calls(self, n):
        return wait(lambda: len(self.calls()) >= n and self.calls(), f"{n} calls are told")

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def office_of(tenant):
    return "phone" if tenant == TENANT else "phone2"


def ring(world, call_id, event="call_ended", tenant=TENANT, **call):
    body = call_body(call_id, event, **call)
    assert world.hook(office_of(tenant), body, retell_headers(body), tenant=tenant)[0] == 204


def stored(world, n):
    wait(lambda: len(world.events("call.ended")) >= n, f"{n} calls are stored")


def opened(world):
    return world.metrics()["klinke_live_streams"]


@pytest.fixture
def office(world):
    """Two tenants with a token each, no pipelines; started."""
    world.ini.drop("pipeline")
    world.ini.drop("mapping")
    world.secrets.update(LIVE_A=LIVE[TENANT], LIVE_A_OLD=LIVE_OLD, LIVE_B=LIVE[OTHER])
    for name in ("LIVE_A", "LIVE_A_OLD"):
        world.ini[f"tenant {TENANT}"].add("token", f"${{{name}}}")
    world.ini.add(f"tenant {OTHER}", name="Praxis Birkenweg", timezone="Europe/Berlin", language="de",
                  token="${LIVE_B}")
    world.ini.add("connection phone2", tenant=OTHER, plugin="retell", api_key="${RETELL_API_KEY}",
                  base_url=f"http://127.0.0.1:{world.sandbox_port}/retell")
    world.start_host()
    return world


# ---- What is told -------------------------------------------------------------------------------

def test_a_call_is_told_as_it_happens(office):
    with Viewer(office) as viewer:
        viewer.wait_open()
        ring(office, "a", "call_started", call_status="ongoing", end_timestamp=None)
        ring(office, "a", "transcript_updated", call_status="ongoing", end_timestamp=None,
             transcript="Agent: Guten Tag\nUser: Ich möchte einen Termin")
        function = json.dumps({"name": "check_availability", "args": {"requested_date": "morgen"},
                               "call": json.loads(call_body("a", call_status="ongoing"))["call"]}).encode()
        office.hook("phone/function", function, retell_headers(function))
        ring(office, "a", "transfer_started", call_status="ongoing", end_timestamp=None)
        ring(office, "a")
        ring(office, "a", "call_analyzed", call_analysis={"call_summary": "Termin"})
        types = ["call.started", "call.transcript", "call.transferred", "call.ended", "call.analyzed"]
        told = wait(lambda: len(viewer.events()) >= 6 and viewer.events(), "all of it is told")
        asked, = [e for e in told if e["event"] == "call.function"]  # goes before others: somebody waits
        assert [e["event"] for e in told if e is not asked] == types
        for event in told:
            data = event["data"]
            assert (data["id"], data["type"], data["tenant"], data["call"]) == \
                (event["id"], event["event"], TENANT, "a")
            assert instant(data["time"])
        said = next(e for e in told if e["event"] == "call.transcript")
        assert said["data"]["data"]["transcript"].endswith("Ich möchte einen Termin")
        assert said["data"]["data"]["from"] == "+491713920042", "in full: a holder of a token looks"
        assert asked["data"]["data"]["args"] == {"requested_date": "morgen"}


def test_headers_and_beginning(office):
    with Viewer(office) as viewer:
        viewer.wait_open()
        assert viewer.fields["content-type"] == "text/event-stream"
        assert "no-cache" in viewer.fields["cache-control"] and "no-store" in viewer.fields["cache-control"]
        assert viewer.fields["x-accel-buffering"] == "no" and "content-length" not in viewer.fields
        assert "access-control-allow-origin" not in viewer.fields
        assert viewer.blocks()[0].startswith("retry: ")


def test_what_is_no_call_is_not_told(office):
    """Messages, and bookings that no call led to."""
    with Viewer(office) as viewer:
        viewer.wait_open()
        for connection, body, sign in (("whatsapp", message_body("wamid.1"), whatsapp_headers),
                                       ("calendar", booking_body("from-the-desk"), calcom_headers)):
            assert office.hook(connection, body, sign(body))[0] in (200, 204)
        wait(lambda: office.events("booking.created") and office.events("message.received"), "both are stored")
        ring(office, "later")
        assert viewer.wait_calls(1) == ["later"]
        assert [e["event"] for e in viewer.events()] == ["call.ended"]


def test_a_booking_that_a_call_led_to(world):
    """The booking's own webhook comes by another door; it names the job that the call began."""
    world.start()
    with Viewer(world) as viewer:
        viewer.wait_open()
        call = world.ring()
        booked = wait(lambda: viewer.events("booking.created"), "the booking is told")[0]
        assert booked["data"]["call"] == call
        analyzed = wait(lambda: viewer.events("call.analyzed"), "and its call")[0]
        order = [e["id"] for e in viewer.events()]
        assert order.index(analyzed["id"]) < order.index(booked["id"])
        wait(lambda: world.settled(1, 1), "the story ends")


def test_a_very_long_transcript_is_told_shortened(office):
    lines = "\n".join(f"User: Satz Nummer {i} äöü" for i in range(20000))
    with Viewer(office) as viewer:
        viewer.wait_open()
        ring(office, "long", transcript=lines)
        event = wait(lambda: viewer.events("call.ended"), "it is told")[0]["data"]
        assert event["shortened"] is True and event["data"]["call_id"] == "long"
        kept = event["data"]["transcript"]
        assert lines.endswith("\n" + kept) and 10000 < len(kept) < 100000


# ---- Going on -------------------------------------------------------------------------------------

def test_nothing_missed_and_nothing_told_twice(office):
    """Cut anywhere, also inside an event, and while calls come in: the parts make the whole."""
    total, told, last, after = 120, [], None, 0
    def feed():
        for i in range(total):
            ring(office, f"r{i}")
    with Viewer(office) as whole:
        whole.wait_open()
        feeder = threading.Thread(target=feed)
        feeder.start()
        while len(told) < total:
            with come_again(office, last) as part:
                wait(lambda: len(part.events()) > after % 7 or len(told) + len(part.calls()) >= total, "some of it")
                got = part.events("call.ended")
                last = got[-1]["id"] if got else last
                told += [e["data"]["call"] for e in got]
                assert not part.events("reset")
            after += 1
        feeder.join()
        assert told == whole.wait_calls(total)
        assert sorted(told) == sorted(f"r{i}" for i in range(total))


def come_again(world, last):
    """As a viewer does that is told 429: too often, or its last stream is not forgotten yet."""
    def come():
        viewer = Viewer(world, last=last)
        wait(lambda: viewer.take().status, "an answer")
        if viewer.status == 200:
            return viewer
        assert viewer.status == 429
        return viewer.close()
    return wait(come, "it may come again")


def test_it_goes_on_over_a_restart(office):
    with Viewer(office) as viewer:
        viewer.wait_open()
        ring(office, "before")
        viewer.wait_calls(1)
        last = viewer.events()[-1]["id"]
    ring(office, "unseen")
    stored(office, 2)
    office.restart_host()
    ring(office, "after")
    with Viewer(office, last=last) as viewer:
        assert viewer.wait_calls(2) == ["unseen", "after"]
    with Viewer(office, query=f"?after={last}") as viewer:
        assert viewer.wait_calls(2) == ["unseen", "after"], "a page names its first place in the query"


def test_many_pages_behind(office):
    with Viewer(office) as viewer:
        viewer.wait_open()
        ring(office, "first")
        viewer.wait_calls(1)
        last = viewer.events()[-1]["id"]
    names = [f"m{i}" for i in range(300)]
    for name in names:
        ring(office, name)
    stored(office, 301)
    with Viewer(office, last=last) as viewer:
        assert viewer.wait_calls(300) == [e["data"]["call"] for e in viewer.events()]
        assert sorted(viewer.calls()) == sorted(names)
        ring(office, "now")
        assert viewer.wait_calls(301)[-1] == "now"


@pytest.mark.parametrize("last", ["0192f5c2-0000-7000-8000-000000000000", "nonsense", "'; DROP TABLE event", "1"])
def test_an_unknown_place_is_said(office, last):
    ring(office, "old")
    stored(office, 1)
    with Viewer(office, last=last) as viewer:
        reset = wait(lambda: viewer.events("reset"), "it is said")[0]
        assert reset["id"] is None and "not known" in reset["data"]["reason"]
        ring(office, "new")
        assert viewer.wait_calls(1) == ["new"], "it goes on from now"


# ---- Who sees what ----------------------------------------------------------------------------------

def test_tenants_do_not_see_each_other(office):
    """Each holder its own, the operator all or one; the same place names nothing to the other one."""
    with Viewer(office, headers=bearer(LIVE[TENANT])) as ours, Viewer(office, headers=bearer(LIVE[OTHER])) as theirs, \
            Viewer(office) as everybody, Viewer(office, query=f"?tenant={OTHER}") as one:
        for viewer in (ours, theirs, everybody, one):
            viewer.wait_open()
        for i in range(5):
            ring(office, f"ours{i}")
            ring(office, f"theirs{i}", tenant=OTHER)
        everybody.wait_calls(10)
        assert sorted(ours.wait_calls(5)) == [f"ours{i}" for i in range(5)]
        assert sorted(theirs.wait_calls(5)) == sorted(one.wait_calls(5)) == [f"theirs{i}" for i in range(5)]
        place = theirs.events()[0]["id"]
    wait(lambda: opened(office) == 0, "all have left")
    with Viewer(office, headers=bearer(LIVE[TENANT]), last=place) as viewer:
        wait(lambda: viewer.events("reset"), "a foreign place is an unknown one")
        ring(office, "ours-again")
        assert viewer.wait_calls(1) == ["ours-again"]
        assert OTHER not in viewer.body.decode() and "theirs" not in viewer.body.decode()


def answer(world, query="", headers=BEARER, method="GET", path=PATH):
    """(status, text) of a request that is not to become a stream; waits for its turn."""
    status, text, fields = wait(
        lambda: (lambda got: got if got[0] != 429 else None)(request(world.port, method, path + query, None, headers)),
        "an answer but 429")
    return status, text.decode()


def test_another_tenants_stream_is_one_that_is_not_there(office):
    foreign = answer(office, f"?tenant={OTHER}", bearer(LIVE[TENANT]))
    missing = answer(office, "?tenant=nobody", bearer(LIVE[TENANT]))
    assert foreign == missing and foreign[0] == 404 and OTHER not in foreign[1]
    assert answer(office, "?tenant=nobody")[0] == 404
    with Viewer(office, query=f"?tenant={TENANT}", headers=bearer(LIVE[TENANT])) as viewer:
        viewer.wait_open()


@pytest.mark.parametrize("headers", [{}, bearer("wrong"), bearer(""), bearer(LIVE[TENANT] + "x"),
                                     {"Cookie": "klinke_session=wrong"}, {"Authorization": f"Basic {TOKEN}"}])
def test_nothing_without_a_token(office, headers):
    for query in ("", f"?tenant={TENANT}", "?tenant=nobody", f"?token={quote(TOKEN)}"):
        status, text = answer(office, query, headers)
        assert status == 401 and TENANT not in text


def test_cookies_and_both_values_of_a_token(office):
    for headers in (log_in(office.port, TOKEN), log_in(office.port, LIVE[TENANT]), bearer(LIVE_OLD)):
        with Viewer(office, headers=headers) as viewer:
            viewer.wait_open()


def test_a_reload_takes_a_token_away(office):
    with Viewer(office, headers=bearer(LIVE_OLD)) as old, Viewer(office) as operator:
        old.wait_open(), operator.wait_open()
        del office.ini[f"tenant {TENANT}"]["token"]
        office.ini[f"tenant {TENANT}"].add("token", "${LIVE_A}")
        office.reload()
        for viewer in (old, operator):
            wait(lambda: viewer.take().ended, "the stream ends, whole")
    assert answer(office, headers=bearer(LIVE_OLD))[0] == 401
    with Viewer(office, headers=bearer(LIVE[TENANT])) as viewer:
        viewer.wait_open()


def test_tokens_are_in_no_log(office):
    test_cookies_and_both_values_of_a_token(office)
    assert answer(office, f"?token={LIVE[TENANT]}", {})[0] == 401
    for secret in (*LIVE.values(), LIVE_OLD):
        assert secret not in office.log()


# ---- Asking wrongly -----------------------------------------------------------------------------------

@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "HEAD"])
def test_a_stream_is_read(office, method):
    assert answer(office, method=method)[0] == 405
    assert opened(office) == 0


@pytest.mark.parametrize("value", ["0", "61", "-1", "x", "", "99999999999999999999", "1.5"])
def test_heartbeats_that_are_none(office, value):
    status, text = answer(office, f"?heartbeat={value}")
    assert status == 400 and "heartbeat" in text


# ---- Heartbeats, ends ---------------------------------------------------------------------------------

def test_heartbeat(office):
    with Viewer(office, query="?heartbeat=1") as viewer:
        viewer.wait_open()
        begun = len(viewer.comments())
        wait(lambda: len(viewer.comments()) >= begun + 2, "it is told that the stream lives")
        assert not viewer.events()


def test_who_leaves_is_forgotten(office):
    viewers = [Viewer(office).wait_open() for _ in range(3)]
    wait(lambda: opened(office) == 3, "three look on")
    for viewer in viewers:
        viewer.close()
    wait(lambda: opened(office) == 0, "nobody does")


def test_stop_ends_streams_cleanly(office):
    """Idle ones, busy ones, and one that does not read: none of them keeps the host from ending, and who
    reads gets the end of the stream, so that it knows to come back."""
    with Viewer(office) as idle, Viewer(office, query=f"?tenant={OTHER}") as other, \
            Viewer(office, window=2048) as deaf:
        idle.wait_open(), other.wait_open()
        for i in range(20):
            ring(office, f"s{i}", transcript="User: Ja\n" * 4000)
        idle.wait_calls(20)
        assert office.stop_host() == 0
        for viewer in (idle, other):
            wait(lambda: viewer.take().ended, "the end is told")
        assert len(idle.calls()) == 20 and not other.events()
        deaf.close()


# ---- Slow and angry viewers -----------------------------------------------------------------------------

def test_a_slow_reader_is_cut_and_goes_on(world):
    """It holds a bounded part of what it did not read; others are told meanwhile; it misses nothing."""
    world.ini.drop("pipeline")
    world.ini["host"]["request_timeout"] = "1s"  # also: how long one may take nothing
    world.start_host()
    said = "User: Ja, gern\n" * 5000
    with Viewer(world, window=2048) as slow, Viewer(world) as quick:
        quick.wait_open(), slow.wait_open()
        ring(world, "w0")
        assert slow.wait_calls(1) == quick.wait_calls(1)  # and from here on it reads nothing
        sent = 1
        while not world.metrics()["klinke_live_behind_total"]:
            ring(world, f"w{sent}", transcript=said)
            sent += 1
            quick.wait_calls(sent)
            assert sent < 200, "its buffers are bounded"
        wait(lambda: world.metrics()["klinke_live_cut_total"] == 1, "it is cut")
        assert world.metrics()["klinke_live_streams"] == 1
        wait(lambda: slow.take().closed, "it gets what was on its way, and the end")
        assert not slow.ended, "the end says that it is not all"
        seen = slow.calls()
        last = slow.events()[-1]["id"]
        assert len(seen) < sent
        with Viewer(world, last=last) as again:
            wait(lambda: len(seen) + len(again.calls()) >= sent, "it goes on")
            assert seen + again.calls() == quick.calls()


def test_who_falls_behind_and_reads_on_misses_nothing(office):
    """In the same stream: what there was no room for is told when there is."""
    said = "User: Ja, gern\n" * 5000
    with Viewer(office, window=2048) as slow, Viewer(office) as quick:
        quick.wait_open(), slow.wait_open()
        sent = 0
        while office.metrics()["klinke_live_behind_total"] < 1 or sent % 5:
            ring(office, f"b{sent}", transcript=said)
            sent += 1
            quick.wait_calls(sent)
            assert sent < 200
        assert slow.wait_calls(sent) == quick.calls()
        ring(office, "again")
        assert slow.wait_calls(sent + 1)[-1] == "again"
    assert office.metrics()["klinke_live_cut_total"] == 0


def test_so_many_streams_and_no_more(office):
    viewers = [Viewer(office).wait_open() for _ in range(4)]
    status, text, fields = request(office.port, "GET", PATH, None, BEARER)
    assert status == 429 and int(fields["retry-after"]) > 0
    ring(office, "x")
    for viewer in viewers:
        assert viewer.wait_calls(1) == ["x"]
    viewers.pop().close()
    wait(lambda: opened(office) == 3, "one has left")
    with Viewer(office) as viewer:
        viewer.wait_open()
    for viewer in viewers:
        viewer.close()


def test_a_storm_of_viewers_is_not_in_a_callers_way(office):
    """As many connects as a few threads can make, with and without a token: most are told 429 and when to come
    again; those who look on go on looking; every webhook is stored and answered meanwhile."""
    stop, seen, faults = threading.Event(), [], []

    def storm(headers):
        while not stop.is_set():
            try:
                with Viewer(office, headers=headers) as viewer:
                    while not viewer.take().status:
                        select.select([viewer.socket], [], [], PATIENCE_S)
                    seen.append((viewer.status, viewer.fields.get("retry-after"), headers == BEARER))
            except OSError as fault:
                faults.append(fault)

    with Viewer(office) as viewer:
        viewer.wait_open()
        threads = [threading.Thread(target=storm, args=(h,)) for h in (BEARER, BEARER, {}, bearer("guess"))]
        for thread in threads:
            thread.start()
        try:
            wait(lambda: sum(s == 429 for s, _, _ in seen) > 50, "the storm is refused")
            before = len(seen)
            sent = 0
            while sent < 60 or len(seen) < before + 100:
                ring(office, f"storm{sent}")
                sent += 1
            assert sorted(viewer.wait_calls(sent)) == sorted(f"storm{i}" for i in range(sent))
        finally:
            stop.set()
            for thread in threads:
                thread.join()
    assert not faults
    assert {s for s, _, _ in seen} <= {200, 401, 429}
    assert all(int(after) > 0 for status, after, _ in seen if status == 429)
    assert sum(status == 401 for status, _, _ in seen) < sum(
        status == 429 for status, _, holder in seen if not holder), "few get so far that a token is compared"
    assert office.metrics()["klinke_live_refused_total"] > 50


# ---- The page -----------------------------------------------------------------------------------------

class Page(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.found, self.text = [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.found += [(tag, k, v) for k, v in attrs]

    def handle_data(self, data):
        self.text += data

    def values(self, name):
        return [v for _, k, v in self.found if k == name]


def page(world, headers=BEARER, path="/live"):
    status, text, fields = request(world.port, "GET", path, None, headers)
    return status, text.decode(), fields


EVIL = "<script>alert('x')</script>\"'><img src=x onerror=alert(1)>"


def test_the_page_is_a_list_without_its_script(office):
    """Calls that go on, not those that ended, and never another tenant's; what others wrote is text."""
    ring(office, "on" + EVIL, "call_started", call_status="ongoing", end_timestamp=None)
    ring(office, "done", "call_started", call_status="ongoing", end_timestamp=None)
    ring(office, "theirs", "call_started", tenant=OTHER, call_status="ongoing", end_timestamp=None)
    ring(office, "done")
    wait(lambda: len(office.events()) == 4, "all is stored")
    status, text, fields = page(office)
    shown = Page(text)
    assert status == 200 and sorted(shown.values("data-call")) == sorted(["on" + EVIL, "theirs"])
    assert "+491713920042" in shown.text and "img" not in shown.tags
    assert shown.tags.count("script") == 1 and ("script", "src", "/live.js") in shown.found
    assert ("meta", "http-equiv", "refresh") in shown.found and "noscript" in shown.tags
    assert not [k for _, k, _ in shown.found if k.startswith("on")]
    policy = fields["content-security-policy"]
    assert "default-src 'none'" in policy and "script-src 'self'" in policy and "connect-src 'self'" in policy
    assert fields["cache-control"] == "no-store"
    for headers in (bearer(LIVE[OTHER]), log_in(office.port, LIVE[OTHER])):
        status, text, _ = page(office, headers)
        assert status == 200 and Page(text).values("data-call") == ["theirs"] and TENANT not in text
    assert page(office, {})[0] == page(office, {}, "/live.js")[0] == 401
    assert page(office, bearer(LIVE[OTHER]), f"/live?tenant={TENANT}")[0] == 404
    assert Page(page(office, BEARER, f"/live?tenant={OTHER}")[1]).values("data-call") == ["theirs"]


def test_the_page_and_its_stream_leave_no_gap(office):
    """What happens between the page and the stream is told by the stream: it goes on at the page's place."""
    ring(office, "before")
    stored(office, 1)
    after, = Page(page(office)[1]).values("data-after")
    ring(office, "between")
    stored(office, 2)
    with Viewer(office, query=f"?after={after}") as viewer:
        assert viewer.wait_calls(1) == ["between"]


def test_the_script(office):
    status, text, fields = page(office, bearer(LIVE[TENANT]), "/live.js")
    assert status == 200 and fields["content-type"].startswith("text/javascript")
    assert fields["x-content-type-options"] == "nosniff"
    assert "EventSource" in text and "innerHTML" not in text and "eval" not in text


def test_login_of_an_office(office):
    cookie = log_in(office.port, LIVE[TENANT])
    assert page(office, cookie)[0] == page(office, cookie, "/")[0] == 200
    assert page(office, cookie, "/metrics")[0] == 403


# ---- What confines plugins ------------------------------------------------------------------------------

def test_a_missing_sandbox_is_told(office):
    """The same in the log, in klinke status and in the figures: whatever this kernel has."""
    means = office.status()["sandbox"]
    assert {"seccomp", "landlock"} <= set(means)
    figures = office.metrics()
    warnings = [line for line in office.log().splitlines() if "confined less" in line]
    lacks = [name for name, why in means.items() if why != "yes"]
    assert len(warnings) == (1 if lacks else 0)
    for name, why in means.items():
        assert figures[f'klinke_sandbox{{means="{name}"}}'] == (why == "yes")
        assert why == "yes" or (why.startswith("no (") and name in warnings[0])
