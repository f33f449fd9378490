"""A call in progress, the vendor's side with a real host: the phone rings, the agent asks, words come and go.

What pipelines answer is not judged here but what every answer must be: in time, signed for, well-formed, once.
"""
import copy
import json

import pytest

from hooks_kit import lasting_world, retell_headers
from world import CALLER, TENANT, wait

LONG_AGO_MS = 5 * 60000  # polls leave the last minute to the webhooks


def prepare(world):
    world.ini.drop("pipeline")
    world.start()


office = lasting_world(prepare)


def ring(world, **wanted):
    return world.control("/retell/inbound", {"pick_up": True, **wanted})


def ask(world, call, name="check_availability", args=None, **more):
    answer = world.control("/retell/function", {"call_id": call, "name": name, "args": args or {}, **more})
    assert answer["status"] == 200, answer
    said = json.loads(answer["body"])
    assert isinstance(said["success"], bool) and said["say"]
    return answer


def of_call(world, type_, call):
    return [e for e in world.events(type_) if e.get("subject") == f"call:{call}"]


def data_of(world, event):
    return next(e["data"] for e in world.show(event["id"])["events"] if e["id"] == event["id"])


def asked(world, call, count):
    """The data of all questions of a call, when that many are there and nothing is left to read."""
    wait(lambda: not world.status()["webhooks_waiting"] and len(of_call(world, "call.function", call)) >= count,
         f"{count} questions are events")
    found = [data_of(world, e) for e in of_call(world, "call.function", call)]
    assert len(found) == count, found
    return found


# ---- The phone rings ------------------------------------------------------------------------------------

def test_a_ringing_phone_is_answered_before_anything_else_happens(office):
    answer = ring(office, from_number=CALLER)
    assert answer["outcome"] == "answered" and answer["understood"] and answer["faults"] == []
    assert len(answer["tries"]) == 1
    event = wait(lambda: of_call(office, "call.inbound", answer["call_id"]), "the ringing is an event")[0]
    assert event["data"]["from"] == CALLER


def test_a_withheld_number_is_nobody(office):
    answer = ring(office, withheld=True)
    assert answer["outcome"] == "answered" and answer["understood"]
    event = wait(lambda: of_call(office, "call.inbound", answer["call_id"]), "the ringing is an event")[0]
    data = data_of(office, event)
    assert data["from_raw"] == "anonymous" and "from" not in data
    ask(office, answer["call_id"], args={"telefonnummer": "caller_number", "from_number": "+491700000001"})
    question, = asked(office, answer["call_id"], 1)
    assert question["from_raw"] == "anonymous" and "from" not in question


def inbound_body(**call):
    return json.dumps({"event": "call_inbound", "event_timestamp": 1795511521902,
                       "call_inbound": {"to_number": "+493023125010", **call}}).encode()


@pytest.mark.parametrize("call", [{"call_id": "call_twice", "from_number": CALLER},
                                  {"from_number": "+491713920051"}], ids=["id", "numbers and time"])
def test_ringing_again_for_the_same_call_is_one_event(office, call):
    answers = []
    for _ in range(3):
        body = inbound_body(**call)
        status, answer, _ = office.hook("phone/inbound", body, retell_headers(body))
        answers.append((status, json.loads(answer)))
    assert answers == [(200, {"call_inbound": {}})] * 3
    wait(lambda: not office.status()["webhooks_waiting"], "all are read")
    same = [e for e in office.events("call.inbound") if e["data"].get("from") == call["from_number"]
            and e.get("subject") == (f"call:{call['call_id']}" if "call_id" in call else None)]
    assert len(same) == 1


# ---- The agent asks -----------------------------------------------------------------------------------------

def test_the_same_question_later_is_a_question_of_its_own(office):
    call = ring(office)["call_id"]
    for line in ("Geht Donnerstag?", "Und jetzt noch einmal?"):
        office.control("/retell/say", {"call_id": call, "lines": [["user", line]], "event": False})
        ask(office, call, args={"service": "Kontrolle"})
    first, second = asked(office, call, 2)
    assert first["args"] == second["args"] and first["tool_call_id"] != second["tool_call_id"]


def test_the_same_question_later_without_tool_call_ids_in_sight(office):
    """The vendor may leave the invocation in progress out of the transcript: then what was said tells."""
    call = ring(office)["call_id"]
    for line in ("Geht Donnerstag?", "Und jetzt noch einmal?"):
        office.control("/retell/say", {"call_id": call, "lines": [["user", line]], "event": False})
        body = {"name": "check_availability", "args": {"service": "Kontrolle"},
                "call": {k: v for k, v in office.control("/things/call")["things"][-1].items()
                         if k != "transcript_with_tool_calls"}}
        raw = json.dumps(body).encode()
        for _ in range(2):  # and its repeat
            assert office.hook("phone/function", raw, retell_headers(raw))[0] == 200
    asked(office, call, 2)


def test_an_http_repeat_is_the_same_question(office):
    call = ring(office)["call_id"]
    body = {"name": "book_appointment_v17", "args": {"start": "Donnerstag 17:15"}, "call": {
        "call_id": call, "call_status": "ongoing", "direction": "inbound", "from_number": CALLER,
        "to_number": "+493023125010", "start_timestamp": 1795511524118, "transcript_with_tool_calls": [
            {"role": "tool_call_invocation", "tool_call_id": "tool_call_1", "name": "book_appointment_v17",
             "arguments": json.dumps({"start": "Donnerstag 17:15"})}]}}
    again = copy.deepcopy(body)
    again["call"]["transcript_with_tool_calls"].append({"role": "user", "content": "Hallo?"})
    answers = []
    for one in (body, again):
        raw = json.dumps(one).encode()
        answers.append(office.hook("phone/function", raw, retell_headers(raw))[:2])
    assert answers[0] == answers[1] and answers[0][0] == 200
    question, = asked(office, call, 1)
    assert (question["name"], question["function"]) == ("book_appointment", "book_appointment_v17")


def test_who_calls_is_the_envelopes_to_say(office):
    call = ring(office, from_number="+491713920044")["call_id"]
    lies = {"call_id": "current_call", "from_number": "+491700000001", "phone": "caller_number", "agent_id": "None",
            "direction": "outbound", "start_timestamp": 1}
    ask(office, call, "find_appointments", lies)
    question, = asked(office, call, 1)
    assert question["args"] == lies, "kept as they were filled in"
    record = office.control("/things/call")["things"][-1]
    assert (question["call_id"], question["from"], question["to"]) == (call, "+491713920044", "+493023125010")
    assert (question["agent"], question["direction"]) == (record["agent_id"], "inbound")
    assert question["started_ms"] == record["start_timestamp"]


@pytest.mark.parametrize("method, at_root", [("POST", True), ("GET", False)])
def test_args_only_says_who_calls_in_its_url(office, method, at_root):
    call = ring(office)["call_id"]
    ask(office, call, "list_services", {"q": "x"}, args_at_root=at_root, method=method)
    question, = asked(office, call, 1)
    assert (question["name"], question["from"], question["to"]) == ("list_services", CALLER, "+493023125010")
    assert question["args"] == ({"q": "x"} if at_root else {})


@pytest.mark.parametrize("args", [{}, {"date": "2023-06-13"}, {"date": "31. Juni", "time": "25 Uhr"}, {"x": "ä" * 10000},
                                  {"wish": "😀" * 50}, {"deep": {"a": [[[[[]]]]]}}],
                         ids=["none", "long ago", "no date", "long", "emoji", "deep"])
def test_absurd_arguments_are_no_error(office, args):
    call = ring(office)["call_id"]
    ask(office, call, "no_such_function", args)


# ---- Words come, words go -------------------------------------------------------------------------------------

def test_words_are_events_while_they_are_spoken(office):
    call = ring(office)["call_id"]
    for line in (["agent", "Guten Tag."], ["user", "Termin bitte."], ["agent", "Wann?"]):
        office.control("/retell/say", {"call_id": call, "lines": [line]})
    wait(lambda: len(of_call(office, "call.transcript", call)) == 3, "three updates")
    told = sorted((data_of(office, e) for e in of_call(office, "call.transcript", call)), key=lambda d: d["turns"])
    assert [d["turns"] for d in told] == [1, 2, 3]
    assert told[-1]["transcript"] == "Agent: Guten Tag.\nUser: Termin bitte.\nAgent: Wann?\n"
    assert {d["status"] for d in told} == {"ongoing"}


def test_a_long_talk_is_told_by_its_end(office):
    call = ring(office)["call_id"]
    office.control("/retell/say", {"call_id": call, "lines": [["user", f"{n} " + "ä" * 200] for n in range(100)]})
    event = wait(lambda: of_call(office, "call.transcript", call), "the update")[0]
    data = data_of(office, event)
    assert data["turns"] == 100 and data["transcript_shortened"] is True
    assert data["transcript"].startswith("User: ") and data["transcript"].endswith("99 " + "ä" * 200 + "\n")
    assert len(data["transcript"].encode()) <= 16384


def test_variables_and_words_reach_a_running_call(office):
    call = ring(office)["call_id"]
    done = office.call(f"{TENANT}/phone.update_call", {
        "call_id": call, "variables": {"next_free_slots": "18:00 Uhr", "count": 2}, "context": "17:15 ist vergeben."})
    assert done["updated"] is True
    pushed, = office.effects()["live_updates"][call]
    assert pushed == {
        "fields_to_override": {"override_dynamic_variables": {"next_free_slots": "18:00 Uhr", "count": "2"}},
        "call_control": {"additional_context": "17:15 ist vergeben."}}
    office.control("/retell/hangup", {"call_id": call})
    late = office.call(f"{TENANT}/phone.update_call", {"call_id": call, "variables": {"a": "b"}}, check=False)
    assert late["fail"] == "gone" and len(office.effects()["live_updates"][call]) == 1


def test_words_whose_answer_was_lost_are_not_said_twice(office):
    call = ring(office)["call_id"]
    office.fault(vendor="retell", path="/retell/v2/update-live-call/*", close_after=True)
    done = office.call(f"{TENANT}/phone.update_call", {"call_id": call, "context": "17:15 ist vergeben."})
    assert done["updated"] is True
    assert len(office.effects()["live_updates"][call]) == 1, "found in the call's own transcript"


# ---- Calls that hang ------------------------------------------------------------------------------------------------

def hangs(world, **more):
    """A call whose beginning was told and whose end was not."""
    call = ring(world)["call_id"]
    wait(lambda: of_call(world, "call.started", call), "it has begun")
    world.fault(event="call_*", lose=True, count=2)
    world.control("/retell/hangup", {"call_id": call, **more})
    assert not world.faults_left() and not of_call(world, "call.ended", call)
    return call


def test_a_poll_closes_a_call_whose_end_nobody_told(world):
    world.ini["connection phone"]["poll_calls"] = "1s"
    world.start()
    wait(lambda: world.jobs("done", op="poll_calls"), "the first poll is done")
    call = ring(world)["call_id"]
    wait(lambda: of_call(world, "call.started", call), "it has begun")
    started = world.control("/things/call")["things"][-1]["start_timestamp"]
    world.fault(event="call_*", lose=True, count=2)
    world.control("/retell/hangup", {"call_id": call, "call": {
        "start_timestamp": started - LONG_AGO_MS - 60000, "end_timestamp": started - LONG_AGO_MS}})
    assert not world.faults_left()
    analyzed = wait(lambda: of_call(world, "call.analyzed", call), "a poll finds its end")
    ended, = of_call(world, "call.ended", call)
    assert "inbox" not in ended and "inbox" not in analyzed[0]
    data = data_of(world, ended)
    assert (data["status"], data["class"], data["from"]) == ("ended", "completed", CALLER)
    polls = len(world.jobs("done", op="poll_calls"))
    wait(lambda: len(world.jobs("done", op="poll_calls")) >= polls + 2, "it goes on polling")
    assert len(of_call(world, "call.ended", call)) == len(of_call(world, "call.analyzed", call)) == 1


def test_a_call_that_no_list_shows_is_closed_by_looking_at_it(office):
    """Cut by a fault over there, it has no end: lists by end cannot show it."""
    call = hangs(office, disconnection_reason="error_retell", call={"end_timestamp": None})
    listed = office.call(f"{TENANT}/phone.calls", {"filter": {"end_timestamp": {
        "type": "range", "op": "bt", "value": [0, 4102444800000]}}})
    assert call not in json.dumps(listed)
    told = office.call(f"{TENANT}/phone.call", {"call_id": call, "emit": True})
    assert told["status"] == "error"
    ended = wait(lambda: of_call(office, "call.ended", call), "its end is an event")[0]
    assert data_of(office, ended)["class"] == "failed"
    wait(lambda: of_call(office, "call.analyzed", call), "and its analysis")
    office.call(f"{TENANT}/phone.call", {"call_id": call, "emit": True})
    wait(lambda: not office.status()["webhooks_waiting"], "all is read")
    assert len(of_call(office, "call.ended", call)) == len(of_call(office, "call.analyzed", call)) == 1


def test_looking_at_a_call_that_goes_on_ends_nothing(office):
    call = ring(office)["call_id"]
    assert office.call(f"{TENANT}/phone.call", {"call_id": call, "emit": True})["status"] == "ongoing"
    assert not of_call(office, "call.ended", call)


def test_the_end_that_comes_after_all_is_a_repeat(office):
    call = ring(office)["call_id"]
    office.fault(event="call_*", delay_ms=60000, count=2)
    office.control("/retell/hangup", {"call_id": call})
    office.call(f"{TENANT}/phone.call", {"call_id": call, "emit": True})
    wait(lambda: of_call(office, "call.analyzed", call), "found by looking")
    record = office.control("/things/call")["things"][-1]
    for event in ("call_ended", "call_analyzed"):
        raw = json.dumps({"event": event, "call": record}).encode()
        assert office.hook("phone", raw, retell_headers(raw))[0] == 204
    wait(lambda: not office.status()["webhooks_waiting"], "both are read")
    assert len(of_call(office, "call.ended", call)) == len(of_call(office, "call.analyzed", call)) == 1


# ---- The older answer ---------------------------------------------------------------------------------------------------

def test_the_older_shape_is_an_option(world):
    world.ini.drop("pipeline")
    world.ini["connection phone"]["inbound_answer"] = "predecessor"
    world.start()
    answer = ring(world)
    assert json.loads(answer["body"]) == {"response": {}}
    assert answer["outcome"] == "answered" and not answer["understood"], "the vendor itself knows no such answer"


def test_a_shape_that_does_not_exist_is_told(world):
    world.ini["connection phone"]["inbound_answer"] = "predecesor"
    done = world.klinke("check", check=False)
    assert done.returncode != 0 and "inbound_answer" in done.stderr + done.stdout
    assert "documented" in done.stderr + done.stdout
