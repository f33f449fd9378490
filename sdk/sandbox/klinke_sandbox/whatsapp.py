"""WhatsApp Cloud API: sending, statuses, templates, inbound. Base path /whatsapp/vNN.N."""
import base64
import json
import os
import re

from . import hooks
from .clock import DAY
from .web import Answer, Router
from .whatsapp_checks import Wrong, check_message, check_template

router = Router()
BSUID = re.compile(r"[A-Z]{2}\.\w{1,128}\Z")
TITLES = {
    0: (401, "AuthException"), 100: (400, "Invalid parameter"),
    190: (401, "Invalid OAuth access token"),
    131008: (400, "Required parameter is missing"), 131009: (400, "Parameter value is not valid"),
    131026: (400, "Message undeliverable"), 131047: (400, "Re-engagement message"),
    131051: (400, "Unsupported message type"), 132000: (400, "Number of parameters does not match "
                                                             "the expected number of params"),
    132001: (404, "Template name does not exist in the translation"),
    132012: (400, "Parameter format does not match format in the created template"),
    132015: (400, "Template is paused"), 132016: (400, "Template is disabled"),
    33: (400, "Unsupported post request. Object does not exist, or is not accessible"),
}


def escaped(value):
    """The bytes Meta sends and signs: \\uXXXX for everything beyond ASCII, slashes as \\/."""
    return json.dumps(value, separators=(",", ":")).replace("/", "\\/").encode()


def new_wamid():
    return "wamid." + base64.urlsafe_b64encode(os.urandom(24)).decode()


class Whatsapp:
    def __init__(self, world):
        self.world = world
        self.store = world.store

    # ---- the way in -----------------------------------------------------------------------

    def handle(self, request):
        """request.path begins behind the version, which has been checked to be one."""
        try:
            if request.bearer() != self.world.secret("whatsapp_token"):
                raise self.no(190, "The access token could not be decrypted")
            function, arguments, _ = router.find(request.method, request.path)
            if function is None:
                raise self.no(100, f"Unknown path components: {request.path}")
            return function(self, request, **arguments)
        except Answer as refusal:
            return refusal
        except Wrong as wrong:
            return self.no(wrong.code, wrong.details)
        except ValueError as fault:
            return self.no(100, f"The body is not valid: {fault}")

    def no(self, code, details):
        status, title = TITLES.get(code, (400, "Error"))
        return Answer(status, {"error": {
            "message": f"(#{code}) {title}", "type": "OAuthException", "code": code,
            "error_data": {"messaging_product": "whatsapp", "details": details},
            "fbtrace_id": "A" + base64.b64encode(os.urandom(12)).decode()}})

    def _number(self, number):
        found = self.store.thing("wa_number", number)
        if found is None:
            raise self.no(33, f"Object with ID '{number}' does not exist")
        return found

    # ---- sending --------------------------------------------------------------------------

    @router.on("POST", "/{number}/messages")
    def send(self, request, number):
        sender = self._number(number)
        body = request.json({})
        if not isinstance(body, dict) or body.get("messaging_product") != "whatsapp":
            raise Wrong(100, "The parameter messaging_product is required.")
        if body.get("status") == "read":
            return self._mark_read(body)
        check_message(body)
        person = self._person(sender, body)
        held = {}
        if body["type"] == "template":
            held = self._template(body["template"])
        elif not self._window_open(number, person):
            raise Wrong(131047, "More than 24 hours have passed since the recipient last replied "
                                "to the sender number.")
        return self._accept(sender, person, body, held)

    def _person(self, sender, body):
        """The addressed contact; one never seen before gets an identity."""
        if body.get("to"):
            digits = re.sub(r"[\s()-]", "", str(body["to"]))
            if not digits.startswith("+"):  # the vendor prefixes its own country code
                digits = sender["country_code"] + digits
            digits = digits.lstrip("+")
            if not re.fullmatch(r"\d{7,15}", digits):
                raise Wrong(131009, "Parameter value is not valid: to")
            return self._contact(digits)
        if not BSUID.match(str(body.get("recipient", ""))):
            raise Wrong(131008, "The parameter to is required.")
        for contact in self.store.things("wa_contact"):
            if contact["user_id"] == body["recipient"]:
                return contact
        raise Wrong(131026, "Message Undeliverable.")

    def _contact(self, wa_id, name=None):
        found = self.store.thing("wa_contact", wa_id)
        if found is None:
            serial = self.world.next_id("wa_contact", 1000)
            found = {"wa_id": wa_id, "user_id": f"DE.9021000000000000{serial}",
                     "name": name or "Gast", "reachable": True}
            self.store.keep("wa_contact", wa_id, found)
        return found

    def _template(self, asked):
        language = (asked.get("language") or {}).get("code")
        found = self.store.thing("template", f"{asked.get('name')}/{language}")
        if found is None or found["status"] not in ("APPROVED", "PAUSED", "DISABLED"):
            raise Wrong(132001, f"template name ({asked.get('name')}) does not exist in {language}")
        if found["status"] == "PAUSED":
            raise Wrong(132015, "Template is paused due to low quality.")
        if found["status"] == "DISABLED":
            raise Wrong(132016, "Template has been disabled permanently.")
        check_template(found, asked)
        return {"message_status": "accepted"}

    def _window_open(self, number, person):
        if self.world.setting("whatsapp_window") == "open":
            return True
        row = self.store.row("SELECT max(at_ms) AS t FROM message WHERE direction='in' "
                             "AND number_id=? AND person=?", number, person["wa_id"])
        return row["t"] is not None and self.world.now_ms() - row["t"] < DAY

    def _accept(self, sender, person, body, held):
        wamid = new_wamid()
        with self.store.write():
            self.store.run("INSERT INTO message VALUES(?,?,?,?,?,?,?,?,?)", wamid, "out",
                           sender["id"], person["wa_id"], body["type"],
                           body.get("biz_opaque_callback_data"), "accepted",
                           self.world.now_ms(), json.dumps(body))
            self._plan_statuses(wamid, person)
        if body.get("to"):
            contact = {"input": body["to"], "wa_id": person["wa_id"]}
        else:
            contact = {"input": body["recipient"], "user_id": person["user_id"]}
        return Answer(200, {"messaging_product": "whatsapp", "contacts": [contact],
                            "messages": [{"id": wamid, **held}]})

    def _mark_read(self, body):
        found = self.store.row("SELECT 1 FROM message WHERE wamid=? AND direction='in'",
                               body.get("message_id"))
        if not found:
            raise Wrong(131009, "Message id is not a received message")
        self.store.run("UPDATE message SET status='read' WHERE wamid=?", body["message_id"])
        return Answer(200, {"success": True})

    # ---- statuses -------------------------------------------------------------------------

    def _plan_statuses(self, wamid, person):
        gap = self.world.setting("whatsapp_status_gap_ms")
        if not person["reachable"]:
            self.status(wamid, "failed", gap, code=131026)
            return
        for step, status in enumerate(self.world.setting("whatsapp_statuses"), 1):
            self.status(wamid, status, gap * step)

    def status(self, wamid, status, in_ms=0, code=131026):
        """Queues one status webhook and notes it at the message. KeyError: no such message."""
        row = self.store.row("SELECT * FROM message WHERE wamid=? AND direction='out'", wamid)
        if row is None:
            raise KeyError(f"no outgoing message {wamid}")
        person = self.store.thing("wa_contact", row["person"])
        entry = {"id": wamid, "status": status, "timestamp": self._stamp(),
                 "recipient_id": person["wa_id"]}
        if status != "failed":
            entry["recipient_user_id"] = person["user_id"]
        if row["opaque"] is not None:
            entry["biz_opaque_callback_data"] = row["opaque"]
        if status == "failed":
            entry["errors"] = [self._webhook_error(code)]
        elif status == "sent":
            entry["pricing"] = {"billable": True, "pricing_model": "PMP", "type": "regular",
                                "category": "utility" if row["type"] == "template" else "service"}
        value = {"statuses": [entry]}
        if status != "failed":
            value["contacts"] = [self._card(person)]
        self.store.run("UPDATE message SET status=? WHERE wamid=?", status, wamid)
        self.tell(row["number_id"], "status." + status, value, in_ms)

    def _webhook_error(self, code):
        title = TITLES.get(code, (400, "Error"))[1]
        return {"code": code, "title": title, "message": title,
                "error_data": {"details": title + "."},
                "href": "/documentation/business-messaging/whatsapp/support/error-codes"}

    def _stamp(self):
        return str(self.world.now_ms() // 1000)

    def _card(self, person):
        return {"profile": {"name": person["name"]}, "wa_id": person["wa_id"],
                "user_id": person["user_id"]}

    # ---- webhooks -------------------------------------------------------------------------

    def tell(self, number, event, value, in_ms=0, field="messages"):
        sender = self._number(number)
        digits = re.sub(r"\D", "", sender["display_phone_number"])
        frame = {"messaging_product": "whatsapp",
                 "metadata": {"display_phone_number": digits, "phone_number_id": number}}
        body = escaped({"object": "whatsapp_business_account", "entry": [
            {"id": sender["waba"], "changes": [{"value": {**frame, **value}, "field": field}]}]})
        self.world.hooks.add("whatsapp", event, self.world.options.hooks_whatsapp,
                             self.world.secret("whatsapp_app_secret"), body, in_ms)

    def inbound(self, wanted):
        """A patient writes. wanted: from, name?, number?, and text | button | button_reply |
        list_reply | message (any object of messages[]); context? (wamid); withhold_number?"""
        number = str(wanted.get("number") or self.store.things("wa_number")[0]["id"])
        person = self._contact(wanted["from"].lstrip("+"), wanted.get("name"))
        wamid = wanted.get("id") or new_wamid()
        message = {"from": person["wa_id"], "from_user_id": person["user_id"], "id": wamid,
                   "timestamp": self._stamp(), **self._content(wanted)}
        if wanted.get("context"):
            digits = re.sub(r"\D", "", self._number(number)["display_phone_number"])
            message["context"] = {"from": digits, "id": wanted["context"]}
        card = self._card(person)
        if wanted.get("withhold_number"):  # users with a username
            message.pop("from")
            card.pop("wa_id")
        with self.store.write():
            self.store.run("INSERT OR REPLACE INTO message VALUES(?,?,?,?,?,?,?,?,?)", wamid, "in",
                           number, person["wa_id"], message["type"], None, "received",
                           self.world.now_ms(), json.dumps(message))
            self.tell(number, "message." + message["type"],
                      {"contacts": [card], "messages": [message]})
        return {"id": wamid}

    def _content(self, wanted):
        if "message" in wanted:
            return wanted["message"]
        if "text" in wanted:
            return {"type": "text", "text": {"body": wanted["text"]}}
        if "button" in wanted:
            return {"type": "button", "button": wanted["button"]}
        for kind in ("button_reply", "list_reply", "nfm_reply"):
            if kind in wanted:
                return {"type": "interactive", "interactive": {"type": kind, kind: wanted[kind]}}
        raise ValueError("give one of text, button, button_reply, list_reply, nfm_reply, message")

    def handshake(self, token=None, challenge="1158201444"):
        """What Meta does when the URL is entered: (status, body) of the listener's answer."""
        token = token or self.world.secret("whatsapp_verify_token")
        url = self.world.options.hooks_whatsapp
        query = f"?hub.mode=subscribe&hub.challenge={challenge}&hub.verify_token={token}"
        status, body, _ = hooks.send("GET", url + query, {})
        return {"status": status, "body": body, "verified": status == 200 and body == challenge}

    # ---- account --------------------------------------------------------------------------

    @router.on("GET", "/{waba}/message_templates")
    def templates(self, request, waba):
        found = self.store.things("template")
        for key in ("name", "language", "status", "category"):
            if key in request.query:
                found = [t for t in found if t[key] == request.query[key]]
        limit = int(request.query.get("limit", 25))
        start = int(base64.b64decode(request.query["after"])) if "after" in request.query else 0
        page = found[start:start + limit]
        body = {"data": page}
        if page:
            cursors = {"before": base64.b64encode(str(start).encode()).decode(),
                       "after": base64.b64encode(str(start + len(page)).encode()).decode()}
            body["paging"] = {"cursors": cursors}
            if start + limit < len(found):
                after = cursors["after"]
                body["paging"]["next"] = ("https://graph.facebook.com/v25.0/"
                                          f"{waba}/message_templates?after={after}")
        return Answer(200, body)

    @router.on("POST", "/{waba}/message_templates")
    def create_template(self, request, waba):
        body = request.json({})
        for key in ("name", "language", "category", "components"):
            if not body.get(key):
                raise Wrong(100, f"The parameter {key} is required.")
        number = str(self.world.next_id("template", 594425479261700))
        template = {"parameter_format": "POSITIONAL", **body, "id": number, "status": "PENDING"}
        self.store.keep("template", f"{body['name']}/{body['language']}", template)
        return Answer(200, {"id": number, "status": "PENDING",
                            "category": body["category"].upper()})

    @router.on("GET", "/debug_token")
    def debug_token(self, request):
        valid = request.query.get("input_token") == self.world.secret("whatsapp_token")
        return Answer(200, {"data": {"is_valid": valid, "expires_at": 0, "type": "SYSTEM_USER",
                                     "scopes": ["whatsapp_business_messaging",
                                                "whatsapp_business_management"] if valid else []}})

    @router.on("POST", "/{number}/register")
    def register(self, request, number):
        self._number(number)
        if not re.fullmatch(r"\d{6}", str(request.json({}).get("pin", ""))):
            raise Wrong(131009, "pin must be six digits")
        return Answer(200, {"success": True})

    @router.on("POST", "/{waba}/subscribed_apps")
    def subscribe(self, request, waba):
        return Answer(200, {"success": True})

    @router.on("GET", "/{number}")
    def health(self, request, number):
        found = self._number(number)
        hidden = ("waba", "country_code")
        fields = request.query.get("fields", "display_phone_number,verified_name,quality_rating")
        wanted = [f for f in fields.split(",") if f in found and f not in hidden]
        return Answer(200, {**{key: found[key] for key in wanted}, "id": number})
