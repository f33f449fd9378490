"""What happens first is done first, for each caller; callers do not wait for each other; and what comes
twice is done once."""
import asyncio
import re
import sqlite3
import threading

import pytest

from plugin_kit import HEAD, put_plugin
from world import CALLER, TENANT, request

SLOTS = {"vendor": "calcom_v2", "method": "GET", "path": "/calcom/v2/slots"}
OTHER = "491713920099"


@pytest.fixture
def office(world):
    """Whoever writes a day is asked for at the calendar: requests that can be told apart."""
    world.ini.drop("pipeline")
    world.ini.drop("mapping")
    world.ini.add("pipeline ask", ("on", "message.received"),
                  ("step", "calendar.slots event_type=310455 timezone=Europe/Berlin from=(data ->> 'text') "
                           "to=(strftime('%Y-%m-%dT%H:%M:%SZ', data ->> 'text', '+1 day'))"))
    return world


def write(world, day, sender=CALLER[1:], text=None):
    """A message; returns when it is an event, so that two do not overtake each other on the way."""
    n = len(world.events("message.received"))
    world.control("/whatsapp/inbound", {"from": sender, "text": text or f"2027-01-{day:02}T00:00:00Z"})
    world.wait(lambda: len(world.events("message.received")) > n, "the message is an event")


def day_of(request_):
    """The plugin asks from the day before, for the sake of zones."""
    return int(dict(map(tuple, request_["query"]))["start"][8:10]) + 1


def days_asked(world):
    return [day_of(r) for r in world.requests(path=SLOTS["path"])]


def all_done(world, n):
    world.wait(lambda: len(world.jobs("done")) == n and len(world.jobs()) == n, f"{n} jobs are done")


# ---- Order --------------------------------------------------------------------------------------------

def test_events_of_one_caller_are_handled_in_order(office):
    office.start()
    office.fault(**SLOTS, delay_ms=1000)
    days = list(range(4, 12))
    write(office, days[0])
    office.wait(lambda: not office.faults_left(), "the slow request is out")
    write(office, days[1])
    assert len(office.jobs("queued")) == 1, "the second one waits for the slow first one"
    for day in days[2:]:
        write(office, day)
    all_done(office, len(days))
    assert days_asked(office) == days
    answered = [r["at_ms"] for r in office.requests(path=SLOTS["path"])]
    assert answered == sorted(answered)


def test_order_survives_kill_9(office):
    office.start()
    office.fault(**SLOTS, delay_ms=300, count=3)
    days = list(range(4, 10))
    for day in days:
        write(office, day)
    for asked in (1, 2, 3):
        office.wait(lambda: len(office.faults_left()) == 0 or len(days_asked(office)) >= asked, "it is asked")
        office.restart_host()
    all_done(office, len(days))
    days_of = {e["id"]: int(e["data"]["text"][8:10]) for e in office.events("message.received")}
    ended = sorted(office.jobs(), key=lambda j: j["updated"])
    assert [days_of[j["event"]] for j in ended] == days


def test_callers_do_not_wait_for_each_other(office):
    office.ini["connection calendar"]["timeout"] = "20s"
    office.start()
    office.fault(**SLOTS, delay_ms=8000)
    write(office, 4)
    office.wait(lambda: not office.faults_left(), "the slow request is out")
    for i in range(5):
        write(office, 10 + i, sender=f"4917139200{50 + i}")
    office.wait(lambda: len(office.jobs("done")) == 5, "the others are done")
    slow, = [j for j in office.jobs() if j["state"] != "done"]
    event, = office.events(id=slow["event"])
    assert event["data"]["from"] == CALLER, "while the first one still waits for its answer"
    assert 4 not in [day_of(r) for r in office.requests(path=SLOTS["path"]) if r["status"] == 200]


def test_who_is_parked_lets_the_next_one_pass(office):
    office.start()
    write(office, 0, text="am Donnerstag")
    office.wait(lambda: office.jobs("parked"), "no day to ask for")
    write(office, 5)
    office.wait(lambda: office.jobs("done"), "the next one is done")


def test_strict_keeps_the_others_waiting(office):
    office.ini["pipeline ask"]["strict"] = "yes"
    office.start()
    write(office, 0, text="am Donnerstag")
    parked = office.wait(lambda: office.jobs("parked"), "no day to ask for")[0]
    write(office, 5)
    write(office, 6)
    write(office, 7, sender=OTHER)
    office.wait(lambda: office.jobs("done"), "somebody else is not concerned")
    assert days_asked(office) == [7] and len(office.jobs("queued")) == 2
    office.restart_host()
    assert len(office.jobs("queued")) == 2
    office.klinke("dead", "drop", parked["id"])
    office.wait(lambda: len(office.jobs("done")) == 3, "it goes on once a person has decided")
    assert days_asked(office) == [7, 5, 6]


# ---- Twice ------------------------------------------------------------------------------------------------

def test_every_webhook_twice_at_the_same_moment(world):
    world.start()
    world.fault(event="*", twice=True, count=0)
    calls = [world.ring() for _ in range(5)]
    world.wait(lambda: world.settled(5, 5), "five bookings, five messages")
    hooks = world.hooks()
    assert len(hooks) == 2 * len({h["body"] for h in hooks}) == 2 * 5 * 7
    assert len(world.inbox()) == len(hooks)
    for type_ in ("call.started", "call.ended", "call.analyzed", "booking.created", "message.sent",
                  "message.delivered", "message.read"):
        assert len(world.events(type_)) == 5, type_
    assert len(world.jobs()) == 10 and {j["state"] for j in world.jobs()} == {"done"}
    assert sorted(e["subject"] for e in world.events("call.analyzed")) == sorted(f"call:{c}" for c in calls)
    assert world.metrics()["klinke_event_repeats_total"] == 35


def test_the_same_bytes_on_many_lines_at_once(world):
    """One webhook, sent by twelve connections at the same moment: one event, one job, twelve receipts."""
    world.ini.drop("pipeline")
    world.ini.drop("mapping")
    world.ini.add("pipeline test", ("on", "message.received"), ("step", "calendar.test"))
    world.start()
    from hooks_kit import WHATSAPP_SECRET, digest, message_body
    body = message_body("wamid.twelve")
    headers = {"Content-Type": "application/json", "X-Hub-Signature-256": "sha256=" + digest(WHATSAPP_SECRET, body)}
    start, statuses = threading.Barrier(12), []

    def send():
        start.wait()
        statuses.append(request(world.port, "POST", f"/hooks/{TENANT}/whatsapp", body, headers)[0])

    threads = [threading.Thread(target=send) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [200] * 12
    world.wait(lambda: len(world.jobs("done")) == 1 and not world.status()["webhooks_waiting"], "it is done")
    assert len(world.events("message.received")) == 1 and len(world.jobs()) == 1
    assert [i["state"] for i in world.inbox()] == ["done"] * 12


def test_a_webhook_that_comes_again_after_a_restart(world):
    world.start()
    world.ring()
    world.wait(lambda: world.settled(1, 1), "the story ends")
    first = len(world.inbox())
    story = world.show(world.events("call.analyzed")[0]["id"])
    world.restart_host()
    world.klinke("replay", story["inbox"][0]["id"])
    world.wait(lambda: world.metrics()["klinke_event_repeats_total"] == 1, "it is read again")
    assert len(world.inbox()) == first and len(world.jobs()) == 2 and world.settled(1, 1)


def test_late_events_do_not_overwrite_newer_ones(world):
    """call_started comes after call_analyzed; the call has ended all the same, and keeps its end."""
    world.start()
    world.fault(event="call_started", delay_ms=700)
    call = world.ring()
    world.wait(lambda: world.settled(1, 1) and world.events("call.started"), "everything has come")
    order = [e["type"] for e in world.events() if e["type"].startswith("call.")]
    assert order[0] == "call.started", "newest first: it came last"
    row, = world.rows("calls")
    assert row["call_id"] == call and row["status"] == "ended" and row["ended"] > row["started"]


# ---- More at once than fits in hand -----------------------------------------------------------------------

IN_HAND = 1024  # NORMALIZE_MAX of host/pipeline: what is stored beyond it waits in the store
BELL = HEAD + r"""
static int normalize(kl_call *c, const kl_inbound *in)
{
	kl_event *e = KL_NEW(c, kl_event);
	(void)in;
	for (volatile unsigned long i = 0; i < 300000; i++)
		; /* so that webhooks are stored sooner than they are read */
	if (!e)
		return KL_BROKEN;
	e->type = "bell.rung";
	c->host->emit(c, e);
	return 0;
}
static const kl_route routes[] = {{"", 0, 0, "whatever comes"}};
static const kl_plugin plugin = {
	.size = sizeof(kl_plugin),
	.id = "test.klinke.bell",
	.version = "1.0.0",
	.summary = "Rings",
	.events = "bell.rung",
	.routes = KL_LIST(routes),
	.verify = accept_all,
	.normalize = normalize,
};
KL_PLUGIN(&plugin)
"""


async def post_all(port, connections, each):
    """That many webhooks on every connection, all connections at once; the statuses of the answers."""
    request_ = f"POST /hooks/{TENANT}/bell HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{{}}".encode()
    statuses = []

    async def post():
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(each):
            writer.write(request_)
            head = await reader.readuntil(b"\r\n\r\n")
            statuses.append(int(head.split()[1]))
            length = re.search(rb"content-length: (\d+)", head.lower())
            await reader.readexactly(int(length[1]) if length else 0)
        writer.close()
    await asyncio.gather(*(post() for _ in range(connections)))
    return statuses


@pytest.fixture
def bell(world):
    put_plugin(world, "bell", BELL)
    world.ini["host"]["max_connections"] = 2 * IN_HAND
    world.ini.add("connection bell", tenant=TENANT, plugin="bell", worker_timeout="60s")
    world.start()
    return world


def ring_all(world, connections, each):
    """How many were taken; the others were told to come again."""
    statuses = asyncio.run(post_all(world.port, connections, each))
    taken = statuses.count(200)
    assert taken + statuses.count(503) == len(statuses)
    return taken


def rung(world, what="count(*)"):
    with sqlite3.connect(world.state / "klinke.db") as store:
        return [row[0] for row in store.execute(f"SELECT {what} FROM event WHERE type = 'bell.rung' ORDER BY seq")]


def all_in_order(world, taken):
    world.wait(lambda: rung(world)[0] == taken, "all are read")
    came = rung(world, "inbox")
    assert not sum(a > b for a, b in zip(came, came[1:])), "some were overtaken"


def test_what_waits_in_the_store_is_not_overtaken(bell):
    """Else a booking would be made after it was cancelled."""
    taken = ring_all(bell, IN_HAND + 300, 2)
    assert taken > IN_HAND
    all_in_order(bell, taken)


def test_what_a_killed_host_left_is_not_overtaken(bell):
    taken = ring_all(bell, IN_HAND, 5)
    bell.kill_host()
    assert rung(bell)[0] < taken, "some are stored and not read"
    bell.start_host()
    all_in_order(bell, taken + ring_all(bell, 40, 2))
