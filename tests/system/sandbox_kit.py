"""Starts the sandbox of the vendors and takes its webhooks; for tests, without any klinke."""
import hashlib
import hmac
import http.client
import http.server
import json
import os
import subprocess
import threading
import time

import pytest

PROGRAM = os.path.join(os.path.dirname(__file__), "..", "..", "sdk", "sandbox", "klinke-sandbox")
NUMBER = "/whatsapp/v25.0/106000000000001"


class Listener:
    """Takes webhooks. answers: statuses to give first (200 when used up). bodies: what to answer
    below a path, a JSON value or a text ({} where there is none)."""

    def __init__(self):
        self.got, self.answers, self.changed = [], [], threading.Condition()
        self.bodies = {}
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def take(self, length):
                body = self.rfile.read(length)
                with outer.changed:
                    status = outer.answers.pop(0) if outer.answers else 200
                    outer.got.append((self.path, {k.lower(): v for k, v in self.headers.items()},
                                      body, time.monotonic()))
                    outer.changed.notify_all()
                answer = outer.answer_to(self.path)
                self.send_response(status)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def do_POST(self):
                self.take(int(self.headers["Content-Length"]))

            def do_GET(self):
                if "hub.challenge=" not in self.path:
                    self.take(0)
                    return
                challenge = self.path.partition("hub.challenge=")[2].partition("&")[0].encode()
                self.send_response(200 if "zahn-geheim" in self.path else 403)
                self.send_header("Content-Length", str(len(challenge)))
                self.end_headers()
                self.wfile.write(challenge)

            def log_message(self, *arguments):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        self.url = "http://127.0.0.1:%d" % self.server.server_address[1]

    def answer_to(self, path):
        found = next((self.bodies[p] for p in self.bodies if path.startswith(p)), {})
        return (found if isinstance(found, str) else json.dumps(found)).encode()

    def wait(self, count, path="/", timeout=10):
        """The first count deliveries below path; fails the test when they do not come."""
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.below(path)) >= count, timeout), \
                f"{len(self.below(path))} of {count} webhooks came to {path}"
            return self.below(path)

    def below(self, path):
        return [got for got in self.got if got[0].startswith(path)]

    def events(self, path="/"):
        return [json.loads(got[2]) for got in self.below(path)]

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Sandbox:
    def __init__(self, state, listener, *options):
        self.state, self.listener, self.options = state, listener, options
        self.start()

    def start(self):
        url = self.listener.url
        self.process = subprocess.Popen(
            [PROGRAM, "--listen", "127.0.0.1:0", "--state", str(self.state),
             "--hooks-retell", url + "/retell", "--hooks-calcom", url + "/calcom",
             "--hooks-whatsapp", url + "/whatsapp", "--retry-retell", "20,20",
             "--retry-whatsapp", "0,20,20,20,20,20", *self.options],
            stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        assert line.startswith("listening on "), line
        self.port = int(line.rpartition(":")[2])

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def call(self, method, path, body=None, headers=None, timeout=10):
        """(status, JSON or text, headers)."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            raw = body if isinstance(body, (bytes, type(None))) else json.dumps(body).encode()
            connection.request(method, path, raw, headers or {})
            answer = connection.getresponse()
            text = answer.read().decode()
        finally:
            connection.close()
        try:
            return answer.status, json.loads(text), dict(answer.getheaders())
        except ValueError:
            return answer.status, text, dict(answer.getheaders())

    def control(self, path, body=None, method=None):
        status, answer, _ = self.call(method or ("GET" if body is None else "POST"),
                                      "/_control" + path, body)
        assert status == 200, answer
        return answer

    def v2(self, method, path, body=None, version="2024-08-13", key="cal_live_sandbox"):
        headers = {"cal-api-version": version} if version else {}
        if key:
            headers["Authorization"] = "Bearer " + key
        return self.call(method, "/calcom/v2" + path, body, headers)[:2]

    def v1(self, method, path, body=None):
        joint = "&" if "?" in path else "?"
        return self.call(method, f"/calcom/v1{path}{joint}apiKey=cal_live_sandbox", body)[:2]

    def slots(self, query, version="2024-09-04"):
        return self.v2("GET", "/slots?" + query, version=version, key=None)

    def send(self, body):
        body = {"messaging_product": "whatsapp", "to": "+491713920042", **body}
        return self.call("POST", NUMBER + "/messages", body,
                         {"Authorization": "Bearer EAAsandbox"})[:2]

    def retell(self, method, path, body=None):
        key = {"Authorization": "Bearer key_sandbox"}
        return self.call(method, "/retell" + path, body, key)[:2]


def check_retell_signature(headers, body):
    stamp, digest = headers["x-retell-signature"].removeprefix("v=").split(",d=")
    assert abs(time.time() * 1000 - int(stamp)) < 300_000
    assert digest == hmac.new(b"key_sandbox", body + stamp.encode(), hashlib.sha256).hexdigest()


@pytest.fixture
def listener():
    made = Listener()
    yield made
    made.close()


@pytest.fixture
def box(tmp_path, listener):
    made = Sandbox(tmp_path / "state", listener)
    yield made
    made.kill()
