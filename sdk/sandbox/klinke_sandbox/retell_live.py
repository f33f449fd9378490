"""Calls in progress: the phone rings, people talk, the agent asks its functions, somebody hangs up.

What a listener answers has the effects that Retell documents, and no others: an answer of another
shape gives the agent nothing. Requests that somebody waits for are made outside of a transaction,
since the listener may come back meanwhile to change the very call.
"""
import http.client
import json
import time

from . import hooks
from .web import dump

RING_TIMEOUT_MS = 10_000       # each try of an inbound webhook
RING_TRIES = 3
FUNCTION_TIMEOUT_MS = 120_000  # the vendor's default of a custom function
READ_BY_MODEL = 15_000         # characters of a function's answer
WITHHELD = "anonymous"
OVERRIDES = {"agent", "retell_llm", "conversation_flow"}


def ask(method, url, body, secret, timeout_ms):
    """One signed request: {"status" or "error", "body", "ms"}."""
    raw = b"" if body is None else dump(body)
    headers = hooks.signature_headers("retell", secret, raw)
    if body is not None:
        headers["Content-Type"] = "application/json"
    begun = time.monotonic()
    try:
        status, text, _ = hooks.send(method, url, headers, raw if body is not None else None,
                                     timeout_ms / 1000)
        answer = {"status": status, "body": text}
    except (OSError, http.client.HTTPException) as fault:
        answer = {"status": 0, "body": "", "error": f"{type(fault).__name__}: {fault}"}
    return {**answer, "ms": round((time.monotonic() - begun) * 1000, 1)}


def ask_until_taken(tries, pauses_ms, once):
    """once() until a 2xx, at most that often: the last answer, and all tries without bodies."""
    told = []
    for number in range(tries):
        if number:
            time.sleep((pauses_ms[number - 1] if number <= len(pauses_ms) else 0) / 1000)
        answer = once()
        told.append({key: answer[key] for key in ("status", "error", "ms") if key in answer})
        if 200 <= answer["status"] < 300:
            break
    return {**answer, "tries": told}


def filled(url, call, known):
    """{{call_id}}, {{user_number}} and the like in a tool's URL, as the vendor fills them."""
    inbound = call["direction"] == "inbound"
    values = {"call_id": call["call_id"], "call_type": call["call_type"],
              "direction": call["direction"],
              "user_number": call["from_number" if inbound else "to_number"],
              "agent_number": call["to_number" if inbound else "from_number"],
              **known, **call.get("retell_llm_dynamic_variables", {})}
    for name, value in values.items():
        url = url.replace("{{" + name + "}}", str(value).replace("+", "%2B"))
    return url


def faults_of(answer):
    """What Retell's validation of a call_inbound answer finds; any fault voids all of it."""
    found = []
    variables, metadata = answer.get("dynamic_variables"), answer.get("metadata")
    if variables is not None and not isinstance(variables, dict):
        found.append("dynamic_variables is no object")
    for name, value in (variables if isinstance(variables, dict) else {}).items():
        if not isinstance(value, str):
            found.append(f"dynamic_variables.{name} is no string")
    if metadata is not None and not isinstance(metadata, dict):
        found.append("metadata is no object")
    for key, kind in (("override_agent_id", str), ("override_agent_version", int)):
        if key in answer and not isinstance(answer[key], kind):
            found.append(f"{key} has the wrong type")
    override = answer.get("agent_override")
    if override is not None and (not isinstance(override, dict) or set(override) - OVERRIDES):
        found.append(f"agent_override may hold {sorted(OVERRIDES)} only")
    return found


class Live:
    def __init__(self, retell):
        self.retell = retell
        self.world, self.store = retell.world, retell.store

    def _ask(self, method, path, body, url, timeout_ms):
        below = self.world.options.hooks_retell
        if not url and not below:
            raise ValueError("nobody listens: start with --hooks-retell, or give url")
        return ask(method, url or below + path, body, self.world.secret("retell_key"), timeout_ms)

    def _ongoing(self, call_id):
        call = self.store.thing("call", call_id)
        if call is None:
            raise ValueError(f"no call {call_id}")
        if call["call_status"] != "ongoing":
            raise ValueError(f"call {call_id} is not in progress, it is {call['call_status']}")
        return call

    # ---- the phone rings ----------------------------------------------------------------

    def ring(self, wanted):
        """call_inbound, up to three times; what the answer did, and the call that came of it."""
        call = self._call_that_rings(wanted)
        bound = self._bound(call["to_number"])
        body = {"event": "call_inbound", "event_timestamp": self.world.now_ms(),
                "call_inbound": self._announced(call, bound, wanted)}
        tries = wanted.get("tries", RING_TRIES)
        answer = ask_until_taken(
            tries, self.world.options.retry_retell,
            lambda: self._ask("POST", "/inbound", body, wanted.get("url"),
                              wanted.get("timeout_ms", RING_TIMEOUT_MS)))
        effect = self._effect(answer, bound)
        told = {**answer, **effect, "call_id": call["call_id"]}
        if effect["outcome"] != "answered":
            return told
        told.update(self._keep(call, effect))
        if wanted.get("pick_up"):
            self.retell.play({"call_id": call["call_id"], "events": ["call_started"]})
        return told

    def _call_that_rings(self, wanted):
        """As the record of it begins: no start yet."""
        known = dict(wanted, from_number=WITHHELD) if wanted.get("withheld") else dict(wanted)
        if not known.get("call_id"):
            known.pop("call_id", None)
        call = self.retell.new_call(known)
        call["call_status"] = "registered"
        call.pop("start_timestamp")
        return call

    def _bound(self, number):
        """The number's own agent; a number nobody has made belongs to the practice's agent."""
        phone = self.store.thing("phone", number)
        agents = self.store.things("agent")
        if phone is None:
            return agents[0]
        named = [entry["agent_id"] for entry in phone.get("inbound_agents") or []]
        return next((a for a in agents if a["agent_id"] in named), None)

    def _announced(self, call, bound, wanted):
        inbound = {key: call[key] for key in ("call_id", "from_number", "to_number")}
        if "call_id" in wanted and wanted["call_id"] is None:
            del inbound["call_id"]  # as Retell did until September 2026
        if bound:
            inbound.update(agent_id=bound["agent_id"], agent_version=bound["version"])
        if "custom_sip_headers" in wanted:
            inbound["custom_sip_headers"] = wanted["custom_sip_headers"]
        return inbound

    def _effect(self, answer, bound):
        """outcome: answered, rejected, cut. Without a usable answer the number's agent takes it."""
        plain = {"outcome": "answered" if bound else "cut", "understood": False, "faults": [],
                 "agent_id": bound["agent_id"] if bound else None, "dynamic_variables": {}}
        if not 200 <= answer["status"] < 300:
            return plain
        try:
            given = json.loads(answer["body"]).get("call_inbound")
        except (ValueError, AttributeError):
            return {**plain, "faults": ["the body is no JSON object"]}
        if not isinstance(given, dict):
            return plain  # no error anywhere: the call simply gets nothing
        faults = faults_of(given)
        agent = given.get("override_agent_id")
        if not faults and agent is not None and self.store.thing("agent", agent) is None:
            faults = [f"override_agent_id: this workspace has no agent {agent}"]
        if faults:
            return {**plain, "faults": faults}
        if given.get("reject") is True:
            return {**plain, "outcome": "rejected", "understood": True, "agent_id": None}
        agent = agent or plain["agent_id"]
        return {**plain, **{key: given[key] for key in ("metadata", "agent_override")
                            if key in given},
                "outcome": "answered" if agent else "cut", "understood": True, "agent_id": agent,
                "dynamic_variables": given.get("dynamic_variables") or {}}

    def _keep(self, call, effect):
        agent = self.store.thing("agent", effect["agent_id"])
        call.update(agent_id=agent["agent_id"], agent_name=agent["agent_name"],
                    agent_version=agent["version"])
        if effect["dynamic_variables"]:
            call["retell_llm_dynamic_variables"] = effect["dynamic_variables"]
        if "metadata" in effect:
            call["metadata"] = effect["metadata"]
        self.store.keep("call", call["call_id"], call)
        return {"agent_version": agent["version"]}

    # ---- people talk --------------------------------------------------------------------

    def say(self, wanted):
        """Lines of agent and caller, and (unless told false) the transcript_updated after them."""
        with self.store.write():
            call = self._ongoing(wanted["call_id"])
            self.retell.add_lines(call, wanted["lines"])
            self.store.keep("call", call["call_id"], call)
            if wanted.get("event", True):
                self.retell.tell("transcript_updated", call, wanted.get("url"), 0)
        return {"call_id": call["call_id"], "turns": len(call["transcript_object"])}

    def hang_up(self, wanted):
        """call_ended and call_analyzed of a call in progress; all keys of play() may be given."""
        self._ongoing(wanted["call_id"])
        return self.retell.play({"events": ["call_ended", "call_analyzed"], **wanted})

    # ---- the agent asks -----------------------------------------------------------------

    def function(self, wanted):
        """A custom function; its answer goes into the transcript as the model gets it."""
        call, tool = self._invoked(wanted)
        method = wanted.get("method", "POST")
        answer = ask_until_taken(
            1 + wanted.get("max_retry", 0), [0] * 5,
            lambda: self._ask_function(method, wanted, call))
        good = 200 <= answer["status"] < 300
        result = answer["body"] if good else answer.get("error", f"HTTP {answer['status']}")
        self._answered(call["call_id"], tool, result[:READ_BY_MODEL], good)
        return {**answer, "call_id": call["call_id"], "tool_call_id": tool["tool_call_id"],
                "successful": good, "result": result[:READ_BY_MODEL]}

    def _invoked(self, wanted):
        """The call with the invocation in its transcript. An unknown call is one in progress."""
        tool = {"role": "tool_call_invocation", "name": wanted["name"],
                "arguments": dump(wanted.get("args", {})).decode(),
                "tool_call_id": wanted.get("tool_call_id") or self.retell.new_id("tool_call_")}
        known = dict(wanted, from_number=WITHHELD) if wanted.get("withheld") else wanted
        with self.store.write():
            call = self.store.thing("call", wanted.get("call_id"))
            call = self.retell.new_call(known) if call is None else \
                self._ongoing(call["call_id"])
            if wanted.get("in_transcript", True):
                call.setdefault("transcript_with_tool_calls", []).append(tool)
            self.store.keep("call", call["call_id"], call)
        return call, tool

    def _ask_function(self, method, wanted, call):
        """Each try is signed anew. GET and DELETE carry no body, and "args only" no envelope."""
        args, url = wanted.get("args", {}), wanted.get("url")
        body = {"name": wanted["name"], "args": args, "call": self.retell.shown(call)}
        if method in ("GET", "DELETE"):
            body = None
        elif wanted.get("args_at_root"):
            body = args
        path = "/function"
        if body is None or wanted.get("args_at_root"):
            path += (f"?name={wanted['name']}&call_id={{{{call_id}}}}"
                     "&from={{user_number}}&to={{agent_number}}&at={{session_duration_ms}}")
        known = {"session_duration_ms":
                 max(self.world.now_ms() - call.get("start_timestamp", 0), 0)}
        return self._ask(method, filled(path, call, known), body,
                         url and filled(url, call, known), wanted.get("timeout_ms",
                                                                     FUNCTION_TIMEOUT_MS))

    def _answered(self, call_id, tool, text, good):
        """The call may have changed while the agent waited: updates, words, even its end."""
        with self.store.write():
            call = self.store.thing("call", call_id)
            if call is None:
                return
            call.setdefault("transcript_with_tool_calls", []).append(
                {"role": "tool_call_result", "tool_call_id": tool["tool_call_id"],
                 "content": text, "successful": good})
            self.store.keep("call", call_id, call)
