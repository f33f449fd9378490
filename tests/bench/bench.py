"""./dev bench: measurements as ratios, side by side in one run, on this machine as it is.

    bench.py [ingest] [pipeline] [desk] [plugin] [memory] [--seconds N] [--minutes N]

Absolute numbers are printed so that the ratios can be checked; only the ratios mean anything
elsewhere. Nothing here asserts a time.
"""
import argparse
import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("KLINKE_BUILD", TOP / "build-bench"))
NGINX_PROGRAM = os.environ.get("KLINKE_NGINX", "/usr/sbin/nginx")
KEY = "key_bench_0123456789"

INI = """
[host]
listen = 127.0.0.1:{port}
state = {state}
plugins = {plugins}
log_level = warn
allow_private = 127.0.0.1:{sink}
max_connections = 2000

[tenant bench]
timezone = Europe/Berlin

[connection phone]
tenant = bench
plugin = retell
api_key = @{key}

[connection sink]
tenant = bench
plugin = sink
base_url = http://127.0.0.1:{sink}
repeat = {repeat}
concurrency = 64
"""

PIPELINE = """
[mapping booking]
plugin = fields
call = text, required : data ->> '$.call_id'
start = datetime, required : data ->> '$.fields.datum_termin' || ' ' || (data ->> '$.fields.uhrzeit_termin')
name = text, required : data ->> '$.fields.name'
phone = phone(DE) : data ->> '$.from'

[pipeline post]
on = call.analyzed
when = data ->> 'appointment_requested'
step = map booking
step = sink.post
"""

DESK = """
[tenant t{i}]
timezone = Europe/Berlin
language = de

[connection phone]
tenant = t{i}
plugin = retell
api_key = @{key}

[connection calendar]
tenant = t{i}
plugin = calcom_v2
api_key = cal_live_sandbox
rate = 100000/min
concurrency = 16
base_url = http://127.0.0.1:{sandbox}/calcom/v2
timeout = 20s

[desk t{i}]
calendar = calendar
hold = 3s
refresh = {refresh}

[service kontrolle]
tenant = t{i}
title = Kontrolle
duration = 30m
event_type = 310455
"""

ANSWER = """
[pipeline check-availability]
on = call.function
when = data ->> 'name' = 'check_availability'
within = 450ms
step = desk.offer
fallback = Ich schaue nach und melde mich gleich.
"""

NGINX = """
worker_processes 2; pid {dir}/nginx.pid; error_log {dir}/nginx.log crit; daemon off;
events {{ worker_connections 1024; }}
http {{ access_log off; client_body_temp_path {dir}; proxy_temp_path {dir}; fastcgi_temp_path {dir};
uwsgi_temp_path {dir}; scgi_temp_path {dir}; keepalive_requests 100000000; client_body_buffer_size 16k;
server {{ listen 127.0.0.1:{port}; location / {{ return 204; }} }} }}
"""


def free_ports(n):
    """That many different ones."""
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(socket.socket()) for _ in range(n)]
        for s in held:
            s.bind(("127.0.0.1", 0))
        return [s.getsockname()[1] for s in held]


def wait_port(port):
    end = time.monotonic() + 20
    while time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port), 0.2).close()
            return
        except OSError:
            time.sleep(0.02)
    raise SystemExit("bench: a server does not come up")


class Host:
    """A host of its own in a directory on the same disk as everything else here."""

    def __init__(self, where, pipeline=False, repeat="never"):
        self.dir = Path(tempfile.mkdtemp(dir=where))
        self.port, self.sink = free_ports(2)
        (self.dir / "key").write_text(KEY)
        (self.dir / "key").chmod(0o600)
        plugins = " ".join(str(p) for p in (BUILD / "plugins/retell", BUILD / "plugins/fields",
                                            BUILD / "tests/bench"))
        text = INI.format(port=self.port, state=self.dir / "state", plugins=plugins,
                          key=self.dir / "key", sink=self.sink, repeat=repeat)
        (self.dir / "bench.ini").write_text(text + (PIPELINE if pipeline else ""))
        self.process = subprocess.Popen(
            [BUILD / "host/klinke", "run", "-c", self.dir / "bench.ini"],
            stderr=open(self.dir / "log", "wb"))
        wait_port(self.port)

    def load(self, **options):
        command = [str(BUILD / "tests/bench/load"), "--to", f"127.0.0.1:{self.port}",
                   "--path", "/hooks/bench/phone", "--key", KEY]
        for name, value in options.items():
            command += [f"--{name}", str(value)]
        return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

    def pss_kb(self):
        """Proportional set size of the host and all its workers."""
        total, group = 0, [self.process.pid]
        for pid in group:
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
            group += [int(c) for c in children]
        for pid in group:
            try:
                rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
                total += int(re.search(r"^Pss:\s+(\d+)", rollup, re.M)[1])
            except (OSError, TypeError):
                pass  # a worker that ended meanwhile, or is not ours to read
        return total

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)
        shutil.rmtree(self.dir)


def nginx(where, seconds):
    directory = Path(tempfile.mkdtemp(dir=where))
    port, = free_ports(1)
    (directory / "nginx.conf").write_text(NGINX.format(dir=directory, port=port))
    server = subprocess.Popen([NGINX_PROGRAM, "-c", directory / "nginx.conf", "-p", directory],
                              stderr=subprocess.DEVNULL)
    wait_port(port)
    out = subprocess.run([str(BUILD / "tests/bench/load"), "--to", f"127.0.0.1:{port}", "--path",
                          "/hooks/bench/phone", "--key", KEY, "--seconds", str(seconds)],
                         check=True, capture_output=True, text=True).stdout
    server.terminate()
    server.wait()
    shutil.rmtree(directory)
    return json.loads(out)["per_s"]


def sqlite_limit(where, seconds, group, rows):
    """Webhooks a second of one thread that commits groups of the same rows, nothing else."""
    directory = tempfile.mkdtemp(dir=where)
    out = subprocess.run([str(BUILD / "tests/bench/sqlite_limit"), directory,
                          str(TOP / "host/store/schema/0001_base.sql"), str(seconds), str(group), rows],
                         check=True, capture_output=True, text=True).stdout
    shutil.rmtree(directory)
    return float(re.search(r"([\d.]+)", out)[1])


def ingest(where, seconds):
    print("Durable ingest: 64 kept-alive connections, signed Retell bodies of 2.5 KB, 2xx after fsync; what comes "
          "after the answer (events, second commit) goes on meanwhile. SQLite alone: one thread, groups of 256, "
          "nothing signed, sealed or read")
    rounds = []
    for turn in range(3):  # in turn, so that a drift of the machine hits all of them
        raw = sqlite_limit(where, seconds, 256, "raw")
        every = sqlite_limit(where, seconds, 256, "all")
        bare = nginx(where, seconds)
        host = Host(where)
        mine = host.load(seconds=seconds, run=f"i{turn}")
        host.stop()
        assert mine["failed"] == 0, mine
        rounds.append((mine["per_s"] / every, mine["per_s"] / raw, mine["per_s"] / bare))
        print(f"  klinke {mine['per_s']:.0f}/s (p99 {mine['ack_p99_ms']} ms)   SQLite alone: all rows of a webhook "
              f"{every:.0f}/s, the raw row only {raw:.0f}/s   nginx 204: {bare:.0f}/s")
    of_every, of_raw, of_nginx = (sorted(r[i] for r in rounds)[1] for i in range(3))
    print(f"  medians: {of_every:.2f} of SQLite committing all rows that a webhook leaves (to reach 0.60), "
          f"{of_raw:.2f} of it committing the raw rows alone; {of_nginx:.2f} of nginx (to reach 0.15)\n")


def whole_way(where, seconds, repeat, words):
    """At a little more than the aim; the time counts until the last call has arrived."""
    host = Host(where, pipeline=True, repeat=repeat)
    full = host.load(seconds=seconds, sink=host.sink, run="full", rate=5200)
    host.stop()
    assert full["failed"] == 0 and full["twice"] == 0, full
    print(f"  {words}, 5,200/s offered for {seconds} s: {full['arrived']} of {full['sent']} calls arrived, "
          f"{full['arrived_per_s']:.0f}/s until the last; p50 {full['arrive_p50_ms']} ms, p99 {full['arrive_p99_ms']} ms")


def pipeline(where, seconds):
    print("Webhook -> map -> HTTP call, every step recorded (to reach: 5000/s, p99 < 10 ms at half of that)")
    whole_way(where, seconds, "never", "the call creates something: a mark is on disk before it is sent")
    whole_way(where, seconds, "keyed", "the call has an idempotency key")
    for rate in (1000, 2500):
        host = Host(where, pipeline=True)
        half = host.load(seconds=seconds, sink=host.sink, run="half", rate=rate)
        host.stop()
        print(f"  at {rate}/s: {half['arrived']} of {half['sent']} arrived; webhook answered p50 {half['ack_p50_ms']} "
              f"p99 {half['ack_p99_ms']} ms; call arrives p50 {half['arrive_p50_ms']} p99 {half['arrive_p99_ms']} ms")
    print()


class Office(Host):
    """A hundred tenants whose callers are answered; their calendars are the sandbox's."""

    def __init__(self, where, tenants, refresh):  # pylint: disable=super-init-not-called
        self.dir = Path(tempfile.mkdtemp(dir=where))
        self.port, self.sandbox_port = free_ports(2)
        (self.dir / "key").write_text(KEY)
        (self.dir / "key").chmod(0o600)
        plugins = " ".join(str(BUILD / "plugins" / name) for name in ("retell", "calcom_v2", "fields"))
        text = INI.split("[tenant bench]")[0].format(
            port=self.port, state=self.dir / "state", plugins=plugins, sink=self.sandbox_port)
        for i in range(tenants):
            text += DESK.format(i=i, key=self.dir / "key", sandbox=self.sandbox_port, refresh=refresh)
        (self.dir / "bench.ini").write_text(text + ANSWER)
        self.sandbox = subprocess.Popen(
            ["/usr/bin/python3", TOP / "sdk/sandbox/klinke-sandbox", "--listen", f"127.0.0.1:{self.sandbox_port}",
             "--state", self.dir / "sandbox"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_port(self.sandbox_port)
        self.process = subprocess.Popen([BUILD / "host/klinke", "run", "-c", self.dir / "bench.ini"],
                                        stderr=open(self.dir / "log", "wb"))
        wait_port(self.port)

    def control(self, path, body):
        urllib.request.urlopen(urllib.request.Request(
            f"http://127.0.0.1:{self.sandbox_port}/_control{path}", json.dumps(body).encode(), method="POST")).read()

    def warm(self, tenants):
        """Every tenant's mirror is filled when a caller of each is answered from it."""
        end = time.monotonic() + 120
        while time.monotonic() < end:
            done = self.load(seconds=1, rate=tenants, tenants=tenants, run=f"w{time.monotonic_ns()}")
            if done["checked"] >= done["answered"] > 0:
                return
        raise SystemExit("bench: the mirror is not filled")

    def stop(self):
        self.sandbox.kill()
        self.sandbox.wait()
        super().stop()


def desk(where, seconds):
    print("A caller asks what is free, 100 tenants (to reach: p50 < 2 ms, p99 < 10 ms at 500/s; none past 450 ms)")
    office = Office(where, 100, "5m")
    office.warm(100)
    done = office.load(seconds=seconds, rate=500, tenants=100, deadline=450, run="warm")
    print(f"  from the mirror at 500/s: {done['checked']} of {done['answered']} looked up; p50 {done['ack_p50_ms']} ms, "
          f"p99 {done['ack_p99_ms']} ms, longest {done['ack_max_ms']} ms; {done['late']} late, {done['failed']} failed")
    office.stop()
    print("  100,000 calls in three parts, the mirror empty:")
    for words, fault in (("calendar dead", {"close_before": True}), ("calendar slow (10 s)", {"delay_ms": 10000}),
                         ("calendar answers rubbish", {"non_json": True})):
        office = Office(where, 100, "0")
        office.control("/faults", {"vendor": "calcom_v2", "path": "*/slots*", "count": 0, **fault})
        done = office.load(seconds=68, rate=500, tenants=100, deadline=450, run="broken", connections=400)
        print(f"  {words}: {done['answered']} answered, {done['late']} past the deadline, {done['failed']} refused; "
              f"p99 {done['ack_p99_ms']} ms, longest {done['ack_max_ms']} ms")
        office.stop()
    print()


def plugin(seconds):
    print("A call of the Retell plugin with a webhook of 2.5 KB, in the host's process and in a worker in turns "
          "(overhead to reach: below 100 us)", flush=True)
    subprocess.run([str(BUILD / "tests/bench/plugin_bench"), str(BUILD / "plugins/retell"), str(seconds)], check=True)
    print()


def memory(where, minutes):
    print(f"Memory over {minutes} minutes at 500 webhooks/s, each mapped and posted (proportional set size)")
    host = Host(where, pipeline=True)
    time.sleep(1)
    print(f"  idle {host.pss_kb() / 1024:.1f} MB")
    for minute in range(minutes):
        host.load(seconds=60, sink=host.sink, run=f"m{minute}", rate=500)
        print(f"  minute {minute + 1}: {host.pss_kb() / 1024:.1f} MB", flush=True)
    host.stop()


def main():
    parser = argparse.ArgumentParser(prog="./dev bench")
    parser.add_argument("what", nargs="*", help="ingest, pipeline, desk, plugin, memory; default: all but memory")
    parser.add_argument("--seconds", type=int, default=8)
    parser.add_argument("--minutes", type=int, default=10)
    options = parser.parse_args()
    what = options.what or ["ingest", "pipeline", "desk", "plugin"]
    where = TOP / "run" / "bench"
    where.mkdir(parents=True, exist_ok=True)
    print(f"{os.cpu_count()} cores, {os.uname().release}\n")
    if "ingest" in what:
        ingest(where, options.seconds)
    if "pipeline" in what:
        pipeline(where, options.seconds)
    if "desk" in what:
        desk(where, options.seconds)
    if "plugin" in what:
        plugin(options.seconds)
    if "memory" in what:
        memory(where, options.minutes)
    return 0


if __name__ == "__main__":
    sys.exit(main())
