"""Callers on the line while things go wrong: disks that are full or stuck, plugins that die, hosts that reload, stop
or are killed, storms, and offices that share a connection. Whoever asks is told something, once and in time."""
import json
import resource
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta

import pytest

import world as world_module
from desk_kit import FALLBACK, GRACE_MS, Call, answering, spoken, together, warm
from hooks_kit import call_body, retell_headers
from plugin_kit import HEAD, put_plugin
from world import CALLER, EVENT_TYPE, TENANT

WITHIN_MS = 450
BOOKINGS = {"vendor": "calcom_v2", "method": "POST", "path": "*/v2/bookings"}
SLOTS = {"vendor": "calcom_v2", "path": "*/v2/slots*"}


@pytest.fixture
def desk(world):
    return answering(world, hold="5m").start()


def raw(call, name, **args):
    """(status, body, headers, ms) of a question that need not be answered with 200."""
    body = call.body(name, args)
    return raw_body(call.world, body)


def raw_body(world, body, route="phone/function", tenant=TENANT):
    began = time.monotonic()
    status, answer, headers = world.hook(route, body, retell_headers(body), tenant=tenant)
    return status, answer, headers, (time.monotonic() - began) * 1000


def book_args(slot):
    return {"name": "Jana Berger", **spoken(slot)}


def bookings_at(world, slot):
    return [b for b in world.bookings() if b["status"] == "accepted" and b["start_ms"] == slot.timestamp() * 1000]


def quiet(world):
    """Nothing is left to read or to do."""
    def look():
        status = world.status()
        return not status["webhooks_waiting"] and not status["jobs"]["ready"] and not status["jobs"]["queued"]
    return world.wait(look, "nothing is left to do")


def sending(world):
    """The calendar is being asked for a booking: the request has left, its answer has not come."""
    return world.wait(lambda: [j for j in world.jobs("ready", op="book") if j.get("outcome_unknown")], "the calendar is asked")


@contextmanager
def meanwhile(work):
    """Runs work() on a thread of its own; the list gets its result when the block is left."""
    result = []
    thread = threading.Thread(target=lambda: result.append(work()))
    thread.start()
    yield result
    thread.join()


# ---- The disk -------------------------------------------------------------------------------------------

@pytest.fixture
def small_disk(world, monkeypatch):
    """A host whose disk can be made full: writes fail instead of killing it."""
    before = world_module.die_with_parent

    def deaf():
        before()
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    monkeypatch.setattr(world_module, "die_with_parent", deaf)
    return answering(world).start()


@contextmanager
def full_disk(world):
    limit = resource.RLIM_INFINITY
    resource.prlimit(world.host.pid, resource.RLIMIT_FSIZE, (0, limit))
    try:
        yield
    finally:
        resource.prlimit(world.host.pid, resource.RLIMIT_FSIZE, (limit, limit))


def test_a_full_disk_is_told_in_time_and_nothing_happens(small_disk):
    warm(small_disk)
    slot = small_disk.slot()
    call = Call(small_disk)
    body = call.body("book_appointment", book_args(slot))
    with full_disk(small_disk):
        status, _, headers, took_ms = raw_body(small_disk, body)
        assert status == 503 and "retry-after" in headers
        assert took_ms < WITHIN_MS + GRACE_MS
        assert not small_disk.bookings()
    answer = call.send(body)
    assert answer["booked"] is True, answer
    assert len(bookings_at(small_disk, slot)) == 1 and len(small_disk.events("call.function")) == 1


def test_a_disk_that_fills_up_while_the_caller_waits(small_disk):
    """The calendar books, and it cannot be written down: what is not on disk is not promised."""
    warm(small_disk)
    slot = small_disk.slot()
    small_disk.ini["pipeline book-appointment"]["within"] = "1500ms"
    small_disk.reload()
    small_disk.fault(**BOOKINGS, delay_ms=600)
    call = Call(small_disk)
    body = call.body("book_appointment", book_args(slot))
    with meanwhile(lambda: raw_body(small_disk, body)) as got:
        sending(small_disk)
        with full_disk(small_disk):
            small_disk.wait(lambda: got, "the caller is answered")
    status, answer, _, took_ms = got[0]
    assert status == 200 and took_ms < 1500 + GRACE_MS
    answer = json.loads(answer)
    assert answer["say"] and not answer.get("booked")
    small_disk.wait(lambda: small_disk.jobs("done", op="book"), "it is through when there is room again")
    assert len(bookings_at(small_disk, slot)) == 1


def test_a_stuck_disk_does_not_hold_the_line(desk):
    warm(desk)
    slot = desk.slot()
    call = Call(desk)
    body = call.body("check_availability", spoken(slot))
    with desk.stuck_disk():
        status, _, _, took_ms = raw_body(desk, body)
        assert status == 503 and took_ms < WITHIN_MS + GRACE_MS
    quiet(desk)
    assert call.send(body)["requested_slot_available"], "who asks again hears what was found meanwhile"
    assert len(desk.events("call.function")) == 1
    assert len(desk.jobs("done", pipeline="agency/check-availability")) == 1


# ---- A plugin of our own, which dies when it is told to ---------------------------------------------------

SOURCE = HEAD + r"""
static int told(kl_call *c, const kl_inbound *in, const char *word)
{
	const kl_val *body = c->host->from_json(c, in->body);
	return has(kl_text(c, body, "do"), word);
}
static void misbehave(kl_call *c, const kl_inbound *in, const char *once, const char *ever, const char *endless)
{
	if ((c->attempt == 1 && told(c, in, once)) || told(c, in, ever))
		abort();
	for (volatile int i = told(c, in, endless); i;)
		;
}
static int normalize(kl_call *c, const kl_inbound *in)
{
	const kl_val *body = c->host->from_json(c, in->body);
	const char *names[] = {"id", "and"};
	misbehave(c, in, "normalize-once", "normalize-ever", "normalize-endless");
	for (int i = 0; i < 2; i++) {
		kl_event *e = KL_NEW(c, kl_event);
		if (!e)
			return KL_BROKEN;
		e->type = "call.function";
		e->dedupe = kl_text(c, body, names[i]);
		e->subject = KL_CAT(c, KL_LIT("call:"), e->dedupe);
		e->data = body;
		if (e->dedupe.len)
			c->host->emit(c, e);
	}
	return 0;
}
static const kl_answer *reply(kl_call *c, const kl_reply *r)
{
	static const char *const names[] = {"", "none", "done", "fallback", "repeat"};
	kl_answer *a = KL_NEW(c, kl_answer);
	misbehave(c, r->inbound, "reply-once", "reply-ever", "reply-endless");
	if (a) {
		a->kind = KL_ACCEPT;
		a->status = 200;
		a->content_type = "text/plain";
		a->body = KL_CAT(c, (kl_str){names[r->outcome], (uint32_t)strlen(names[r->outcome]), 0}, KL_LIT(":"), kl_text(c, r->result, "say"));
	}
	return a;
}
static const kl_next *step(kl_call *c, const kl_step *s)
{
	return kl_done(c, s->input);
}
static const kl_op ops[] = {{"act", KL_OP_ACTION, 0, 0, "says what it is told"}};
static const kl_route routes[] = {{"", 1500, 0, "events with somebody on the line"}};
static const kl_plugin plugin = {
	.size = sizeof(kl_plugin),
	.id = "test.klinke.line",
	.version = "1.0.0",
	.summary = "Dies when it is told to",
	.events = "call.function",
	.ops = KL_LIST(ops),
	.routes = KL_LIST(routes),
	.verify = accept_all,
	.normalize = normalize,
	.reply = reply,
	.step = step,
};
KL_PLUGIN(&plugin)
"""


@pytest.fixture
def line(world):
    """A connection whose plugin dies when it is told to, and a pipeline that answers its callers."""
    answering(world)
    put_plugin(world, "line", SOURCE)
    world.ini.add("connection line", tenant=TENANT, plugin="line", worker_timeout="400ms")
    world.ini.add("pipeline answer", on="call.function", when="data ->> 'say' is not null", within="1s",
                  step="line.act say=(data ->> 'say')", fallback=FALLBACK)
    return world


def told(world, **body):
    """(status, text, ms) of one webhook."""
    began = time.monotonic()
    status, text, _ = world.hook("line", json.dumps(body).encode(), {"Content-Type": "application/json"})
    return status, text.decode(), (time.monotonic() - began) * 1000


def test_a_worker_that_dies_on_the_answer_is_replaced_once(line):
    line.start()
    status, text, took_ms = told(line, id="1", say="Ja.", do="reply-once")
    assert (status, text) == (200, "done:Ja.") and took_ms < 1000 + GRACE_MS
    assert told(line, id="1", say="Ja.")[:2] == (200, "repeat:Ja."), "it was stored all the same"


@pytest.mark.parametrize("do", ["reply-ever", "reply-endless"])
def test_who_cannot_be_answered_is_told_so_in_time(line, do):
    line.start()
    status, text, took_ms = told(line, id="1", say="Ja.", do=do)
    assert status == 503 and "again" in text and took_ms < 1000 + GRACE_MS
    line.wait(lambda: told(line, id="2", say="Nein.")[:2] == (200, "done:Nein."), "the next one is answered")
    assert line.host.poll() is None


def test_a_worker_that_dies_while_reading_is_replaced_once(line):
    line.start()
    status, text, took_ms = told(line, id="1", say="Ja.", do="normalize-once")
    assert (status, text) == (200, "done:Ja.") and took_ms < 1500 + GRACE_MS
    assert len(line.events("call.function")) == 1


@pytest.mark.parametrize("do", ["normalize-ever", "normalize-endless"])
def test_what_cannot_be_read_is_answered_in_time_and_parked(line, do):
    line.start()
    status, text, took_ms = told(line, id="1", say="Ja.", do=do)
    assert (status, text) == (200, "none:") and took_ms < 1500 + GRACE_MS
    line.wait(lambda: [i for i in line.inbox() if i["state"] == "parked"], "it is parked")
    assert not line.events("call.function") and not line.jobs()


@pytest.mark.parametrize("do", ["normalize-ever", "normalize-endless", "reply-endless"])
def test_who_asks_beside_a_deadly_question_is_not_blamed(line, do):
    """They wait for the same worker; none of them is parked, and all get their answer, at the latest when they ask again."""
    line.start()
    told(line, id="first", say="Ja.")
    together(lambda: told(line, id="bad", say="Ja.", do=do),
             *[lambda i=i: told(line, id=str(i), say="Ja.") for i in range(12)])
    for i in range(12):
        answer = line.wait(lambda i=i: (a := told(line, id=str(i), say="Ja."))[0] == 200 and a[1], "asked again")
        assert answer.split(":")[1] in ("Ja.", FALLBACK) and not answer.startswith("none"), answer
    quiet(line)
    assert {e["dedupe"] if "dedupe" in e else e["subject"][5:] for e in line.events("call.function")} >= {
        "first", *map(str, range(12))}
    assert len([i for i in line.inbox() if i["state"] == "parked"]) == (do != "reply-endless")


def test_several_events_in_one_webhook_have_one_answer(line):
    line.start()
    assert told(line, id="1", **{"and": "2"}, say="Ja.")[:2] == (200, "done:Ja.")
    quiet(line)
    assert len(line.events("call.function")) == 2
    assert len(line.jobs()) == 1, "nobody waits for a second answer"
    assert told(line, id="1", **{"and": "2"}, say="Nein.")[:2] == (200, "repeat:Ja.")


def test_of_two_pipelines_one_answers(line):
    line.ini.add("pipeline zwei", on="call.function", when="data ->> 'say' = 'Ja.'", within="1s",
                 step="line.act say=Nein.", fallback=FALLBACK)
    line.start()
    assert told(line, id="1", say="Ja.")[:2] == (200, "done:Ja.")
    quiet(line)
    assert len(line.jobs()) == 1 and "a second pipeline" in line.log()


def test_a_condition_that_fails_is_the_fallback_and_is_parked(line):
    line.ini["pipeline answer"]["when"] = "json_extract(data ->> 'say', '$.x')"
    line.start()
    assert told(line, id="1", say="{")[:2] == (200, "fallback:" + FALLBACK)
    line.wait(lambda: line.jobs("parked"), "an operator sees it")


def test_a_replay_answers_nobody_and_begins_nothing(line):
    line.start()
    assert told(line, id="1", say="Ja.")[:2] == (200, "done:Ja.")
    assert told(line, id="2", say="Ja.", do="normalize-endless")[:2] == (200, "none:")
    parked = line.wait(lambda: [i for i in line.inbox() if i["state"] == "parked"], "it is parked")
    put_plugin(line, "line", SOURCE.replace('"normalize-endless"', '"never"'))
    line.reload()
    for row in line.inbox():
        line.klinke("replay", row["id"])
    line.wait(lambda: len(line.events("call.function")) == 2, "both are read")
    quiet(line)
    assert len(parked) == 1 and len(line.jobs()) == 1


def test_what_is_true_is_said_though_its_last_commit_is_stuck(line):
    """The calendar has answered, and only the end of the run is missing on the disk."""
    line.start_sandbox()
    slot = line.slot()
    line.ini["pipeline answer"]["step"] = "calendar.slots"
    line.ini["pipeline answer"].add("in", f"json_object('event_type', '{EVENT_TYPE}', 'from', '{slot.isoformat()}', "
                                    f"'to', '{(slot + timedelta(days=1)).isoformat()}', 'timezone', 'Europe/Berlin')")
    line.start_host()
    line.fault(**SLOTS, delay_ms=400)
    with meanwhile(lambda: told(line, id="1", say="Ja.")) as got:
        line.wait(lambda: line.jobs("ready", pipeline="agency/answer"), "it has begun")
        with line.stuck_disk():
            line.wait(lambda: got, "it is answered")
    status, text, took_ms = got[0]
    assert (status, text) == (200, "done:") and took_ms < 1000 + GRACE_MS
    line.wait(lambda: line.jobs("done", pipeline="agency/answer"), "it is stored when the disk goes on")
    assert told(line, id="1", say="Ja.")[:2] == (200, "repeat:")


def test_what_was_only_stored_is_read_after_a_restart_and_answers_nobody(line):
    line.ini["connection line"]["worker_timeout"] = "60s"
    line.start()
    status, text, took_ms = told(line, id="1", say="Ja.", do="normalize-endless")
    assert (status, text) != (200, "done:Ja.") and took_ms < 1500 + GRACE_MS
    line.wait(lambda: [i["state"] for i in line.inbox()] == ["new"], "its bytes are on disk")
    line.kill_host()
    put_plugin(line, "line", SOURCE.replace('"normalize-endless"', '"never"'))
    line.start_host()
    line.wait(lambda: line.events("call.function"), "it is read")
    quiet(line)
    assert not line.jobs()
    assert told(line, id="1", say="Ja.")[:2] == (200, "fallback:" + FALLBACK)


# ---- Reload, stop, kill -9 ----------------------------------------------------------------------------------

def slowly(world, slot, delay_ms, act=lambda: None):
    """Books while the calendar takes its time; act() is called when the calendar has been asked."""
    world.fault(**BOOKINGS, delay_ms=delay_ms)
    call = Call(world)
    body = call.body("book_appointment", book_args(slot))
    with meanwhile(lambda: cut_or(raw_body, world, body)) as got:
        sending(world)
        act()
    return call, body, got[0]


def cut_or(ask, *args):
    """Its result; None if the line was cut."""
    try:
        return ask(*args)
    except Exception:  # pylint: disable=broad-except
        return None


def test_a_reload_in_the_middle_changes_nothing_for_who_waits(desk):
    warm(desk)
    slot = desk.slot()

    def change():
        desk.ini["service kontrolle"]["title"] = "Vorsorge"
        desk.ini["pipeline book-appointment"]["fallback"] = "Etwas anderes."
        desk.reload()
        del desk.ini["pipeline book-appointment"]
        desk.reload()
    _, _, (status, answer, _, _) = slowly(desk, slot, 900, change)
    assert status == 200 and json.loads(answer)["booked"] is True, answer
    assert Call(desk).ask("list_services")["say"].count("Vorsorge") == 1
    assert len(bookings_at(desk, slot)) == 1


def test_many_reloads_while_many_ask(desk):
    warm(desk)
    over = threading.Event()

    def reload():
        for i in range(12):
            desk.ini["service kontrolle"]["price"] = f"{i + 1},00 EUR"
            desk.reload()
        over.set()

    def ask(n):
        asked = 0
        while not over.is_set():
            call = Call(desk, caller=f"+4917139201{n:02}")
            assert call.ask("check_availability", **spoken(desk.slots[20 + n]))["success"] is not None
            assert call.took_ms < WITHIN_MS + GRACE_MS
            asked += 1
        return asked
    desk.slot()
    results = together(reload, *[lambda n=n: ask(n) for n in range(4)])
    assert all(results[1:]), results
    assert desk.host.poll() is None


def test_who_is_on_the_line_is_answered_before_the_host_stops(desk):
    """drain_timeout is one second; the calendar takes longer."""
    warm(desk)
    slot = desk.slot()
    ended = []
    _, _, got = slowly(desk, slot, 4000, lambda: ended.append(desk.stop_host()))
    assert ended == [0]
    assert got, "the line was cut without a word"
    status, answer, _, _ = got
    assert status == 200 and "vorgemerkt" in json.loads(answer)["say"], answer
    desk.start_host()
    desk.wait(lambda: desk.jobs("done", op="book"), "it is through after the start")
    assert len(bookings_at(desk, slot)) == 1


def test_kill_9_begins_nothing_that_nobody_waits_for(line):
    """The step was to begin when the host died: whoever asked has heard by now that it failed."""
    line.ini["pipeline answer"].pairs[:0] = [("step", "calendar.book"), (
        "in", f"json_object('event_type', '{EVENT_TYPE}', 'start', data ->> 'start', 'name', 'Jana Berger', 'phone', '{CALLER}', "
              "'timezone', 'Europe/Berlin', 'language', 'de', 'fields', json_object('versicherung', 'gesetzlich'))")]
    line.start()
    slot = line.slot()
    line.workers("calcom_v2")[0].kill(signal.SIGSTOP)
    body = {"id": "1", "say": "Ja.", "start": slot.isoformat()}
    with meanwhile(lambda: cut_or(lambda: told(line, **body))) as got:
        line.wait(lambda: line.jobs("ready"), "it is stored and has begun")
        line.kill_host()
    assert got == [None]
    line.start_host()
    job, = line.wait(lambda: line.jobs("dropped"), "it is let go")
    assert "line" in job["reason"] and not line.bookings()
    assert told(line, **body)[1].startswith("fallback:"), "asked again it is the same question"
    assert not line.bookings()


def test_kill_9_while_a_read_is_late(desk):
    slot = desk.slot()
    desk.fault(**SLOTS, delay_ms=1500)
    call = Call(desk)
    assert call.ask("check_availability", **spoken(slot)).get("availability_checked") is not True
    desk.kill_host()
    desk.start_host()
    quiet(desk)
    assert call.ask("check_availability", **spoken(slot))["requested_slot_available"] is True


# ---- What comes late -------------------------------------------------------------------------------------------

def running(world):
    """The id of a call that is in progress at the vendor."""
    return world.control("/retell/inbound", {"pick_up": True, "from_number": CALLER})["call_id"]


def late_pushes(world):
    del world.ini["pipeline ring"]  # it would read ahead
    world.ini["pipeline check-availability"]["late"] = (
        "phone.update_call call_id=(call ->> 'call_id') context=(result ->> 'say') "
        "variables=(json_object('available_slots', result ->> 'available_slots'))")
    return world


def in_call(world, call_id, slot):
    call = Call(world)
    call.id = call_id
    return call.ask("check_availability", **spoken(slot))


def test_a_late_answer_is_pushed_into_the_call(world):
    late_pushes(answering(world)).start()
    slot, call = world.slot(), running(world)
    quiet(world)
    world.fault(**SLOTS, delay_ms=900)
    assert in_call(world, call, slot).get("availability_checked") is not True
    pushed, = world.wait(lambda: world.effects()["live_updates"].get(call), "it is pushed")
    clock = slot.strftime("%H:%M")
    assert clock in pushed["call_control"]["additional_context"]
    assert clock in pushed["fields_to_override"]["override_dynamic_variables"]["available_slots"]
    quiet(world)
    assert len(world.effects()["live_updates"][call]) == 1


def test_what_was_heard_is_not_pushed(world):
    late_pushes(answering(world)).start()
    slot, call = world.slot(), running(world)
    assert in_call(world, call, slot)["availability_checked"] is True
    quiet(world)
    assert not world.effects()["live_updates"].get(call)


def test_kill_9_pushes_nothing_later(world):
    late_pushes(answering(world)).start()
    slot, call = world.slot(), running(world)
    quiet(world)
    world.fault(**SLOTS, delay_ms=1500)
    in_call(world, call, slot)
    world.kill_host()
    world.start_host()
    quiet(world)
    assert not world.effects()["live_updates"].get(call)


def test_what_comes_after_the_call_is_let_go(world):
    """A call that is over hears nothing; that is nobody's fault, and nothing for a person to look at."""
    late_pushes(answering(world)).start()
    slot, call = world.slot(), running(world)
    quiet(world)
    world.fault(**SLOTS, delay_ms=1500)
    in_call(world, call, slot)
    world.control("/retell/hangup", {"call_id": call})
    job, = world.wait(lambda: world.jobs("dropped", "parked", "dead", op="update_call"), "it is over")
    assert (job["state"], job["fail"]) == ("dropped", "gone")
    assert not world.effects()["live_updates"].get(call)


def test_asked_twice_at_once_both_hear_the_same_late_word(desk):
    desk.ini["pipeline book-appointment"]["within"] = "700ms"
    desk.reload()
    warm(desk)
    slot = desk.slot()
    desk.fault(**BOOKINGS, delay_ms=1500)
    body = Call(desk).body("book_appointment", book_args(slot))
    answers = together(*[lambda: json.loads(raw_body(desk, body)[1]) for _ in range(3)])
    assert all("vorgemerkt" in a["say"] for a in answers), answers
    assert answers[0] == answers[1] == answers[2] == json.loads(raw_body(desk, body)[1])


# ---- Two offices --------------------------------------------------------------------------------------------------

NORTH, SOUTH = "nord", "sued"
NUMBER = {NORTH: "+493011111111", SOUTH: "+498922222222"}
TYPE = {NORTH: "310455", SOUTH: "310456"}


@pytest.fixture
def agency(world):
    """Phone and calendar are the agency's and serve two offices."""
    ini, sandbox = world.ini, f"127.0.0.1:{world.sandbox_port}"
    for kind in ("tenant", "connection", "mapping", "pipeline"):
        ini.drop(kind)
    ini.add("connection phone", plugin="retell", api_key="${RETELL_API_KEY}", base_url=f"http://{sandbox}/retell")
    ini.add("connection calendar", plugin="calcom_v2", api_key="${CALCOM_API_KEY}",
            webhook_secret="${CALCOM_WEBHOOK_SECRET}", base_url=f"http://{sandbox}/calcom/v2")
    for tenant in (NORTH, SOUTH):
        ini.add(f"tenant {tenant}", timezone="Europe/Berlin", language="de", numbers=NUMBER[tenant],
                event_types=TYPE[tenant])
        ini.add(f"desk {tenant}", calendar="calendar", refresh="0")
        ini.add(f"service wunsch{' ' * (tenant == SOUTH)}", tenant=tenant, title=f"Termin {tenant}", duration="30m",
                event_type=TYPE[tenant])
    for name, op in (("check_availability", "offer"), ("book_appointment", "book"), ("cancel_appointment", "cancel"),
                     ("find_appointments", "find"), ("request_callback", "callback"), ("list_services", "services")):
        extra = " fields=(json_object('versicherung', 'gesetzlich'))" if op == "book" else ""
        ini.add(f"pipeline {name.replace('_', '-')}", on="call.function", when=f"data ->> 'name' = '{name}'",
                within="4s", step=f"desk.{op}{extra}", fallback=FALLBACK)
    return world


class AgencyCall(Call):
    def send(self, body, route="phone/function"):
        status, answer, _, _ = raw_body(self.world, body, route, "agency")
        assert status == 200, (status, answer)
        return json.loads(answer)


def at(world, tenant, caller=CALLER):
    return AgencyCall(world, caller=caller, to=NUMBER[tenant])


def test_each_office_books_its_own_with_the_agencys_calendar(agency):
    agency.start()
    slot = agency.slot()
    answer = at(agency, NORTH).ask("book_appointment", **book_args(slot))
    assert answer["booked"] is True, answer
    assert {j["tenant"] for j in agency.jobs(op="book")} == {NORTH}
    assert at(agency, NORTH).ask("find_appointments")["appointments"]
    assert not at(agency, SOUTH).ask("find_appointments").get("appointments"), "the same caller, another office"


def test_ids_of_another_office_are_unknown(agency):
    agency.start()
    slot = agency.slot()
    booked = at(agency, NORTH).ask("book_appointment", **book_args(slot))
    for args in ({"event_type_id": TYPE[NORTH]}, {"event_type_id": int(TYPE[NORTH])}, {"service": "Termin nord"}):
        for name in ("check_availability", "book_appointment"):
            answer = at(agency, SOUTH).ask(name, **{**book_args(slot), **args})
            assert "nord" not in json.dumps(answer) and not answer.get("booked"), answer
    for args in ({"uid": booked["uid"]}, {"booking_uid": booked["uid"]}, spoken(slot)):
        answer = at(agency, SOUTH).ask("cancel_appointment", name="Jana Berger", **args)
        assert answer["success"] is False, answer
    assert [b["uid"] for b in bookings_at(agency, slot)] == [booked["uid"]] and len(agency.bookings()) == 1
    assert "Termin nord" not in at(agency, SOUTH).ask("list_services")["say"]


def test_one_event_type_of_two_offices_is_read_for_each(agency):
    """A read that is under way is shared, but never with another office: what it finds is its own."""
    agency.ini["service wunsch "]["event_type"] = TYPE[NORTH]
    agency.start()
    slot = agency.slot()
    before = len(agency.requests("calcom_v2", "*/v2/slots*"))
    agency.fault(**SLOTS, delay_ms=300, count=2)
    answers = together(*[lambda t=t: at(agency, t).ask("check_availability", **spoken(slot)) for t in (NORTH, SOUTH)])
    assert all(a["availability_checked"] for a in answers), answers
    assert {j["tenant"] for j in agency.jobs("done", op="slots")} == {NORTH, SOUTH}
    assert len(agency.requests("calcom_v2", "*/v2/slots*")) == before + 2


def test_calls_with_one_id_at_two_offices_are_two_calls(agency):
    agency.start()
    for tenant in (NORTH, SOUTH):
        call = at(agency, tenant)
        call.id = "call_of_both"
        call.tools = 7 if tenant == NORTH else 8
        assert call.ask("request_callback", name="Jana Berger")["callback_noted"] is True
    events = agency.wait(lambda: len(e := agency.events("callback.requested")) == 2 and e, "both offices learn of it")
    assert {e["tenant"] for e in events} == {NORTH, SOUTH}


# ---- Many at once ---------------------------------------------------------------------------------------------------

def test_a_storm_does_not_keep_callers_waiting(desk):
    """Webhooks of all kinds come as fast as they can; who asks is answered, and nothing is refused."""
    warm(desk)
    desk.slot()
    refused, over = [], threading.Event()

    def storm(n):
        sent = 0
        while not over.is_set():
            body = call_body(f"storm-{n}-{sent}")
            status = desk.hook("phone", body, retell_headers(body))[0]
            if not 200 <= status < 300:
                refused.append(status)
            sent += 1
        return sent

    def ask():
        took = []
        for i in range(30):
            call = Call(desk, caller=f"+4917139202{i:02}")
            assert call.ask("check_availability", **spoken(desk.slots[i]))["availability_checked"] is True
            took.append(call.took_ms)
        over.set()
        return took
    took, *sent = together(ask, *[lambda n=n: storm(n) for n in range(12)])
    assert not refused and all(sent)
    assert max(took) < WITHIN_MS + GRACE_MS, sorted(took)[-5:]
    desk.wait(lambda: not desk.status()["webhooks_waiting"], "all are read")
    assert len(desk.events("call.ended")) == sum(sent)


@pytest.mark.parametrize("end", ["kill_host", "stop_host"])
def test_a_storm_that_is_cut_short_leaves_nothing_unread(world, end):
    """What was acknowledged is read after the next start, although in a rush it had to wait."""
    answering(world).start()
    over = threading.Event()

    def storm(n):
        sent = []
        while not over.is_set():
            id_ = f"cut-{n}-{len(sent)}"
            body = call_body(id_)
            answer = cut_or(world.hook, "phone", body, retell_headers(body))
            if not answer or answer[0] == 503:
                break
            assert 200 <= answer[0] < 300, answer
            sent.append(id_)
        return sent

    def cut():
        world.wait(lambda: len(world.events("call.ended")) > 200, "it is in full swing")
        getattr(world, end)()
        over.set()
    _, *sent = together(cut, *[lambda n=n: storm(n) for n in range(32)])
    world.start_host()
    world.wait(lambda: not world.status()["webhooks_waiting"], "all are read")
    read = [e["subject"] for e in world.events("call.ended")]
    assert len(read) == len(set(read)) and {f"call:{i}" for one in sent for i in one} <= set(read)


def test_many_slow_questions_at_once_stop_nothing_else(desk):
    """Each waits for the calendar as long as it may; everybody is answered in time, and other work goes on."""
    warm(desk)
    desk.slot()
    desk.ini["pipeline book-appointment"]["within"] = "3s"
    desk.ini.add("pipeline told", on="call.ended", step="phone.call call_id=(data ->> 'call_id')")
    desk.reload()
    desk.fault(**BOOKINGS, delay_ms=10000, count=0)

    def ask(i):
        call = Call(desk, caller=f"+491713922{i:03}")
        answer = call.ask("book_appointment", **book_args(desk.slots[i % len(desk.slots)]))
        return call.took_ms, answer
    with ThreadPoolExecutor(160) as pool:
        asked = [pool.submit(ask, i) for i in range(160)]
        desk.wait(lambda: desk.metrics()["klinke_jobs_running"] > 100, "they wait")
        ended = desk.ring()
        desk.wait(lambda: [j for j in desk.jobs("done", op="call") + desk.jobs("done")
                           if j.get("subject") == f"call:{ended}"], "other work goes on")
        waiting = sum(not a.done() for a in asked)
        answers = [a.result() for a in asked]
    assert waiting > 0, "they were waiting still"
    assert max(ms for ms, _ in answers) < 3000 + 8 * GRACE_MS, "160 clients on one machine are late themselves"
    assert not any(a.get("booked") for _, a in answers)


def test_runs_that_wait_for_a_dead_calendar_stop_nothing_else(world):
    """Bookings after the call, by the desk, while the calendar is away: more of them than may run at once."""
    answering(world)
    world.ini["connection calendar"]["retry_base"] = "30s"
    world.ini["connection calendar"]["retry_cap"] = "60s"
    world.ini["connection calendar"]["breaker_volume"] = "100000"
    world.ini["service kontrolle"]["capacity"] = "300"  # so that all have room at one time
    world.ini.add("pipeline after", on="call.analyzed", step="desk.book",
                  **{"in": "json_object('name', 'Jana Berger', 'slot', data ->> '$.fields.datum_termin')"})
    world.start()
    warm(world)
    world.slot()
    world.fault(**BOOKINGS, status=429, body={}, count=0)
    bodies = [call_body(f"dead-{i}", "call_analyzed", from_number=f"+491713923{i:03}", call_analysis={
        "custom_analysis_data": {"_datum__termin": world.slots[i % 60].isoformat()}})
        for i in range(300)]
    with ThreadPoolExecutor(16) as pool:
        assert set(pool.map(lambda b: world.hook("phone", b, retell_headers(b))[0], bodies)) == {204}
    world.wait(lambda: not world.status()["webhooks_waiting"], "all are read")
    world.wait(lambda: len(world.jobs("ready", op="book", fail="busy")) > 256, "the calendar has put them off")
    world.ini.add("pipeline told", on="call.ended", step="phone.agents")
    world.reload()
    body = call_body("alive")
    assert world.hook("phone", body, retell_headers(body))[0] == 204
    world.wait(lambda: world.jobs("done", pipeline="agency/told"), "other work goes on")
