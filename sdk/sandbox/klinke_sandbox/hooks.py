"""Outgoing webhooks: signed like each vendor signs, tried again like each vendor tries.

A webhook is a row, written in the transaction of its cause. One thread looks what is due and
gives it to a small pool, so webhooks overtake each other as in the world. What was on its way
when the process died is sent again after the restart: at least once, hence sometimes twice.
"""
import hashlib
import hmac
import http.client
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

from . import clock

TIMEOUT_S = 10


def retell_signature(key, body, now_ms):
    stamp = str(now_ms)
    digest = hmac.new(key.encode(), body + stamp.encode(), hashlib.sha256).hexdigest()
    return f"v={stamp},d={digest}"


def signature_headers(vendor, secret, body, wrong=False):
    """Header name and value; a Retell signature is made anew at each try."""
    if wrong:
        secret = secret[::-1] + "?"
    if vendor == "retell":
        return {"X-Retell-Signature": retell_signature(secret, body, clock.real_ms())}
    digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    if vendor == "whatsapp":
        return {"X-Hub-Signature-256": "sha256=" + digest}
    return {"X-Cal-Signature-256": digest if secret else "no-secret-provided",
            "X-Cal-Webhook-Version": "2021-10-20"}


def send(method, url, headers, body=None, timeout=TIMEOUT_S):
    """(status, body text, headers). OSError and http.client.HTTPException as they come."""
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.netloc, timeout=timeout)
    try:
        target = (parts.path or "/") + ("?" + parts.query if parts.query else "")
        connection.request(method, target, body=body, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode("utf-8", "replace"), dict(answer.getheaders())
    finally:
        connection.close()


class Hooks:
    def __init__(self, world):
        self.world = world
        self.store = world.store
        self.work = threading.Event()
        self.changed = threading.Condition()
        self.pool = ThreadPoolExecutor(max_workers=16, thread_name_prefix="hook")
        self.stopping = False

    def start(self):
        self.store.run("UPDATE hook SET state='pending' WHERE state='sending'")
        self.thread = threading.Thread(target=self._loop, name="hooks", daemon=True)
        self.thread.start()

    def stop(self):
        self.stopping = True
        self._wake()
        self.thread.join(timeout=2)
        self.pool.shutdown(wait=False, cancel_futures=True)

    def add(self, vendor, event, url, secret, body, in_ms=0, headers=None):
        """Call inside the transaction of the cause. No URL: nobody listens, nothing happens."""
        if not url:
            return
        fault = self.world.faults.for_hook(vendor, event)
        if fault.get("lose"):
            return
        now = clock.real_ms()
        due = now + in_ms + fault.get("delay_ms", 0)
        twice = fault.get("twice")
        for number in range(2 if twice else 1):
            later = twice if number and twice is not True else 0
            self.store.run(
                "INSERT INTO hook(vendor,event,url,secret,headers,body,made_ms,due_ms,wrong) "
                "VALUES(?,?,?,?,?,?,?,?,?)", vendor, event, url, secret,
                json.dumps(headers or {}), body, now, due + later,
                1 if fault.get("wrong_signature") else 0)
        self._wake()

    def wait_idle(self, timeout_ms):
        """True once nothing is pending any more; False after timeout_ms."""
        sql = "SELECT count(*) AS n FROM hook WHERE state IN ('pending','sending')"
        end = clock.real_ms() + timeout_ms
        # The store is asked outside of the condition: its lock is the outer one elsewhere.
        while self.store.row(sql)["n"]:
            if clock.real_ms() >= end:
                return False
            with self.changed:
                self.changed.wait(0.05)
        return True

    def list(self):
        sql = ("SELECT id,vendor,event,url,state,tries,last,made_ms,due_ms,body "
               "FROM hook ORDER BY id")
        return [dict(row, body=row["body"].decode()) for row in self.store.rows(sql)]

    def _wake(self):
        self.work.set()
        with self.changed:
            self.changed.notify_all()

    def _loop(self):
        while not self.stopping:
            self.work.clear()
            self.work.wait(self._submit_due())

    def _submit_due(self):
        """Hands out what is due; returns the seconds until the next one, at most 0.25."""
        now = clock.real_ms()
        with self.store.write() as db:
            due = db.execute("SELECT * FROM hook WHERE state='pending' AND due_ms<=? "
                             "ORDER BY due_ms, id LIMIT 64", (now,)).fetchall()
            for row in due:
                db.execute("UPDATE hook SET state='sending' WHERE id=?", (row["id"],))
            following = db.execute("SELECT min(due_ms) AS t FROM hook "
                                   "WHERE state='pending'").fetchone()["t"]
        for row in due:
            self.pool.submit(self._deliver, row)
        if following is None:
            return 0.25
        return min(max(following - clock.real_ms(), 1) / 1000, 0.25)

    def _deliver(self, row):
        headers = {"Content-Type": "application/json", **json.loads(row["headers"]),
                   **signature_headers(row["vendor"], row["secret"] or "", row["body"],
                                       bool(row["wrong"]))}
        try:
            status, _, _ = send("POST", row["url"], headers, row["body"])
            delivered, last = 200 <= status < 300, str(status)
        except (OSError, http.client.HTTPException) as fault:
            delivered, last = False, type(fault).__name__
        self._settle(row, delivered, last)

    def _settle(self, row, delivered, last):
        pauses = self._pauses(row["vendor"], last)
        tries = row["tries"] + 1
        if delivered:
            state, due = "delivered", row["due_ms"]
        elif tries > len(pauses):
            state, due = "dropped", row["due_ms"]
        else:
            state, due = "pending", clock.real_ms() + pauses[tries - 1]
        self.store.run("UPDATE hook SET state=?, due_ms=?, tries=?, last=? WHERE id=?",
                       state, due, tries, last, row["id"])
        self._wake()

    def _pauses(self, vendor, last):
        """Milliseconds between the tries. Cal.com looks at no status, only at a dead line."""
        if vendor == "calcom" and last.isdigit():
            return []
        return getattr(self.world.options, "retry_" + vendor)
