"""The two APIs on the page of plugin http: checked as they stand there, and played with a real host against
small stand-ins of Slack and Stripe that lose answers on request."""
import base64
import http.server
import json
import os
import re
import subprocess
import threading
import time
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest
from hooks_kit import digest
from world import BUILD, KLINKE, TENANT, TOP, free_port

PAGE = TOP / "plugins" / "http" / "README.md"
SECRETS = {"SLACK_BOT_TOKEN": "xoxb-of-the-test", "SLACK_SIGNING_SECRET": "signing-of-the-test",
           "STRIPE_KEY": "sk_of_the_test", "STRIPE_WEBHOOK_SECRET": "whsec_of_the_test"}
CHANNEL = "C0123456789"
PIPELINES = f"""
[pipeline answer]
on   = message.received
step = slack.reply to=(data ->> '$.channel') text=('Danke: ' || (data ->> '$.text')) reply_to=(data ->> '$.message_id')

[pipeline again]
on   = payment.expired
step = stripe.deposit booking=(data ->> '$.booking') amount=(data -> '$.amount')
as   = link
step = slack.send to={CHANNEL} text=(steps.link ->> '$.url')
"""


def examples():
    """Slack's and Stripe's connection, as the page has them."""
    return re.findall(r"^```ini\n(.*?)^```$", PAGE.read_text(), re.M | re.S)


def changed(text, pattern, to):
    out, count = re.subn(pattern, to, text, flags=re.M)
    assert count == 1, f"{pattern}: {count} times in the example"
    return out


def office(state, port, extra=""):
    return (f"[host]\nlisten = 127.0.0.1:{port}\nstate = {state}\nadmin_token = ${{KLINKE_ADMIN_TOKEN}}\n"
            f"plugins = {BUILD / 'plugins' / 'http'}\n{extra}"
            f"[tenant {TENANT}]\nname = Praxis\ntimezone = Europe/Berlin\nlanguage = de\n")


# ---- The vendors ------------------------------------------------------------------------------------

class Vendors:
    """Slack and Stripe, as far as the examples go. lose: answers to swallow, "before" or "after" the deed."""

    def __init__(self):
        self.messages, self.sessions, self.keys, self.events, self.asked = [], {}, [], [], []
        self.lose, self.lock = [], threading.Lock()
        vendors = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.act()

            def do_POST(self):
                self.act()

            def act(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                with vendors.lock:
                    status, answer = vendors.take(self.command, self.path, self.headers, body)
                if answer is None:  # nobody hears of it
                    self.connection.close()
                    return
                raw = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            def log_message(self, *arguments):
                pass

            def handle_one_request(self):
                try:
                    super().handle_one_request()
                except (ValueError, OSError):  # closed by act()
                    self.close_connection = True

        self.port = free_port()
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def take(self, method, target, headers, body):
        url = urlsplit(target)
        query = {k: v[0] for k, v in parse_qs(url.query).items()}
        self.asked.append((method, url.path))
        deeds = {("POST", "/slack/chat.postMessage"): self.post, ("GET", "/slack/conversations.history"): self.history,
                 ("GET", "/slack/conversations.replies"): self.replies,
                 ("POST", "/stripe/v1/checkout/sessions"): self.session, ("GET", "/stripe/v1/events"): self.listed}
        vendor = url.path.split("/")[1]
        token = {"slack": "SLACK_BOT_TOKEN", "stripe": "STRIPE_KEY"}[vendor]
        if headers["Authorization"] != f"Bearer {SECRETS[token]}":
            return 401, {"ok": False, "error": "invalid_auth"}
        creates = method == "POST"
        lost = self.lose.pop(0) if creates and self.lose else None
        answer = None if lost == "before" else deeds[method, url.path](query, headers, body)
        return (200, None) if lost else (200, answer)

    def post(self, _, headers, body):
        assert headers["Content-Type"] == "application/json; charset=utf-8"
        message = {**json.loads(body), "ts": f"{time.time():.6f}"}
        self.messages.append(message)
        return {"ok": True, "channel": message["channel"], "ts": message["ts"]}

    def history(self, query, *_):
        return self.found(query, None)

    def replies(self, query, *_):
        return self.found(query, query["ts"])

    def found(self, query, thread):
        found = [m for m in self.messages if float(m["ts"]) >= float(query["oldest"])
                 and m["channel"] == query["channel"] and m.get("thread_ts") == thread]
        return {"ok": True, "messages": found[::-1], "has_more": False}

    def session(self, _, headers, body):
        key = headers["Idempotency-Key"]
        self.keys.append(key)
        fields = dict(parse_qsl(body.decode()))
        made = self.sessions.setdefault(key, {"id": f"cs_{len(self.sessions)}", "fields": fields,
                                              "url": f"https://checkout.example/{len(self.sessions)}"})
        return made

    def listed(self, query, *_):
        found = [e for e in self.events[::-1] if e["created"] >= int(query["created[gte]"])]
        if "starting_after" in query:
            ids = [e["id"] for e in found]
            found = found[ids.index(query["starting_after"]) + 1:]
        return {"object": "list", "data": found[:2], "has_more": len(found) > 2}  # small pages


@pytest.fixture
def vendors():
    made = Vendors()
    yield made
    made.server.shutdown()
    made.server.server_close()


class AsWritten:
    """Stands in for world.ini: the page's two connections, pointed at the stand-ins."""

    def __init__(self, world, vendors):
        quick = "timeout = 1s\nretry_base = 50ms\nretry_cap = 200ms"
        text = ""
        for name, block in zip(("slack", "stripe"), examples()):
            block = changed(block, r"^base_url +=.*$", f"base_url = http://127.0.0.1:{vendors.port}/{name}\n{quick}")
            text += block + "\n"
        self.text = office(world.state, world.port, f"allow_private = 127.0.0.1:{vendors.port}\n"
                           "drain_timeout = 1s\n") + text + PIPELINES

    def __str__(self):
        return self.text


@pytest.fixture
def house(world, vendors):
    world.ini = AsWritten(world, vendors)
    world.secrets.update(SECRETS)
    world.start_host()
    return world


# ---- What they send -----------------------------------------------------------------------------------

def slack_headers(body, secret=SECRETS["SLACK_SIGNING_SECRET"]):
    stamp = str(int(time.time()))
    return {"X-Slack-Request-Timestamp": stamp,
            "X-Slack-Signature": "v0=" + digest(secret, f"v0:{stamp}:".encode(), body)}


def stripe_headers(body, secret=SECRETS["STRIPE_WEBHOOK_SECRET"]):
    stamp = str(int(time.time()))
    return {"Stripe-Signature": f"t={stamp},v1={digest(secret, stamp.encode(), b'.', body)},v0=00"}


def written(id_, text="Ist Dienstag frei?", **event):
    return json.dumps({"type": "event_callback", "event_id": id_, "event_time": int(time.time()), "team_id": "T1",
                       "event": {"type": "message", "channel": CHANNEL, "user": "U1", "text": text, "ts": "17.1",
                                 **event}}).encode()


def paid(id_, type_="checkout.session.completed", status="paid"):
    return {"id": id_, "object": "event", "type": type_, "created": int(time.time()),
            "data": {"object": {"id": f"cs_{id_}", "payment_status": status, "client_reference_id": "bk_1",
                                "amount_total": 2500, "currency": "eur",
                                "customer_details": {"email": "jana@example.org"}}}}


def read(world):
    world.wait(lambda: not world.status()["webhooks_waiting"], "all webhooks are read")


def done(world, pipeline, count=1):
    return world.wait(lambda: (jobs := world.jobs("done", pipeline=f"agency/{pipeline}")) and len(jobs) == count
                      and jobs, f"{pipeline} is done")


# ---- klinke check ---------------------------------------------------------------------------------------

def check(tmp_path, text):
    file = tmp_path / "office.ini"
    file.write_text(text)
    return subprocess.run([str(KLINKE), "check", "-c", str(file)], text=True, capture_output=True, timeout=60,
                          env={**os.environ, "KLINKE_ADMIN_TOKEN": "token-of-the-test", **SECRETS})


def test_the_examples_are_fine_as_they_stand(tmp_path):
    assert len(examples()) == 2
    told = check(tmp_path, office(tmp_path / "s", 8080) + "\n".join(examples()) + PIPELINES)
    assert (told.returncode, told.stderr) == (0, ""), told.stderr


@pytest.mark.parametrize("pattern, to, expected", [
    (r"^op\.send +=.*$", "op.send = chat.postMessage", r"op\.send.*method and a path"),
    (r'"thread_ts": "\{reply_to\}"', '"thread_ts": {reply_to}', r"op\.reply\.json.*in quotes"),
    (r"^op\.send\.lookup\.found +=.*$", "", r"op\.send\.lookup.*found"),
    (r"^fail\.gone +=.*archived$", "fail.missing = 404", r"fail\.missing.*no class"),
    (r"^hook\.signed +=.*v0.*$", "hook.signed = {$time}", r"hook\.signed.*\{\$body\}"),
    (r"^event\.slack\.other +=.*$", "event.slack.other = /type =", r"event\.slack\.other.*nothing to compare"),
    (r"^poll\.events\.items +=.*$", "", r"poll\.events.*items"),
    (r"^poll_events +=.*$", "poll_event = 10m", r'no poll "event".*poll_events'),
    (r"^step = slack\.reply to=\(data.*$", "step = slack.sned", r'no operation "sned".*"send"'),
    (r"^on   = payment\.expired$", "on = payment.lost", r"payment\.lost"),
])
def test_a_slip_is_told_with_its_place(tmp_path, pattern, to, expected):
    text = changed(office(tmp_path / "s", 8080) + "\n".join(examples()) + PIPELINES, pattern, to)
    told = check(tmp_path, text)
    assert told.returncode == 78
    assert re.search(r"office\.ini:\d+:\d+: error: .*" + expected, told.stderr), told.stderr


# ---- Slack ------------------------------------------------------------------------------------------------

def test_slack_is_answered_once(house, vendors):
    body = written("Ev1")
    assert house.hook("slack", body, slack_headers(body, "guess"))[0] == 401
    assert house.hook("slack", body)[0] == 401
    for _ in range(3):  # Slack tries again when our answer is late
        assert house.hook("slack", body, slack_headers(body))[0] == 200
    done(house, "answer")
    read(house)
    bot = written("Ev2", bot_id="B1")
    assert house.hook("slack", bot, slack_headers(bot))[0] == 200
    house.wait(lambda: house.events("slack.other"), "what a bot wrote is known, and no message")
    assert [(m["channel"], m["text"], m["thread_ts"]) for m in vendors.messages] == \
        [(CHANNEL, "Danke: Ist Dienstag frei?", "17.1")]
    assert len(house.events("message.received")) == 1


def test_slacks_challenge_is_answered_only_if_signed(house):
    body = json.dumps({"type": "url_verification", "token": "t", "challenge": "3eZbrw1a"}).encode()
    status, answer, headers = house.hook("slack", body, slack_headers(body))
    assert (status, answer, headers["content-type"].split(";")[0]) == (200, b"3eZbrw1a", "text/plain")
    assert house.hook("slack", body)[0] == 401
    assert house.inbox() == []


@pytest.mark.parametrize("lost", ["after", "before"])
def test_a_lost_answer_in_a_thread_is_looked_up_and_is_there_once(house, vendors, lost):
    vendors.lose = [lost]
    body = written("Ev1")
    assert house.hook("slack", body, slack_headers(body))[0] == 200
    done(house, "answer")
    assert len(vendors.messages) == 1
    assert ("GET", "/slack/conversations.replies") in vendors.asked
    assert vendors.asked.count(("POST", "/slack/chat.postMessage")) == (1 if lost == "after" else 2)


@pytest.mark.parametrize("lost", ["after", "before"])
def test_a_lost_message_is_looked_up_and_is_there_once(house, vendors, lost):
    body = json.dumps(paid("evt_1", "checkout.session.expired", "unpaid")).encode()
    vendors.lose = [None, lost]  # Stripe's answer arrives
    assert house.hook("stripe", body, stripe_headers(body))[0] == 200
    done(house, "again")
    assert [m["text"] for m in vendors.messages] == ["https://checkout.example/0"]
    assert ("GET", "/slack/conversations.history") in vendors.asked
    assert vendors.asked.count(("POST", "/slack/chat.postMessage")) == (1 if lost == "after" else 2)


def test_a_wrong_token_pauses_the_connection_and_is_never_shown(house, vendors):
    real, SECRETS["SLACK_BOT_TOKEN"] = SECRETS["SLACK_BOT_TOKEN"], "xoxb-another"  # of the vendor's side
    try:
        told = house.call(f"{TENANT}/slack.send", {"to": CHANNEL, "text": "Hallo"}, check=False)
    finally:
        SECRETS["SLACK_BOT_TOKEN"] = real
    assert vendors.messages == [] and "bad auth" in json.dumps(told), told
    stored = b"".join(p.read_bytes() for p in house.state.rglob("*") if p.is_file())
    for secret in SECRETS.values():
        assert secret not in house.log() and secret not in json.dumps(told)
        assert secret.encode() not in stored and base64.b64encode(secret.encode()) not in stored


class Guarded(Vendors):
    """Lets in one user with one password; who has tried is in `tried`."""

    def __init__(self):
        self.tried = []
        super().__init__()

    def take(self, method, target, headers, body):
        self.tried.append(base64.b64decode(headers["Authorization"].split()[1]).decode())
        return (200, {"ok": True}) if self.tried[-1] == "new:new-password" else (401, {"ok": False})


@pytest.fixture
def guarded():
    made = Guarded()
    yield made
    made.server.shutdown()
    made.server.server_close()


def test_a_new_password_goes_with_its_user(world, guarded):
    """What began before a reload goes on as it was configured, but with today's credential, all of it."""
    world.ini.drop("pipeline")
    world.ini["host"]["plugins"] += f" {BUILD / 'plugins' / 'http'}"
    world.ini["host"].add("allow_private", f"127.0.0.1:{guarded.port}")
    world.secrets.update({"LAB_OLD": "old-password", "LAB_NEW": "new-password"})
    lab = world.ini.add("connection lab", tenant=TENANT, plugin="http", base_url=f"http://127.0.0.1:{guarded.port}",
                        auth="basic", user="old", password="${LAB_OLD}", **{"op.ask": "GET /ask"})
    world.ini.add("pipeline ask", on="message.received", step="lab.ask")
    world.start()
    world.control("/whatsapp/inbound", {"from": "491713920042", "text": "Hallo"})
    world.wait(lambda: world.jobs("ready", fail="bad auth"), "the old one is refused")
    lab["user"], lab["password"] = "new", "${LAB_NEW}"
    world.reload()
    world.wait(lambda: len(guarded.tried) > 1, "it is tried again")
    assert guarded.tried == ["old:old-password", "new:new-password"]
    done(world, "ask")


# ---- Stripe -----------------------------------------------------------------------------------------------

def test_a_deposit_is_created_once_whatever_gets_lost(house, vendors):
    vendors.lose = ["after", "before"]
    body = json.dumps(paid("evt_1", "checkout.session.expired", "unpaid")).encode()
    assert house.hook("stripe", body, stripe_headers(body, "guess"))[0] == 401
    assert house.hook("stripe", body, stripe_headers(body))[0] == 200
    done(house, "again")
    assert len(vendors.sessions) == 1 and len(set(vendors.keys)) == 1 and len(vendors.keys) == 2
    fields = next(iter(vendors.sessions.values()))["fields"]
    assert fields["client_reference_id"] == "bk_1"
    assert fields["line_items[0][price_data][unit_amount]"] == "2500"
    assert fields["line_items[0][price_data][product_data][name]"] == "Anzahlung"
    assert "customer_email" not in fields
    assert [m["text"] for m in vendors.messages] == ["https://checkout.example/0"]


def test_what_no_webhook_told_is_polled_and_what_both_told_is_one(house, vendors):
    vendors.events = [paid(f"evt_{i}") for i in range(5)]
    body = json.dumps(vendors.events[4]).encode()
    assert house.hook("stripe", body, stripe_headers(body))[0] == 200
    house.wait(lambda: house.events("payment.received"), "the webhook is read")
    house.ini.text = changed(house.ini.text, r"^poll_events +=.*$", "poll_events = 1s")
    house.reload()
    house.wait(lambda: len(house.events("payment.received")) == 5, "all pages are read")
    vendors.events.append(paid("evt_5"))
    house.wait(lambda: len(house.events("payment.received")) == 6, "and what came later")
    before = vendors.asked.count(("GET", "/stripe/v1/events"))
    house.wait(lambda: vendors.asked.count(("GET", "/stripe/v1/events")) > before + 3, "it is asked once more")
    assert len(house.events("payment.received")) == 6
