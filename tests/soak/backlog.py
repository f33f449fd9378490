"""A backlog: a million jobs that wait for their time, for a provider that is away, or behind another job. The host starts
on it as quickly as on nothing, is as fast, does what becomes due, and touches none of the others.

The rows are copies of rows that the host has made itself, with ids, keys and subjects of their own. (What is sealed in
them is bound to the original's id: these jobs can only wait. What becomes due the host makes itself, behind them.) Speeds
are told, side by side in one run, and not asserted; what is asserted is what became of the rows, and the memory. That each
statement finds its rows without looking at the others is asserted by steps, in tests/unit/test_store_load.c.
"""
import json
import sqlite3
import subprocess
import time
from pathlib import Path

import office
from hooks_kit import call_body, message_body, retell_headers, whatsapp_headers
from oracle import Verdict
from world import BUILD, SECRETS, TENANT, free_port, request

ROUNDS, BATCH = 1, 1
ROWS, SECONDS = 1_000_000, 10
DUE = 40  # jobs that become due a little later, besides
RSS_MOST_KB = 150 * 1024
STATES = {"ready": 1, "queued": 2, "waiting": 3, "done": 6}


def furnish(world, sink):
    """note, soon: done without asking anybody; away: nobody is at that address; post: to the load's own sink."""
    ini = world.ini
    ini.drop("pipeline")
    ini.drop("mapping")
    for name in ("phone", "calendar", "whatsapp"):
        for key in ("poll_bookings", "retry_base", "retry_cap"):
            del ini[f"connection {name}"][key]
    away = free_port()
    ini["host"]["plugins"] += f" {BUILD / 'tests' / 'bench'}"
    ini["host"].add("allow_private", f"127.0.0.1:{sink}, 127.0.0.1:{away}")
    ini["host"]["log_level"] = "warn"
    ini.add("connection sink", tenant=TENANT, plugin="sink", base_url=f"http://127.0.0.1:{sink}", repeat="keyed",
            concurrency=64)
    ini.add("connection away", tenant=TENANT, plugin="sink", base_url=f"http://127.0.0.1:{away}", retry_base="1h",
            retry_cap="2h", breaker_rate=101)
    ini.add("mapping note", ("plugin", "fields"), ("text", "text : data ->> 'text'"))
    ini.add("mapping sent", ("plugin", "fields"), ("call", "text, required : data ->> 'call_id'"))
    for name, when, at in (("note", "<>", "720h"), ("soon", "=", "1s")):
        ini.add(f"pipeline {name}", ("on", "message.received"), ("when", f"data ->> 'text' {when} 'soon'"),
                ("step", "map note"), ("at", f"event ->> 'time' + {at}"))
    ini.add("pipeline away", ("on", "call.ended, call.started"), ("step", "away.post"))
    ini.add("pipeline post", ("on", "call.analyzed"), ("when", "data ->> 'appointment_requested'"),
            ("step", "map sent"), ("step", "sink.post"))


def database(world):
    db = sqlite3.connect(world.state / "klinke.db")
    db.execute("PRAGMA synchronous=OFF")
    return db


def count(world):
    with sqlite3.connect(f"file:{world.state}/klinke.db?mode=ro", uri=True) as db:
        found = dict(db.execute("SELECT state, count(*) FROM job WHERE pipeline NOT LIKE '%/post' GROUP BY state"))
    return {name: found.get(state, 0) for name, state in STATES.items()}


def make_templates(world):
    """One job of each kind that waits, made by the host; there is none before."""
    for body, connection, headers in (
            (message_body("wamid.template"), "whatsapp", whatsapp_headers),
            (call_body("template", "call_started"), "phone", retell_headers),
            (call_body("template", "call_ended"), "phone", retell_headers)):
        assert world.hook(connection, body, headers(body))[0] in (200, 204)
    world.wait(lambda: count(world) == {"ready": 1, "queued": 1, "waiting": 1, "done": 0}
               and world.jobs("ready")[0].get("fail"), "one job of each kind waits")


def insert(db, table, where, numbers, **changed):
    """Copies of a row, one for each number; changed: column to an expression in which n is the number."""
    columns = [row[1] for row in db.execute(f"PRAGMA table_info({table})") if row[1] != "seq"]
    values = ", ".join(changed.get(column, f"t.{column}") for column in columns)
    db.execute(f"INSERT INTO {table} ({', '.join(columns)}) SELECT {values} FROM {table} t, "
               f"(WITH RECURSIVE c(n) AS (SELECT {numbers[0]} UNION ALL SELECT n + 1 FROM c WHERE n + 1 < {numbers[1]}) "
               f"SELECT n FROM c) WHERE {where}")


def multiply(world, rows):
    """Each job with an event of its own: half of them wait for their time, the others for a provider, in pairs."""
    db = database(world)
    db.create_function("made", 2, lambda kind, n: bytes([kind]) + n.to_bytes(15, "big"), deterministic=True)
    half, pairs = rows // 2, rows // 4
    own = {"subject": "t.subject || '#' || n"}
    with db:
        for kind, (state, number) in enumerate((("waiting", half), ("ready", pairs), ("queued", pairs))):
            (seq, event), = db.execute("SELECT seq, event FROM job WHERE state = ?", (STATES[state],))
            found, = db.execute("SELECT seq FROM event WHERE id = ?", (event,)).fetchone()
            insert(db, "event", f"t.seq = {found}", (0, number), id=f"made({kind + 1}, n)",
                   dedupe="t.dedupe || '#' || n", **own)
            insert(db, "job", f"t.seq = {seq}", (0, number), id=f"made({kind + 11}, n)", event=f"made({kind + 1}, n)",
                   order_key="t.order_key || '#' || n", key=f"CASE t.key WHEN '' THEN '' ELSE t.key || {kind} || n END",
                   dedupe="CASE t.dedupe WHEN '' THEN '' ELSE t.dedupe || n END", **own)
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()


def make_due(world):
    for n in range(DUE):
        body = message_body(f"wamid.soon{n}", "soon", f"49172000{n:04}")
        assert world.hook("whatsapp", body, whatsapp_headers(body))[0] == 200


def start(world):
    """Starts the host: (ms until the first webhook was answered, bytes read by then)."""
    begun = time.monotonic()
    world.launch_host()
    body = call_body(f"first{time.time_ns()}", "call_analyzed")

    def answered():
        try:
            return request(world.port, "POST", f"/hooks/{TENANT}/phone", body, retell_headers(body))[0] in (200, 204)
        except OSError:
            assert world.host.poll() is None
            return False
    world.wait(answered, "the first webhook is answered", 60)
    took = (time.monotonic() - begun) * 1000
    io = Path(f"/proc/{world.host.pid}/io").read_text()
    return took, int(io.split("rchar: ")[1].split()[0])


def load(world, sink, name, **options):
    """What tests/bench/load says of its webhooks, each of which ends at its sink."""
    command = [BUILD / "tests" / "bench" / "load", "--to", f"127.0.0.1:{world.port}", "--path", f"/hooks/{TENANT}/phone",
               "--key", SECRETS["RETELL_API_KEY"], "--sink", sink, "--run", name]
    for option, value in options.items():
        command += [f"--{option}", value]
    done = subprocess.run([str(word) for word in command], check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def judge_load(verdict, what, told):
    if told["failed"] or told["twice"] or told["arrived"] != told["sent"]:
        verdict.wrong(f"LOST OR TWICE: {what}: {told}")


def rss_kb(world):
    return int(Path(f"/proc/{world.host.pid}/status").read_text().split("VmRSS:")[1].split()[0])


def run(world, seed, rounds, rows=ROWS, seconds=SECONDS, compare=True, **options):
    """compare: also without the backlog, before there is one."""
    del rounds  # one is enough
    verdict, sink = Verdict(), free_port()
    furnish(world, sink)
    world.start_sandbox()
    world.start_host()
    make_templates(world)
    world.stop_host()
    if compare:
        bare_ms, bare_read = start(world)
        bare = load(world, sink, f"bare{seed}", seconds=seconds, **options)
        world.stop_host()
    multiply(world, rows)
    before = count(world)
    ms, read = start(world)
    make_due(world)
    full = load(world, sink, f"full{seed}", seconds=seconds, **options)
    world.wait(lambda: count(world)["done"] == DUE, "what is due is done", 60)
    after = count(world)
    verdict.counts.update({
        "jobs in the backlog": sum(before.values()), "ms to the first answer": int(ms), "bytes read until then": read,
        "webhooks carried through per second": full["arrived_per_s"], "kB of memory": rss_kb(world)})
    if compare:
        verdict.counts.update({
            "ms to the first answer without it": int(bare_ms), "bytes read until then without it": bare_read,
            "webhooks carried through per second without it": bare["arrived_per_s"],
            "percent of the speed without it": round(100 * full["arrived_per_s"] / (bare["arrived_per_s"] or 1))})
        judge_load(verdict, "without a backlog", bare)
    judge_load(verdict, "with a backlog", full)
    if after != {**before, "done": DUE}:
        verdict.wrong(f"TOUCHED: {before} became {after}")
    if rss_kb(world) > RSS_MOST_KB:
        verdict.wrong(f"MEMORY: {rss_kb(world)} kB")
    return verdict
