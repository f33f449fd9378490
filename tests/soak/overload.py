"""Overload: thousands of connections send webhooks as fast as they are answered, far more than can be stored; others
send theirs byte by byte, or nothing at all. Who is on the line is answered meanwhile, who is refused is told when to
come again, and whatever got its 2xx is there afterwards, once. Memory has a bound, and nobody has to help.
"""
import http.client
import json
import resource
import socket
import sqlite3
import subprocess
import threading
from pathlib import Path

import line
import office
from driver import Driver
from hooks_kit import call_body, head, retell_headers
from oracle import Ledger, Oracle, judge
from world import BUILD, SECRETS, TENANT

ROUNDS, BATCH = 2, 1
SECONDS = 60
CONNECTIONS, SLOW, IDLE = 5000, 200, 200
KINDS = {"call": 2, "text": 6, "booking": 2, "idle": 2}
RATE = 10            # of webhooks that the oracle follows, beside the flood
MOST_KB = 768 * 1024
MOST_LOG_MB = 2048   # of SQLite's log: nothing that reads for long may keep it from beginning anew
GROWN = 1.3          # a second flood may need a little more than the first, for rows and maps: not twice as much


def furnish(world, connections):
    line.furnish(world)
    world.ini["host"]["max_connections"] = connections + SLOW + IDLE + 200
    world.ini["host"]["log_level"] = "error"
    world.ini["pipeline book"]["when"] = "data ->> 'appointment_requested' and data ->> 'call_id' not like 'flood%'"


def allow_files(connections):
    """This process and its children may have that many sockets; how many connections that leaves."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    wanted = connections + 2 * (SLOW + IDLE) + 1000
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard), hard))
    return connections if hard >= wanted else hard - (wanted - connections)


class Dawdlers:
    """Some who send a request byte by byte, and some who never send one."""

    def __init__(self, world, slow, idle):
        body = call_body("dawdler")
        self.bytes = head(f"/hooks/{TENANT}/phone", body, retell_headers(body)) + body
        self.sockets = [socket.create_connection(("127.0.0.1", world.port)) for _ in range(slow + idle)]
        self.slow, self.sent, self.stopping = slow, 0, threading.Event()
        self.thread = threading.Thread(target=self._work, daemon=True)

    def _work(self):
        while not self.stopping.wait(0.05) and self.sent < len(self.bytes) - 1:
            for one in self.sockets[:self.slow]:
                try:
                    one.send(self.bytes[self.sent:self.sent + 1])
                except OSError:
                    pass  # the host had enough of it
            self.sent += 1

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.thread.join()
        for one in self.sockets:
            one.close()


class Samples:
    """What a refused vendor reads: each answer that is no 2xx must be a 503 with Retry-After. How long the log is."""

    def __init__(self, world):
        self.world, self.statuses, self.wrong, self.log_mb = world, {}, [], 0
        self.log = world.state / "klinke.db-wal"
        self.count, self.stopping = 0, threading.Event()
        self.thread = threading.Thread(target=self._work, daemon=True)

    def _work(self):
        while not self.stopping.wait(0.01):
            self.count += 1
            self.log_mb = max(self.log_mb, self.log.stat().st_size >> 20)
            body = call_body(f"sample{self.count}")
            try:
                status, answer, headers = self.world.hook("phone", body, retell_headers(body))
            except (OSError, http.client.HTTPException) as fault:
                self.wrong.append(f"NO ANSWER: {fault!r}")
                continue
            self.statuses[status] = self.statuses.get(status, 0) + 1
            if status not in (200, 204) and not (status == 503 and int(headers.get("retry-after", 0)) > 0):
                self.wrong.append(f"REFUSED: {status} {headers} {answer[:100]!r}")

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.thread.join()


def flood(world, run, connections, seconds, stuck=False):
    """tests/bench/load at as many connections as there shall be: what it says of itself. With a disk that is stuck
    until there is no room: it may keep up with a flood that is short."""
    load = subprocess.Popen([str(word) for word in (
        BUILD / "tests" / "bench" / "load", "--to", f"127.0.0.1:{world.port}", "--path", f"/hooks/{TENANT}/phone",
        "--key", SECRETS["RETELL_API_KEY"], "--run", run, "--connections", connections, "--seconds", seconds)],
        stdout=subprocess.PIPE, text=True)
    if stuck:
        with world.stuck_disk():
            world.wait(lambda: world.metrics()["klinke_webhooks_refused_total"], "there is no room for more")
    told, _ = load.communicate()
    assert load.returncode == 0
    return json.loads(told)


def peak_kb(world):
    return int(Path(f"/proc/{world.host.pid}/status").read_text().split("VmHWM:")[1].split()[0])


def stored(world, run):
    """(calls, events) of a flood on record."""
    with sqlite3.connect(f"file:{world.state}/klinke.db?mode=ro", uri=True) as db:
        return db.execute("SELECT count(DISTINCT subject), count(*) FROM event WHERE type = 'call.analyzed' "
                          "AND subject LIKE ?", (f"call:{run}-%",)).fetchone()


def only_followed(world):
    """For the oracle: calls and webhooks without the flood's, which are more than anybody can list."""
    everything = world.events
    types = ("message.received", "booking.created", "message.sent", "message.delivered", "message.read")

    def events(type_=None, **fields):
        if type_:
            return everything(type_, **fields)
        with sqlite3.connect(f"file:{world.state}/klinke.db?mode=ro", uri=True) as db:
            calls = [subject for subject, in db.execute(
                "SELECT DISTINCT subject FROM event WHERE type = 'call.analyzed' AND subject NOT LIKE 'call:flood%'")]
        return [e for call in calls for e in world.rows("events", "--type", "call.analyzed", "--subject", call)] + [
            e for one in types for e in everything(one, **fields)]
    world.events = events
    world.inbox = lambda: world.api("GET", "/inbox?state=new,parked&limit=100000")["rows"]


def run(world, seed, rounds, seconds=SECONDS, connections=CONNECTIONS, slow=SLOW, idle=IDLE, times=2, stuck=False):
    connections = allow_files(connections)
    furnish(world, connections)
    ledger = Ledger(world.directory / "ledger.jsonl")
    office.start(world)
    driver, floods, peaks = Driver(world, ledger, seed, RATE, kinds=KINDS), {}, []
    with line.Callers(world, overloaded=True) as callers, Samples(world) as samples, Dawdlers(world, slow, idle), driver:
        for n in range(times * rounds):
            name = f"flood{seed}n{n}"
            floods[name] = flood(world, name, connections, seconds, stuck)
            peaks.append(peak_kb(world))
    world.wait(lambda: not world.status()["webhooks_waiting"], "everything is read, without help", 300)
    only_followed(world)
    verdict = judge(Oracle(world, ledger), driver)
    line.judge(world, callers, verdict)
    for text in samples.wrong[:20]:
        verdict.wrong(text)
    for name, told in floods.items():
        calls, events = stored(world, name)
        verdict.counts["acknowledged"] += told["answered"]
        verdict.counts["refused"] += told["failed"]
        if events != calls or not told["answered"] <= calls <= told["sent"]:
            verdict.wrong(f"LOST OR TWICE: {told['answered']} of {told['sent']} were acknowledged, {calls} calls and "
                          f"{events} events are there")
    verdict.counts.update({"connections": connections, "MB of log at most": samples.log_mb,
                           "kB of memory at most": peaks[-1],
                           "of which after the first flood": peaks[0],
                           **{f"samples answered {status}": n for status, n in samples.statuses.items()}})
    if samples.log_mb > MOST_LOG_MB:
        verdict.wrong(f"LOG: {samples.log_mb} MB")
    if peaks[-1] > MOST_KB or peaks[-1] > GROWN * peaks[0]:
        verdict.wrong(f"MEMORY: {peaks} kB")
    return verdict
