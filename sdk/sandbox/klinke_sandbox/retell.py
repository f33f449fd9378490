"""Retell: agents, calls, live calls; and calls played on command. Base path /retell.

What happens while a call is in progress is retell_live.py's.
"""
import base64
import os

from .retell_filters import chosen
from .web import Answer, Router, dump

router = Router()
MESSAGES = {400: "Invalid request format, please check API reference.",
            401: "API key is missing or invalid.",
            404: "The requested resource was not found.",
            422: "Cannot find requested asset under given api key."}
LIVE = ("registered", "ongoing")
NEVER_CONNECTED = ("dial_busy", "dial_no_answer", "dial_failed", "user_declined",
                   "invalid_destination", "telephony_provider_permission_denied",
                   "telephony_provider_unavailable", "sip_routing_error", "marked_as_spam")
ERRORS = ("concurrency_limit_reached", "no_valid_payment", "scam_detected")
SENTENCES = [("agent", "Praxis Am Lindenhof, guten Tag."),
             ("user", "Berger, ich bräuchte einen Termin zur Prophylaxe, am liebsten Donnerstag "
                      "zwischen 16 und 19 Uhr."),
             ("agent", "Am Donnerstag ginge es um 17 Uhr 15. Passt das?"),
             ("user", "Ja, gern. Tschüß!")]


def no(status, message=None):
    return Answer(status, {"status": "error", "message": message or MESSAGES.get(status, "")})


class Retell:
    def __init__(self, world):
        self.world = world
        self.store = world.store

    @staticmethod
    def new_id(prefix):
        return prefix + os.urandom(14).hex()[:27]

    # ---- the way in -----------------------------------------------------------------------

    def handle(self, request):
        try:
            if request.bearer() != self.world.secret("retell_key"):
                raise no(401)
            function, arguments, _ = router.find(request.method, request.path)
            if function is None:  # also all that Retell has removed
                raise no(404)
            return function(self, request, **arguments)
        except Answer as refusal:
            return refusal
        except ValueError:
            return no(400)

    def _found(self, kind, name):
        thing = self.store.thing(kind, name)
        if thing is None:
            raise no(422)
        return thing

    def _body(self, request):
        body = request.json({})
        if not isinstance(body, dict):
            raise no(400)
        return body

    def _page(self, items, limit, key, total=None):
        """A page of items behind the opaque key."""
        start = int(base64.urlsafe_b64decode(key)) if key else 0
        page = items[start:start + limit]
        body = {"items": page, "has_more": start + limit < len(items)}
        if body["has_more"]:
            body["pagination_key"] = base64.urlsafe_b64encode(str(start + limit).encode()).decode()
        if total:
            body["total"] = len(items)
        return Answer(200, body)

    # ---- account and agents ---------------------------------------------------------------

    @router.on("GET", "/get-api-key-info")
    def key_info(self, request):
        return Answer(200, {"api_key_name": "sandbox", "org_name": "Praxis Am Lindenhof"})

    @router.on("GET", "/get-concurrency")
    def concurrency(self, request):
        live = [c for c in self.store.things("call") if c["call_status"] == "ongoing"]
        return Answer(200, {"current_concurrency": len(live), "concurrency_limit": 20,
                            "base_concurrency": 20, "purchased_concurrency": 0,
                            "concurrency_purchase_limit": 100, "remaining_purchase_limit": 100,
                            "concurrency_burst_enabled": False, "concurrency_burst_limit": 0,
                            "reserved_inbound_concurrency": 0})

    @router.on("POST", "/v2/list-agents")
    def list_agents(self, request):
        body, query = self._body(request), request.query
        wanted = (body.get("filter_criteria") or {}).get("query", "").lower()
        items = [{"agent_id": a["agent_id"], "agent_name": a["agent_name"], "channel": "voice",
                  "user_modified_timestamp": a["last_modification_timestamp"],
                  "tags": {tag: {"version": a["version"]} for tag in a["assigned_tags"]}}
                 for a in self.store.things("agent") if wanted in a["agent_name"].lower()]
        return self._page(items, int(query.get("limit", 50)), query.get("pagination_key"))

    @router.on("GET", "/get-agent/{agent}")
    def agent(self, request, agent):
        found = self._found("agent", agent)
        version = request.query.get("version", "latest")
        if version.isdigit() and int(version) != found["version"]:
            raise no(422)
        return Answer(200, {key: value for key, value in found.items() if key != "channel"})

    @router.on("GET", "/list-agent-versions/{agent}")
    def agent_versions(self, request, agent):
        found = self._found("agent", agent)
        return self._page([{"version": found["version"], "is_published": found["is_published"],
                            "last_modification_timestamp": found["last_modification_timestamp"]}],
                          50, None)

    @router.on("GET", "/get-retell-llm/{llm}")
    def llm(self, request, llm):
        return Answer(200, self._found("llm", llm))

    @router.on("GET", "/v2/list-phone-numbers")
    def phones(self, request):
        query = request.query
        return self._page(self.store.things("phone"), int(query.get("limit", 50)),
                          query.get("pagination_key"))

    @router.on("GET", "/get-phone-number/{number}")
    def phone(self, request, number):
        return Answer(200, self._found("phone", number))

    @router.on("PATCH", "/update-phone-number/{number}")
    def update_phone(self, request, number):
        changed = {**self._found("phone", number), **self._body(request)}
        self.store.keep("phone", number, changed)
        return Answer(200, changed)

    # ---- calls ----------------------------------------------------------------------------

    @router.on("GET", "/v2/get-call/{call}")
    def get_call(self, request, call):
        return Answer(200, self._found("call", call))

    @router.on("POST", "/v3/list-calls")
    def list_calls(self, request):
        body = self._body(request)
        if "skip" in body and "pagination_key" in body:
            raise no(400)
        limit = body.get("limit", 50)
        if not isinstance(limit, int) or not 1 <= limit <= 1000:
            raise no(400)
        hidden = ("transcript", "transcript_object", "transcript_with_tool_calls")
        calls = [c for c in self.store.things("call") if chosen(c, body.get("filter_criteria"))]
        calls.sort(key=lambda c: c.get("start_timestamp", 0),
                   reverse=body.get("sort_order", "descending") == "descending")
        items = [{k: v for k, v in c.items() if k not in hidden} for c in calls]
        return self._page(items[body.get("skip", 0):], limit, body.get("pagination_key"),
                          body.get("include_total"))

    @router.on("PATCH", "/v2/update-live-call/{call}")
    def update_live_call(self, request, call):
        found, body = self._found("call", call), self._body(request)
        self._check_live(found, body)
        fields, control = body.get("fields_to_override", {}), body.get("call_control", {})
        if "override_dynamic_variables" in fields:
            given = fields["override_dynamic_variables"]
            kept = found.get("retell_llm_dynamic_variables", {})
            found["retell_llm_dynamic_variables"] = {} if given is None else {**kept, **given}
        if "metadata" in fields:
            found["metadata"] = fields["metadata"]
        if "additional_context" in control:
            found.setdefault("transcript_with_tool_calls", []).append(
                {"role": "injected", "content": control["additional_context"], "time_sec": 60.0})
        found.setdefault("live_updates", []).append(body)
        self.store.keep("call", call, found)
        return Answer(200, {"success": True})

    def _check_live(self, call, body):
        groups = {"fields_to_override": {"override_dynamic_variables", "metadata",
                                         "data_storage_setting"},
                  "call_control": {"additional_context", "trigger_response"}}
        if set(body) - set(groups):
            raise no(400)
        for name, known in groups.items():
            if set(body.get(name) or {}) - known:
                raise no(400)
        variables = (body.get("fields_to_override") or {}).get("override_dynamic_variables") or {}
        if not all(isinstance(value, str) for value in variables.values()):
            raise no(400)
        if (body.get("call_control") or {}).get("additional_context", "x") == "":
            raise no(400)
        if call["call_status"] != "ongoing":
            raise no(422, "Call is not live.")

    @router.on("PATCH", "/v2/update-call/{call}")
    def update_call(self, request, call):
        found, body = self._found("call", call), self._body(request)
        if found["call_status"] in LIVE or set(body) - {"metadata", "data_storage_setting",
                                                        "custom_attributes"}:
            raise no(400)
        found.update(body)
        self.store.keep("call", call, found)
        return Answer(200, found)

    @router.on("POST", "/v2/stop-call/{call}")
    def stop_call(self, request, call):
        if self._found("call", call)["call_status"] in LIVE:
            self.play({"call_id": call, "disconnection_reason": "manual_stopped",
                       "events": ["call_ended", "call_analyzed"]})
        return Answer(204)

    @router.on("DELETE", "/v2/delete-call/{call}")
    def delete_call(self, request, call):
        self._found("call", call)
        self.store.drop("call", call)
        return Answer(204)

    @router.on("PUT", "/rerun-call-analysis/{call}")
    def rerun(self, request, call):
        return Answer(201, self._found("call", call))

    @router.on("POST", "/v2/create-phone-call")
    def create_call(self, request):
        body = self._body(request)
        for key in ("from_number", "to_number"):
            if not str(body.get(key, "")).startswith("+"):
                raise no(400)
        call = self.new_call({"direction": "outbound", **body})
        call["call_status"] = "registered"
        call.pop("start_timestamp")
        self.store.keep("call", call["call_id"], call)
        return Answer(201, call)

    # ---- playing --------------------------------------------------------------------------

    def play(self, wanted):
        """Events of one call, in order. README.md lists the keys; returns {"call_id": …}."""
        wanted = dict(wanted)
        events = wanted.get("events") or ["call_started", "call_ended", "call_analyzed"]
        reason = wanted.get("disconnection_reason", "user_hangup")
        if "events" not in wanted and reason in NEVER_CONNECTED:
            events = ["call_ended", "call_analyzed"]
        gap, due = wanted.get("gap_ms", 30), 0
        with self.store.write():
            known = self.store.thing("call", wanted["call_id"]) if wanted.get("call_id") else None
            call = known or self.new_call(wanted)
            for event in events:
                self._advance(call, event, wanted, reason)
                self.tell(event, call, wanted.get("url"), due)
                due += gap
            self.store.keep("call", call["call_id"], call)
        return {"call_id": call["call_id"], "events": events}

    def new_call(self, wanted):
        agent = self.store.things("agent")[0]
        start = self.world.now_ms() - wanted.get("duration_ms", 173400)
        call = {"call_type": "phone_call", "call_id": wanted.get("call_id") or self.new_id("call_"),
                "agent_id": agent["agent_id"], "agent_name": agent["agent_name"],
                "agent_version": agent["version"], "call_status": "ongoing",
                "direction": wanted.get("direction", "inbound"),
                "from_number": wanted.get("from_number", "+491713920042"),
                "to_number": wanted.get("to_number", "+493023125010"),
                "start_timestamp": start, "metadata": wanted.get("metadata", {}),
                "data_storage_setting": "everything", "opt_in_signed_url": True}
        variables = wanted.get("dynamic_variables") or wanted.get("retell_llm_dynamic_variables")
        if variables:
            call["retell_llm_dynamic_variables"] = variables
        call.update(wanted.get("call", {}))
        return call

    def _advance(self, call, event, wanted, reason):
        if event == "call_started" and call["call_status"] in LIVE:
            call["call_status"] = "ongoing"
            call.setdefault("start_timestamp", self.world.now_ms())
        elif event == "transcript_updated":
            self.add_lines(call, wanted.pop("transcript", []))
        elif event == "call_ended":
            self._end(call, wanted, reason)
        elif event == "call_analyzed":
            call["call_analysis"] = {
                "call_summary": wanted.get("summary", "Frau Berger möchte am Donnerstag zwischen "
                                                      "16 und 19 Uhr zur Prophylaxe kommen."),
                "user_sentiment": wanted.get("user_sentiment", "Positive"),
                "call_successful": wanted.get("call_successful", True), "in_voicemail": False,
                "custom_analysis_data": wanted.get("custom_analysis_data", {})}
        call.update(wanted.get("call", {}))

    def _end(self, call, wanted, reason):
        again = call["call_status"] not in LIVE
        call["disconnection_reason"] = reason
        if reason in NEVER_CONNECTED:
            call["call_status"] = "not_connected"
            call.pop("start_timestamp", None)
            return
        failed = reason in ERRORS or reason.startswith("error_")
        call["call_status"] = "error" if failed else "ended"
        start = call.setdefault("start_timestamp", self.world.now_ms())
        so_far = max(self.world.now_ms() - start, 0)  # of a call that really is in progress
        duration = wanted.get("duration_ms", min(173400, so_far))
        if not again:
            self.add_lines(call, wanted.get("transcript", [] if call.get("transcript")
                                            else SENTENCES))
        call.update({
            "end_timestamp": start + duration, "duration_ms": duration,
            "collected_dynamic_variables": wanted.get("collected_dynamic_variables", {}),
            "recording_url": "https://example.invalid/rec/" + call["call_id"] + ".wav",
            "latency": {"e2e": {"p50": 842, "p90": 1210, "p95": 1388, "p99": 1502, "min": 611,
                                "max": 1517, "num": 2, "values": [842, 1517]}},
            "call_cost": {"product_costs": [{"product": "elevenlabs_tts",
                                             "unit_price": 0.1166667, "cost": 20.3}],
                          "total_duration_seconds": duration // 1000,
                          "total_duration_unit_price": 0.1166667, "combined_cost": 20.3}})

    @staticmethod
    def add_lines(call, lines):
        """What was said, in all three forms of the transcript."""
        for role, text in lines:
            utterance = {"role": role, "content": text, "words": []}
            call["transcript"] = call.get("transcript", "") + f"{role.capitalize()}: {text}\n"
            for form in ("transcript_object", "transcript_with_tool_calls"):
                call.setdefault(form, []).append(utterance)

    @staticmethod
    def shown(call, analysis=False):
        """The call object as it leaves the house."""
        hidden = ("live_updates",) if analysis else ("live_updates", "call_analysis")
        return {key: value for key, value in call.items() if key not in hidden}

    def tell(self, event, call, url, in_ms):
        shown = self.shown(call, analysis=event == "call_analyzed")
        self.world.hooks.add("retell", event, url or self.world.options.hooks_retell,
                             self.world.secret("retell_key"),
                             dump({"event": event, "call": shown}), in_ms)
