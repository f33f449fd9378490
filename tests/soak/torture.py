"""Every call fails once: malloc, read, write, fsync, open, accept, connect, fork and their like, in the host and in
all libraries it uses. A scenario is played with the first call of a kind failing, then the second, and so on until it
has no more of them; one process serves them all, and must be alive, owe nothing and answer the next request each time.

    python3 tests/soak/torture.py [--call KIND,…] [--scenario NAME,…] [--from N] [--to N] [--every N] [--seed N]

A call is failed by fail.c, which is preloaded; how (which errno, or cut short) goes round with N.
Needs a build whose sanitizers, if any, are shared libraries: gcc's.
"""
import argparse
import http.client
import json
import mmap
import os
import random
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import office
from driver import Driver
from oracle import Ledger, Oracle
from desk_kit import Call, answering, spoken
from hooks_kit import SIGN
from world import BUILD, KLINKE, LIBC, TENANT, World, die_with_parent, request, wait

# As enum kind of fail.c; and in how many ways each may fail.
KINDS = ["", "malloc", "read", "recv", "write", "send", "fsync", "open", "accept", "connect", "fork", "mmap",
         "thread", "epoll", "descriptor", "wait", "resolve", "truncate"]
HOST, ZYGOTE, WORKER = range(3)
LAYOUT = struct.Struct("=IIQQIIQQiI40Q")  # struct table of fail.c, but for its places
PLACES = 8 << 16
ADDR_NO_RANDOMIZE = 0x0040000
BATCH = 60        # rounds with one store
JITTER = 1000     # by so many calls one play may differ from the one before
TELL = 300        # rounds between two lines that it goes on
REST_S = float(os.environ.get("PATIENCE_S", "20"))
LATER = (500, 503)  # what a host that lacks something may say; never that the sender was wrong
LIBUV_ABORTS = re.compile(r"^[^<]* < uv_run ")
TOKEN = {"Authorization": "Bearer token-of-the-test"}


# ---- The shim ----------------------------------------------------------------------------------------------

def sanitizer():
    """The shared library of the build's sanitizers, which must be loaded behind the shim; or None."""
    out = subprocess.run(["ldd", str(KLINKE)], capture_output=True, text=True, check=True).stdout
    found = re.search(r"libasan\S* => (\S+)", out)
    return found.group(1) if found else None


def build_shim(directory):
    """fail.c, built; without the sanitizers, whatever the build has."""
    made = Path(directory) / "fail.so"
    subprocess.run(["cc", "-std=gnu11", "-O1", "-g", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared",
                    "-D_GNU_SOURCE", "-U_FORTIFY_SOURCE", str(Path(__file__).with_name("fail.c")), "-o", str(made)],
                   check=True)
    return made


class Table:
    """The shared file by which a call is made to fail."""

    def __init__(self, path):
        self.path = Path(path)
        if not self.path.exists():
            self.path.write_bytes(bytes(LAYOUT.size + PLACES))
        self.file = open(self.path, "r+b")
        self.map = mmap.mmap(self.file.fileno(), LAYOUT.size + PLACES)

    def arm(self, kind, nth, variant, role=HOST, first=0):
        """nth 0: the first call from a place that has not failed yet, but none before first."""
        self.disarm()
        LAYOUT.pack_into(self.map, 0, 0, role, nth, first, variant, 0, 0, 0, 0, 0, *[0] * 40)
        struct.pack_into("=I", self.map, 0, KINDS.index(kind))

    def disarm(self):
        struct.pack_into("=I", self.map, 0, 0)

    @property
    def fired(self):
        return bool(LAYOUT.unpack_from(self.map)[5])

    @property
    def at(self):
        """Which call it was that failed."""
        return LAYOUT.unpack_from(self.map)[7]

    def how(self):
        error = LAYOUT.unpack_from(self.map)[8]
        return "cut short" if error < 0 else errno_name(error)

    def frames(self):
        values = LAYOUT.unpack_from(self.map)
        return values[10:10 + values[9]]


def errno_name(number):
    import errno
    return errno.errorcode.get(number, str(number))


class Places:
    """Names of addresses in a process, while it lives or by a copy of its map."""

    def __init__(self, pid):
        self.maps = []
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            parts = line.split(None, 5)
            if len(parts) == 6 and parts[5].startswith("/"):
                begin, end = (int(x, 16) for x in parts[0].split("-"))
                self.maps.append((begin, end, int(parts[2], 16), parts[5]))

    def where(self, address):
        """(file, offset) or None."""
        for begin, end, offset, path in self.maps:
            if begin <= address < end:
                return path, address - begin + offset
        return None

    def key(self, frames):
        """The same for the same stack in another process."""
        found = [self.where(f) for f in frames[2:10]]
        return tuple((Path(f[0]).name, f[1]) if f else None for f in found)

    def names(self, frames):
        """One line of functions, innermost first."""
        lines = []
        for address in frames[1:]:
            found = self.where(address - 1)
            if not found or "/fail.so" in found[0] or "libasan" in found[0]:
                continue
            out = subprocess.run(["addr2line", "-Cfpse", found[0], hex(found[1])], capture_output=True, text=True)
            name = out.stdout.strip().replace("?? ??:0", "?")
            lines.append(name if name and name != "?" else Path(found[0]).name)
        return " < ".join(lines[:16])


# ---- The world ---------------------------------------------------------------------------------------------

def prepare():
    """In the child: addresses are the same in each process, so that places are."""
    die_with_parent()
    LIBC.personality(ADDR_NO_RANDOMIZE)


class Tortured(World):
    """A world whose host has the shim; its verbs have not."""

    def __init__(self, directory, shim):
        super().__init__(directory)
        self.table = Table(shim.with_name("table"))
        self.places = None
        sanitizers = sanitizer()
        self.shim = {"KLINKE_FAIL": str(self.table.path),
                     "LD_PRELOAD": " ".join(str(x) for x in (shim, sanitizers) if x)}
        if sanitizers:
            options = os.environ.get("ASAN_OPTIONS", "")
            spared = shim.with_name("lsan")  # ld.so's own, which is not seen as such through the shim
            spared.write_text("leak:dl_open_worker\n")
            self.shim["LSAN_OPTIONS"] = f"suppressions={spared}"
            self.shim["ASAN_OPTIONS"] = f"{options}:verify_asan_link_order=0:allocator_may_return_null=1"

    def launch_host(self):
        self.write_ini()
        with open(self.host_log, "ab") as log:
            self.host = subprocess.Popen([str(KLINKE), "run"], env={**self.environment, **self.shim},
                                         stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                         preexec_fn=prepare)

    def wait_for_host(self):
        super().wait_for_host()
        self.places = Places(self.host.pid)

    def ask(self, verb, **members):
        """A verb over the control socket: the answer, or None if there was none."""
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(REST_S)
            try:
                s.connect(str(self.state / "control.sock"))
                s.sendall(json.dumps({"verb": verb, **members}).encode() + b"\n")
                got = b""
                while not got.endswith(b"\n"):
                    piece = s.recv(65536)
                    if not piece:
                        return None
                    got += piece
                return json.loads(got)
            except TimeoutError:
                raise Wrong(f"the control socket does not answer {verb}") from None
            except OSError:
                return None

    def http(self, method, path, body=None, headers=None):
        """(status, bytes), or (0, b"") if the connection ended without an answer."""
        try:
            return request(self.port, method, path, body, headers, REST_S)[:2]
        except TimeoutError:
            raise Wrong(f"no answer to {method} {path}") from None
        except (OSError, http.client.HTTPException):
            return 0, b""

    def idle(self):
        """Nothing is left to do, here and at the vendors'."""
        for _ in range(2):
            self.alive()
            status = self.ask("status")
            if not status or "jobs" not in status or status["webhooks_waiting"]:
                return False
            if status["jobs"]["ready"] or status["jobs"]["queued"]:
                return False
            if not self.hooks_are_idle():
                return False
        return True

    def answers(self, path):
        try:
            return request(self.port, "GET", path)[0] in (200, 503)
        except (OSError, http.client.HTTPException):
            return False

    def hooks_are_idle(self):
        return request(self.sandbox_port, "POST", "/_control/hooks/wait", '{"timeout_ms":1000}',
                       {"Content-Type": "application/json"})[0] == 200

    def alive(self):
        if self.host.poll() is not None:
            raise Died(f"the host ended with {self.host.returncode}")

    def rest(self):
        end = time.monotonic() + REST_S
        while not self.idle():
            if time.monotonic() > end:
                raise Wrong(f"not at rest: {self.ask('status')}")
            time.sleep(0.01)


def excused(world, kind, names):
    """libuv aborts when epoll_ctl() refuses a descriptor in its loop, and at the start when there is no descriptor for
    its pipe of signals; it gives nobody a chance to prevent it. The host is started again then, and owes nothing."""
    if sanitizer() and "pthread_getattr_np" in names:
        return True  # AddressSanitizer's own, when a thread begins: it ends the process
    return world.host.poll() == -signal.SIGABRT and (
        kind == "epoll" and bool(LIBUV_ABORTS.search(names)) or "uv_once" in names and "uv_loop_init" in names)


class Wrong(Exception):
    """A promise that was not kept."""


class Died(Wrong):
    pass


# ---- Scenarios ---------------------------------------------------------------------------------------------
# Each has prepare(world) before and begun(world) after the start, play(n) under torture, probe() afterwards: the next
# request works; and judge(), of all rounds with this store: sentences about what is wrong.

def takes(world, owed, driver, what):
    """One sending; true if it was acknowledged."""
    status, body = world.http("POST", f"/hooks/{TENANT}/{owed.connection}", owed.body,
                              SIGN[owed.connection](owed.body))
    if status and not 200 <= status < 300 and status not in LATER:
        raise Wrong(f"{what} was refused with {status}: {body[:300]!r}")
    return 200 <= status < 300


class Story:
    """A call ends: its webhook, a booking, the calendar's webhook, a message, and what becomes of it."""

    def __init__(self, world, seed):
        self.world, self.seed = world, seed
        office.furnish(world)
        self.ledger = Ledger(world.directory / "ledger.jsonl")

    def begun(self):
        office.open_calendar(self.world)
        self.driver = Driver(self.world, self.ledger, self.seed)

    def send(self, kind, first_counts=False):
        """As a vendor does, again and again."""
        owed = self.driver.make(kind)
        self.ledger.promise(owed)
        for n in range(200):
            self.world.alive()
            if takes(self.world, owed, self.driver, f"the webhook of {owed}"):
                self.ledger.acknowledge(owed)
                return
            if first_counts:
                break
            time.sleep(0.02)
        raise Wrong(f"{owed} is not taken")

    def play(self, n):
        self.send("call")
        self.world.rest()

    def probe(self):
        self.send("idle", first_counts=True)

    def judge(self):
        oracle = Oracle(self.world, self.ledger)
        oracle.settle()
        return oracle.verdict().findings


class Crew(Story):
    """A worker dies, and another one is forked for the webhook that comes: for the zygote's calls, too."""

    def play(self, n):
        workers = self.world.workers()
        if workers:
            workers[n % len(workers)].kill()
        self.send("text")
        self.world.rest()

    def probe(self):
        """A plugin that has just died may have a rest."""
        self.send("idle")


class Start(Story):
    """The host begins, or ends with a sentence; then it begins all the same, and has lost nothing."""

    def play(self, n):
        world = self.world
        world.stop_host()
        size = len(world.log())
        world.launch_host()
        try:
            wait(self.began, "the host is ready, or has ended")
        except AssertionError as fault:
            raise Wrong(str(fault)) from None
        if world.host.poll() is None:
            return
        said = world.log()[size:]
        if world.host.returncode < 0 or not re.search(r"\w{3,}.* \w{3,}", said):
            raise Died(f"the start ended with {world.host.returncode}: {said!r}")
        world.table.disarm()
        world.start_host()

    def began(self):
        return self.world.host.poll() is not None or self.world.answers("/readyz")

    def probe(self):
        self.send("idle")


class Caller:
    """A call in progress: the phone rings, the caller asks for times, books one and cancels it."""

    def __init__(self, world, seed):
        self.world, self.seed, self.rounds = world, seed, 0
        answering(world)
        for name in ("phone", "calendar", "whatsapp"):
            world.ini[f"connection {name}"]["breaker_rate"] = 101
        self.said = {}  # of each name: what the caller was told last

    def begun(self):
        office.open_calendar(self.world)
        Call(self.world).ring()
        wait(lambda: self.world.jobs("done", op="slots"), "the mirror is filled")
        self.slot = self.world.slot()

    def ask(self, call, function, **args):
        """The answer, or None if there was none: then the agent has none either."""
        body = call.body(function, args)
        status, answer = self.world.http("POST", f"/hooks/{TENANT}/phone/function", body, SIGN["phone"](body))
        if status == 200:
            said = json.loads(answer)
            if not said.get("say"):
                raise Wrong(f"{function} was answered with {answer[:300]!r}")
            return said
        if status and status not in LATER:
            raise Wrong(f"{function} was answered with {status}: {answer[:300]!r}")
        return None

    def play(self, n):
        world = self.world
        self.rounds += 1
        name = f"Kunde {self.seed}x{self.rounds} Müller"
        slot = self.slot
        call = Call(world, caller=f"+49170{self.seed % 1000:03}{self.rounds:05}")
        body = json.dumps({"event": "call_inbound", "call_inbound": {
            "call_id": call.id, "agent_id": "agent_x", "to_number": call.to, "from_number": call.caller}}).encode()
        status, answer = world.http("POST", f"/hooks/{TENANT}/phone/inbound", body, SIGN["phone"](body))
        if status not in (0, 200, *LATER):
            raise Wrong(f"the ringing was answered with {status}: {answer[:300]!r}")
        self.ask(call, "check_availability", **spoken(slot))
        booked = self.ask(call, "book_appointment", name=name, **spoken(slot))
        told = "booked" if booked and booked.get("booked") else "open"
        made = [b for b in world.bookings() if b["attendee"]["name"] == name]
        if told == "booked" and not made:
            raise Wrong(f"{name} was told to be booked, and is not: {booked}")
        cancelled = self.ask(call, "cancel_appointment")
        if cancelled and cancelled.get("cancelled"):
            told = "cancelled"
        world.rest()
        made = [b for b in world.bookings() if b["attendee"]["name"] == name]
        if len(made) > 1:
            raise Wrong(f"{name} is booked {len(made)} times")
        if told == "cancelled" and made and made[0]["status"] == "accepted":
            raise Wrong(f"{name} was told to be cancelled, and is not: {cancelled}")
        if made and made[0]["status"] == "accepted":  # the next round wants this time
            world.table.disarm()
            world.control(f"/calcom/bookings/{made[0]['uid']}/cancel", {"reason": "the test goes on"})
            world.rest()

    def probe(self):
        """The next caller hears what is free."""
        answer = self.ask(Call(self.world, caller="+491705559999"), "check_availability", **spoken(self.slot))
        if not answer or not answer.get("availability_checked"):
            raise Wrong(f"the next caller hears {answer}")

    def judge(self):
        stuck = [j for j in self.world.jobs("ready", "queued") if j.get("pipeline")]
        return [f"not over: {j}" for j in stuck]


class Operator:
    """Whoever looks on: the API, the pages, the figures, the control socket, a reload, a live stream."""

    def __init__(self, world, seed):
        self.world, self.viewers = world, 0
        office.furnish(world)

    def begun(self):
        self.world.ring()
        self.world.rest()
        self.id = self.world.events()[0]["id"]

    def get(self, path, headers=TOKEN, method="GET", body=None):
        status, answer = self.world.http(method, path, body, headers)
        if status not in (0, 200, *LATER):
            raise Wrong(f"{path} was answered with {status}: {answer[:300]!r}")
        return status == 200

    def ready(self):
        """What could not be stored is tried again within a second; what SQLite takes for damage (EIO) is told until the
        file has been looked through."""
        status, answer = self.world.http("GET", "/readyz")
        return status == 200 or b"damaged" in answer

    def verb(self, verb, **members):
        """True: done. What was not done is told with a sentence."""
        answer = self.world.ask(verb, **members)
        if answer and "error" in answer and not answer["error"].get("text"):
            raise Wrong(f"{verb}: an error without a word: {answer}")
        return bool(answer) and "error" not in answer

    def look(self):
        """Everything once; what did not work. (/readyz may say for a moment that nothing can be stored.)"""
        self.get("/readyz")
        failed = [p for p in ("/api/v1/events?limit=5", "/api/v1/jobs?limit=5", f"/api/v1/show?id={self.id}", "/metrics",
                              "/") if not self.get(p)]
        for verb, members in (("status", {}), ("events", {"limit": 5}), ("inbox", {"limit": 5}),
                              ("show", {"id": self.id}), ("call", {"target": f"{TENANT}/calendar.test"}),
                              ("reload", {})):
            if not self.verb(verb, **members):
                failed.append(verb)
        return failed + self.live()

    def live(self):
        """One heartbeat of a stream."""
        try:
            self.viewers += 1  # each from an address of its own: one alone may not come that often
            connection = http.client.HTTPConnection("127.0.0.1", self.world.port, timeout=REST_S, source_address=(
                f"127.1.{self.viewers // 250}.{self.viewers % 250 + 1}", 0))
            connection.request("GET", "/api/v1/live?heartbeat=1", headers=TOKEN)
            answer = connection.getresponse()
            first = answer.read1(100)
            connection.close()
            return [] if answer.status == 200 and first else ["/live"]
        except (OSError, http.client.HTTPException):
            return ["/live"]

    def play(self, n):
        self.look()
        self.world.rest()

    def probe(self):
        failed = self.look()
        if failed:
            raise Wrong(f"the next requests fail: {failed}")
        wait(self.ready, "the host is ready again", REST_S)

    def judge(self):
        return []


SCENARIOS = {"story": Story, "caller": Caller, "operator": Operator, "crew": Crew, "start": Start}


# ---- Rounds ------------------------------------------------------------------------------------------------

class Torture:
    def __init__(self, seed, out=print):
        self.seed, self.out = seed, out
        self.directory = tempfile.TemporaryDirectory(prefix="torture-")
        self.shim = build_shim(self.directory.name)
        self.findings, self.places, self.fired, self.excused, self.batches = [], Counter(), 0, 0, 0
        self.world = self.scenario = None
        self.at = 0
        self.first = 0  # calls before have no new places, as far as is known: looking at them takes long

    # -- stores

    def open(self, name):
        self.close()
        self.batches += 1
        self.name, self.done = name, []
        self.world = Tortured(tempfile.mkdtemp(prefix="klinke-"), self.shim)
        self.scenario = SCENARIOS[name](self.world, self.seed + self.batches)
        self.world.start()
        self.scenario.begun()
        self.settle()
        self.scenario.probe()

    def settle(self):
        self.world.rest()

    def close(self):
        """The judgement of a store, and its end."""
        if not self.world:
            return
        world, self.world = self.world, None
        world.table.disarm()
        try:
            if world.host.poll() is None:
                for finding in self.scenario.judge():
                    self.finding(f"{self.name}, rounds {self.done[:1]} to {self.done[-1:]}: {finding}", world)
                code = world.stop_host()
                if code:
                    self.finding(f"{self.name}, rounds {self.done}: stopped with {code}", world)
        except Exception as fault:  # whatever it is: the next store is judged, too
            self.finding(f"{self.name}, rounds {self.done[:1]} to {self.done[-1:]}: judging: {fault!r}", world)
        finally:
            for complaint in set(world.complaints()):
                self.finding(f"{self.name}: {complaint}", world)
            world.close()
            world.forget()

    def finding(self, text, world=None):
        self.findings.append(text)
        self.out("FINDING", text[:3000])
        if world:
            kept = Path(tempfile.gettempdir()) / f"torture-{os.getpid()}-{len(self.findings)}.log"
            shutil.copy(world.host_log, kept)
            self.out("  log:", kept)

    # -- one round

    def round(self, kind, nth, variant, role=HOST):
        """True if there was an Nth call, or (0) one from a new place."""
        world, what = self.world, f"{self.name} {kind} {nth or variant}"
        world.table.arm(kind, nth, variant, role, self.first)
        frames = how = None
        try:
            self.scenario.play(nth)
            world.table.disarm()
            world.rest()
            self.scenario.probe()
        except (Wrong, AssertionError, OSError, KeyError, ValueError) as fault:
            self.done.append(f"{kind} {nth or variant}")
            frames, how = world.table.frames(), world.table.how()
            names = world.places.names(frames)
            if excused(world, kind, names):
                self.excused += 1
            else:
                self.finding(f"{what} ({how}): {type(fault).__name__} {fault}\n    at {names}", world)
            self.recover()
            return True
        self.done.append(f"{kind} {nth or variant}")
        if not world.table.fired:
            return False
        self.at = world.table.at
        self.fired += 1
        self.places[kind, world.places.key(world.table.frames())] += 1
        return True

    def recover(self):
        """The host anew with the same store: what it owes must still come."""
        world = self.world
        world.table.disarm()
        try:
            if world.host.poll() is None:
                world.kill_host()
            world.start_host()
            world.rest()
        except (Wrong, AssertionError) as fault:
            self.finding(f"{self.name}: not well after a restart: {fault}", world)
            self.open(self.name)

    # -- all of them

    def run(self, name, kind, first=1, last=10**9, every=1, role=HOST):
        """every 0: each place once."""
        self.open(name)
        n, missed, began, self.first = first, 0, time.monotonic(), 0
        while n <= last and missed < 2:  # the count differs a little from time to time
            if len(self.done) >= BATCH:
                self.open(name)
            fired, looked = self.round(kind, n if every else 0, n + self.seed, role), self.first
            if fired:
                missed, self.first = 0, max(0, self.at - JITTER)
            else:
                missed, self.first = missed + (looked == 0), 0
            n += every or 1
            if not n % TELL:
                self.out(f"{name} {kind}: {n - 1} after {time.monotonic() - began:.0f} s")
        self.close()
        self.out(f"{name} {kind}: to {n - 1} in {time.monotonic() - began:.0f} s, {len(self.places)} places so far, "
                 f"{len(self.findings)} findings")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--call", default=",".join(KINDS[1:]))
    parser.add_argument("--scenario", default=",".join(SCENARIOS))
    parser.add_argument("--from", dest="first", type=int, default=1)
    parser.add_argument("--to", type=int, default=10**9)
    parser.add_argument("--every", type=int, default=0, help="each Nth call; 0: each place once")
    parser.add_argument("--role", default="host")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1000000)
    options = parser.parse_args()
    print(f"--seed {options.seed}", flush=True)
    torture = Torture(options.seed, lambda *words: print(*words, flush=True))
    role = {"host": HOST, "zygote": ZYGOTE, "worker": WORKER}[options.role]
    try:
        for name in options.scenario.split(","):
            for kind in options.call.split(","):
                torture.run(name, kind, options.first, options.to, options.every, role)
    finally:
        torture.close()
    print(f"{torture.fired} calls failed at {len(torture.places)} places, {torture.excused} times libuv "
          f"aborted, {len(torture.findings)} findings")
    return 1 if torture.findings or not torture.fired else 0


if __name__ == "__main__":
    sys.exit(main())
