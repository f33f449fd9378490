"""Webhooks as the vendors send them, signed or wrongly signed, and raw sockets to send them with."""
import hashlib
import hmac
import json
import socket
import time

import pytest

from world import a_world

RETELL_KEY = "key_sandbox"
CALCOM_SECRET = "lindenhof-webhook-secret"
WHATSAPP_SECRET = "0123456789abcdef0123456789abcdef"
AGENT = "agent_5d1f0a9be37c4426a81b6e90c2"


# ---- Bodies -------------------------------------------------------------------------------------

def call_body(call_id, event="call_ended", **call):
    """One webhook of Retell; call: members laid over the call object."""
    now = int(time.time() * 1000)
    return json.dumps({"event": event, "call": {
        "call_id": call_id, "call_type": "phone_call", "agent_id": AGENT, "call_status": "ended",
        "direction": "inbound", "from_number": "+491713920042", "to_number": "+493023125010",
        "start_timestamp": now - 60000, "end_timestamp": now, "disconnection_reason": "user_hangup",
        **call}}).encode()


def message_body(message_id, text="Guten Tag", number="491713920042", name="Jana Berger",
                 phone_number_id="106000000000001"):
    """One received text of WhatsApp."""
    return json.dumps({"object": "whatsapp_business_account", "entry": [{
        "id": "102000000000001", "changes": [{"field": "messages", "value": {
            "messaging_product": "whatsapp",
            "metadata": {"display_phone_number": "493023125010", "phone_number_id": phone_number_id},
            "contacts": [{"profile": {"name": name}, "wa_id": number}],
            "messages": [{"from": number, "id": message_id, "timestamp": str(int(time.time())),
                          "type": "text", "text": {"body": text}}]}}]}]}).encode()


def booking_body(uid, trigger="BOOKING_CREATED", start="2027-03-01T09:00:00Z",
                 end="2027-03-01T09:30:00Z", event_type=310455, **payload):
    """One webhook of Cal.com."""
    return json.dumps({"triggerEvent": trigger, "createdAt": "2026-11-22T12:00:00.000Z", "payload": {
        "uid": uid, "bookingId": 4711, "type": "kontrolle-30", "title": "Kontrolle", "eventTypeId": event_type,
        "startTime": start, "endTime": end, "status": "ACCEPTED",
        "organizer": {"id": 5012, "name": "Dr. Jana Petersen", "email": "petersen@lindenhof.example",
                      "timeZone": "Europe/Berlin"},
        "attendees": [{"name": "Max Muster", "email": "max@example.com", "timeZone": "Europe/Berlin",
                       "phoneNumber": "+491713920044"}],
        **payload}}).encode()


# ---- Signatures ---------------------------------------------------------------------------------

def digest(secret, *pieces):
    return hmac.new(secret.encode(), b"".join(pieces), hashlib.sha256).hexdigest()


def retell_headers(body, key=RETELL_KEY, at_ms=None):
    stamp = str(int(time.time() * 1000) if at_ms is None else at_ms)
    return {"Content-Type": "application/json",
            "X-Retell-Signature": f"v={stamp},d={digest(key, body, stamp.encode())}"}


def whatsapp_headers(body, secret=WHATSAPP_SECRET):
    return {"Content-Type": "application/json", "X-Hub-Signature-256": "sha256=" + digest(secret, body)}


def calcom_headers(body, secret=CALCOM_SECRET):
    return {"Content-Type": "application/json", "X-Cal-Signature-256": digest(secret, body),
            "X-Cal-Webhook-Version": "2021-10-20"}


SIGN = {"phone": retell_headers, "whatsapp": whatsapp_headers, "calendar": calcom_headers}


# ---- Raw sockets --------------------------------------------------------------------------------

def head(path, body=b"", headers=None, method="POST", length=None):
    """The head of a request, as bytes."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1"]
    lines += [f"{k}: {v}" for k, v in (headers or {}).items()]
    if length != "chunked":
        lines.append(f"Content-Length: {len(body) if length is None else length}")
    else:
        lines.append("Transfer-Encoding: chunked")
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


class Wire:
    """One connection, byte by byte."""

    def __init__(self, port, timeout=10):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self.began = time.monotonic()

    def send(self, data):
        self.socket.sendall(data)
        return self

    def receive(self):
        """Everything until the other side closes, or a reset."""
        got = b""
        try:
            while piece := self.socket.recv(65536):
                got += piece
        except ConnectionResetError:
            pass
        return got

    def status(self):
        """Of the next answer."""
        got = b""
        while b"\r\n" not in got:
            piece = self.socket.recv(4096)
            assert piece, f"the connection was closed without an answer: {got!r}"
            got += piece
        return int(got.split(b" ", 2)[1])

    def ended(self):
        """Seconds from the connection to its end by the host."""
        self.receive()
        return time.monotonic() - self.began

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


# ---- A world for a whole file ---------------------------------------------------------------------

def lasting_world(prepare):
    """A fixture: one world for all tests of a file, for those that do not disturb each other.
    prepare(world) changes its INI and starts what is wanted."""
    @pytest.fixture(scope="module")
    def fixture():
        with a_world() as made:
            prepare(made)
            yield made
    return fixture
