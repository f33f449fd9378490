"""The sandbox's Retell, seen from outside: calls that were, and calls in progress.

Uses no part of klinke. Every wait is for a condition, never for time to pass.
"""
import json
import socket

import pytest

from sandbox_kit import box, check_retell_signature, listener  # noqa: F401


def test_a_played_call_sends_three_signed_events(box, listener):
    played = box.control("/retell/call", {
        "from_number": "+491713920042", "metadata": {"tenant": "praxis"},
        "custom_analysis_data": {"_datum__termin": "Donnerstag nach 16 Uhr"}})
    for _, headers, body, _ in listener.wait(3, "/retell"):
        check_retell_signature(headers, body)
    calls = {e["event"]: e["call"] for e in listener.events("/retell")}
    assert set(calls) == {"call_started", "call_ended", "call_analyzed"}
    assert "call_analysis" not in calls["call_ended"]
    assert "Tschüß" in calls["call_ended"]["transcript"]
    assert calls["call_analyzed"]["call_analysis"]["custom_analysis_data"] == {
        "_datum__termin": "Donnerstag nach 16 Uhr"}
    status, kept = box.retell("GET", "/v2/get-call/" + played["call_id"])
    assert status == 200 and kept["call_status"] == "ended"
    assert kept["metadata"] == {"tenant": "praxis"}


def test_a_call_that_never_connected_has_no_start(box, listener):
    box.control("/retell/call", {"direction": "outbound", "disconnection_reason": "dial_no_answer",
                                 "events": ["call_ended"]})
    event = json.loads(listener.wait(1, "/retell")[0][2])
    assert event["call"]["call_status"] == "not_connected"
    assert "start_timestamp" not in event["call"]


def test_a_live_call_takes_updates_until_it_ends(box):
    call = box.control("/retell/call", {"events": ["call_started"]})["call_id"]
    path = "/v2/update-live-call/" + call
    update = {"fields_to_override": {"override_dynamic_variables": {"slots": "18:00"}},
              "call_control": {"additional_context": "17:15 ist vergeben",
                               "trigger_response": True}}
    assert box.retell("PATCH", path, update) == (200, {"success": True})
    assert box.retell("PATCH", path, {"fields_to_override": {"x": 1}})[0] == 400
    numbers = {"fields_to_override": {"override_dynamic_variables": {"n": 3}}}
    assert box.retell("PATCH", path, numbers)[0] == 400
    kept = box.retell("GET", "/v2/get-call/" + call)[1]
    assert kept["retell_llm_dynamic_variables"] == {"slots": "18:00"}
    assert box.control("/effects")["live_updates"] == {call: [update]}
    assert box.retell("POST", "/v2/stop-call/" + call)[0] == 204
    assert box.retell("PATCH", path, update)[0] == 422


def test_calls_are_listed_by_filter_and_page(box):
    ids = [box.control("/retell/call", {"call_id": f"call_{i}", "duration_ms": 60000 * (i + 1),
                                        "metadata": {"tenant": "ab"[i % 2]}})["call_id"]
           for i in range(4)]
    ask = {"filter_criteria": {"metadata": [{"key": "tenant", "type": "string", "op": "eq",
                                             "value": "a"}]}, "sort_order": "ascending"}
    found = box.retell("POST", "/v3/list-calls", ask)[1]
    assert [c["call_id"] for c in found["items"]] == [ids[2], ids[0]]
    assert "transcript" not in found["items"][0] and found["has_more"] is False
    page = box.retell("POST", "/v3/list-calls", {"limit": 3, "include_total": True})[1]
    assert page["has_more"] is True and page["total"] == 4
    last = box.retell("POST", "/v3/list-calls", {"limit": 3, "pagination_key":
                                                 page["pagination_key"]})[1]
    assert len(last["items"]) == 1
    both = {"skip": 1, "pagination_key": page["pagination_key"]}
    assert box.retell("POST", "/v3/list-calls", both)[0] == 400
    assert box.retell("POST", "/v3/list-calls", {"filter_criteria": {"nonsense": {}}})[0] == 400


def test_agents_and_what_retell_has_removed(box):
    agents = box.retell("POST", "/v2/list-agents?limit=10", {})[1]["items"]
    found = box.retell("GET", f"/get-agent/{agents[0]['agent_id']}?version=14")[1]
    assert found["language"] == "de-DE" and "general_prompt" not in found
    engine = found["response_engine"]
    assert "general_prompt" in box.retell("GET", "/get-retell-llm/" + engine["llm_id"])[1]
    assert box.retell("GET", "/get-agent/agent_unknown")[0] == 422
    for gone in (("GET", "/list-agents"), ("POST", "/v2/list-calls"), ("GET", "/v1/get-call/x")):
        assert box.retell(*gone)[0] == 404
    assert box.call("GET", "/retell/get-api-key-info")[0] == 401
    assert box.retell("GET", "/get-api-key-info")[1]["org_name"] == "Praxis Am Lindenhof"


# ---- Retell: a call in progress -------------------------------------------------------------

AGENT = "agent_5d1f0a9be37c4426a81b6e90c2"
FUNCTION = {"name": "check_availability", "args": {"service": "Prophylaxe"}}


def ring(box, **wanted):
    return box.control("/retell/inbound", {"pick_up": True, **wanted})


def call_of(box, call_id):
    return box.retell("GET", "/v2/get-call/" + call_id)[1]


def test_the_phone_rings_and_the_answer_has_its_effects(box, listener):
    box.control("/things/agent/agent_mitte", {"agent_id": "agent_mitte", "agent_name": "Mitte",
                                              "version": 3}, "PUT")
    listener.bodies["/retell/inbound"] = {"call_inbound": {
        "override_agent_id": "agent_mitte", "metadata": {"ref": "in-1"},
        "dynamic_variables": {"caller_name": "Jana Berger", "caller_known": "true"}}}
    answer = ring(box, from_number="+491713920042", custom_sip_headers={"x-branch": "mitte"})
    assert (answer["status"], answer["outcome"], answer["understood"]) == (200, "answered", True)
    assert answer["faults"] == [] and len(answer["tries"]) == 1 and answer["ms"] > 0
    assert (answer["agent_id"], answer["agent_version"]) == ("agent_mitte", 3)
    _, headers, body, _ = listener.wait(1, "/retell/inbound")[0]
    check_retell_signature(headers, body)
    asked = json.loads(body)
    assert asked["event"] == "call_inbound" and asked["event_timestamp"] > 0
    assert asked["call_inbound"] == {
        "call_id": answer["call_id"], "agent_id": AGENT, "agent_version": 14,
        "from_number": "+491713920042", "to_number": "+493023125010",
        "custom_sip_headers": {"x-branch": "mitte"}}
    call = call_of(box, answer["call_id"])
    assert (call["call_status"], call["agent_id"]) == ("ongoing", "agent_mitte")
    assert call["retell_llm_dynamic_variables"] == answer["dynamic_variables"]
    box.control("/hooks/wait", {})
    started = next(e for e in listener.events("/retell") if e["event"] == "call_started")
    assert started["call"]["metadata"] == {"ref": "in-1"}


@pytest.mark.parametrize("given, faults", [
    ({"response": {"agent_id": AGENT, "dynamic_variables": {"a": "b"}}}, ""),
    ({"dynamic_variables": {"a": "b"}}, ""),
    ("<html>", "no JSON"),
    ({"call_inbound": {"dynamic_variables": {"a": "b", "known": True}}}, "dynamic_variables.known"),
    ({"call_inbound": {"dynamic_variables": {"a": "b"}, "metadata": "x"}}, "metadata"),
    ({"call_inbound": {"dynamic_variables": {"a": "b"}, "override_agent_id": "none"}}, "agent none"),
    ({"call_inbound": {"reject": True, "dynamic_variables": {"n": 3}}}, "dynamic_variables.n"),
])
def test_an_answer_that_retell_does_not_understand_gives_the_agent_nothing(box, listener, given, faults):
    listener.bodies["/retell/inbound"] = given
    answer = ring(box)
    assert (answer["status"], answer["outcome"], answer["understood"]) == (200, "answered", False)
    assert answer["dynamic_variables"] == {} and answer["agent_id"] == AGENT
    assert faults in " ".join(answer["faults"]) and bool(answer["faults"]) == bool(faults)
    assert "retell_llm_dynamic_variables" not in call_of(box, answer["call_id"])


def test_only_true_rejects_a_call(box, listener):
    listener.bodies["/retell/inbound"] = {"call_inbound": {"reject": "true"}}
    assert ring(box)["outcome"] == "answered"
    listener.bodies["/retell/inbound"] = {"call_inbound": {"reject": True}}
    answer = ring(box)
    assert answer["outcome"] == "rejected"
    assert box.retell("GET", "/v2/get-call/" + answer["call_id"])[0] == 422


def test_an_inbound_webhook_is_tried_three_times(box, listener):
    listener.bodies["/retell/inbound"] = {"call_inbound": {"dynamic_variables": {"a": "b"}}}
    listener.answers = [500, 503]
    answer = ring(box)
    assert [t["status"] for t in answer["tries"]] == [500, 503, 200]
    assert answer["dynamic_variables"] == {"a": "b"}
    bodies = [body for _, _, body, _ in listener.below("/retell/inbound")]
    assert len(set(bodies)) == 1, "a repeat is the same question"
    box.control("/hooks/wait", {})
    listener.answers = [500] * 3
    answer = ring(box)
    assert (answer["outcome"], answer["agent_id"], answer["understood"]) == ("answered", AGENT, False)
    box.control("/hooks/wait", {})
    box.control("/things/phone/+493023125010", {"inbound_agents": []}, "PUT")
    listener.answers = [500] * 3
    assert ring(box)["outcome"] == "cut", "nobody is bound to the number"


def test_a_listener_that_never_answers_is_given_up(box):
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(8)
        url = "http://127.0.0.1:%d/" % deaf.getsockname()[1]
        answer = ring(box, url=url, timeout_ms=40)
    assert [t["status"] for t in answer["tries"]] == [0] * 3
    assert "imeout" in answer["error"] or "timed out" in answer["error"]
    assert answer["outcome"] == "answered"


def test_a_withheld_number_and_a_vendor_of_before(box, listener):
    answer = ring(box, withheld=True, call_id=None)
    inbound = json.loads(listener.below("/retell/inbound")[0][2])["call_inbound"]
    assert inbound["from_number"] == "anonymous" and "call_id" not in inbound
    assert call_of(box, answer["call_id"])["from_number"] == "anonymous"
    box.control("/retell/function", {**FUNCTION, "call_id": answer["call_id"]})
    sent = json.loads(listener.below("/retell/function")[0][2])
    assert sent["call"]["from_number"] == "anonymous"


def test_the_agent_asks_and_hears(box, listener):
    listener.bodies["/retell/function"] = {"say": "Frei ist 17:15."}
    call = ring(box)["call_id"]
    box.control("/retell/say", {"call_id": call, "lines": [["user", "Geht Donnerstag?"]]})
    answer = box.control("/retell/function", {**FUNCTION, "call_id": call})
    assert (answer["status"], answer["successful"]) == (200, True) and answer["ms"] > 0
    assert json.loads(answer["result"]) == {"say": "Frei ist 17:15."}
    _, headers, body, _ = listener.wait(1, "/retell/function")[0]
    check_retell_signature(headers, body)
    sent = json.loads(body)
    assert set(sent) == {"name", "args", "call"} and sent["args"] == FUNCTION["args"]
    assert sent["call"]["call_id"] == call and sent["call"]["call_status"] == "ongoing"
    assert sent["call"]["transcript"] == "User: Geht Donnerstag?\n"
    last = sent["call"]["transcript_with_tool_calls"][-1]
    assert (last["role"], last["tool_call_id"]) == ("tool_call_invocation", answer["tool_call_id"])
    heard = call_of(box, call)["transcript_with_tool_calls"][-1]
    assert heard == {"role": "tool_call_result", "tool_call_id": answer["tool_call_id"],
                     "content": answer["result"], "successful": True}


def test_a_function_is_repeated_only_if_told_and_signed_anew(box, listener):
    listener.answers = [500]
    answer = box.control("/retell/function", FUNCTION)
    assert (answer["status"], answer["successful"], answer["result"]) == (500, False, "HTTP 500")
    listener.answers = [500]
    answer = box.control("/retell/function", {**FUNCTION, "max_retry": 1})
    assert [t["status"] for t in answer["tries"]] == [500, 200] and answer["successful"]
    first, second = [got for got in listener.below("/retell/function")][1:]
    assert first[2] == second[2], "the same question"
    for got in (first, second):
        check_retell_signature(got[1], got[2])


def test_args_only_has_its_identity_in_the_url(box, listener):
    call = ring(box)["call_id"]
    box.control("/retell/function", {**FUNCTION, "call_id": call, "args_at_root": True})
    path, headers, body, _ = listener.wait(1, "/retell/function")[0]
    check_retell_signature(headers, body)
    assert json.loads(body) == FUNCTION["args"]
    assert f"name=check_availability&call_id={call}&from=%2B491713920042&to=%2B493023125010" in path
    url = listener.url + "/own?who={{user_number}}&day={{day}}"
    box.control("/retell/function", {**FUNCTION, "call_id": call, "method": "GET", "url": url})
    path, headers, body, _ = listener.wait(1, "/own")[0]
    check_retell_signature(headers, body)
    assert body == b"" and path == "/own?who=%2B491713920042&day={{day}}"


def test_the_model_reads_no_more_than_it_can(box, listener):
    listener.bodies["/retell/function"] = {"say": "x" * 20000}
    answer = box.control("/retell/function", FUNCTION)
    assert len(answer["body"]) > 20000 and len(answer["result"]) == 15000


def test_words_come_as_webhooks_and_stay_until_the_end(box, listener):
    call = ring(box)["call_id"]
    for number, line in enumerate([["agent", "Guten Tag."], ["user", "Termin bitte."]], 1):
        told = box.control("/retell/say", {"call_id": call, "lines": [line]})
        assert told == {"call_id": call, "turns": number}
    box.control("/retell/say", {"call_id": call, "lines": [["agent", "Gern."]], "event": False})
    box.control("/hooks/wait", {})
    updates = [e["call"] for e in listener.events("/retell") if e["event"] == "transcript_updated"]
    assert sorted(len(u["transcript_object"]) for u in updates) == [1, 2]
    assert all(u["call_status"] == "ongoing" for u in updates)
    assert box.control("/retell/hangup", {"call_id": call})["events"] == ["call_ended", "call_analyzed"]
    over = call_of(box, call)
    assert over["transcript"] == "Agent: Guten Tag.\nUser: Termin bitte.\nAgent: Gern.\n"
    assert over["call_status"] == "ended" and over["end_timestamp"] >= over["start_timestamp"]
    assert over["duration_ms"] == over["end_timestamp"] - over["start_timestamp"]


@pytest.mark.parametrize("path, body", [
    ("say", {"lines": [["user", "Hallo?"]]}), ("function", FUNCTION), ("hangup", {})])
def test_what_belongs_to_a_call_in_progress_needs_one(box, path, body):
    call = ring(box)["call_id"]
    box.control("/retell/hangup", {"call_id": call})
    status, answer, _ = box.call("POST", "/_control/retell/" + path, {**body, "call_id": call})
    assert status == 400 and "not in progress, it is ended" in answer["error"]


def test_an_update_reaches_the_agent_only_while_the_call_runs(box):
    ringing = ring(box, pick_up=False)["call_id"]
    call = ring(box)["call_id"]
    update = {"fields_to_override": {"override_dynamic_variables": {"slots": "18:00"}},
              "call_control": {"additional_context": "17:15 ist vergeben"}}
    assert box.retell("PATCH", "/v2/update-live-call/" + ringing, update)[0] == 422
    assert box.retell("PATCH", "/v2/update-live-call/" + call, update)[0] == 200
    box.control("/retell/hangup", {"call_id": call})
    assert box.retell("PATCH", "/v2/update-live-call/" + call, update)[0] == 422
    assert box.control("/effects")["live_updates"] == {call: [update]}
    over = call_of(box, call)
    assert over["retell_llm_dynamic_variables"] == {"slots": "18:00"}
    assert {"role": "injected", "content": "17:15 ist vergeben"}.items() <= next(
        t for t in over["transcript_with_tool_calls"] if t["role"] == "injected").items()
