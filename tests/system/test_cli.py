"""The command line: every verb with and without a running host, its exit codes, its JSON, its help."""
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
from pathlib import Path

import pytest

from hooks_kit import booking_body, call_body, calcom_headers, lasting_world, message_body, retell_headers, whatsapp_headers
from world import CALLER, KLINKE, PLUGINS, SECRETS, TENANT, TOP, wait

VERBS = ["run", "check", "call", "events", "jobs", "calls", "dead", "show", "replay", "status", "receipt", "gaps", "doctor", "reload",
         "backup", "restore", "migrate", "salvage", "plugin", "password", "version", "forget", "export", "help"]
ROWS = ["events", "jobs", "calls", "dead"]
UUID = re.compile(r"^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$")
TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")


def prepare(world):
    # one that dies at once, one that is parked, and a message that waits for its day
    world.ini.add("pipeline fails", ("on", "call.ended"), ("when", "data ->> 'call_id' like 'fails%'"),
                  ("step", "calendar.find_booking"), ("in", "json_object('nonsense', 1)"))
    world.ini.add("pipeline later", ("on", "booking.created"),
                  ("when", "data ->> 'uid' like 'waits%'"),
                  ("step", "whatsapp.send template=rueckruf to=(data ->> '$.attendee.phone') "
                           "params=(json_array('x'))"), ("at", "data ->> '$.start'"),
                  ("cancel_on", "booking.cancelled"))
    world.start()
    world.ring()
    wait(lambda: world.settled(1, 1), "the story ends")
    for id_ in ("fails-1", "fails-2"):
        body = call_body(id_)
        world.hook("phone", body, retell_headers(body))
    body = booking_body("waits-1")
    body = json.dumps({**json.loads(body), "payload": {**json.loads(body)["payload"],
                      "attendees": [{"name": "A", "email": "a@example.com", "timeZone": "Europe/Berlin",
                                     "phoneNumber": CALLER}]}}).encode()
    world.hook("calendar", body, calcom_headers(body))
    wait(lambda: world.settled(1, 2) and len(world.jobs("parked")) == 2 and len(world.jobs("waiting")) == 1 and
         len(world.events("message.read")) == 2 and len(world.events("job.parked")) == 2,
         "two are parked, one waits, and no more happens")


house = lasting_world(prepare)


def klinke(*arguments, environment=None, stdin=None, timeout=30):
    """Without any configuration in the environment."""
    clean = {k: v for k, v in os.environ.items() if k != "KLINKE_CONFIG"}
    return subprocess.run([str(KLINKE), *map(str, arguments)], env={**clean, **(environment or {})}, text=True,
                          input=stdin, capture_output=True, timeout=timeout)


def help_of(verb):
    done = klinke("help", verb)
    assert done.returncode == 0
    return done.stdout


def options_of(verb):
    """Name to: does it take a value?"""
    found = {}
    for line in help_of(verb).splitlines():
        match = re.match(r"  --([a-z-]+)( [A-Z,.]+)? ", line)
        if match:
            found[match.group(1)] = bool(match.group(2))
    return found


# ---- Help ---------------------------------------------------------------------------------------------

def test_overview_names_every_verb():
    for arguments in ([], ["help"], ["--help"], ["-h"]):
        done = klinke(*arguments)
        assert done.returncode == 0 and not done.stderr
        assert [line.split()[0] for line in done.stdout.splitlines() if re.match(r"  [a-z]+ ", line)] == VERBS
        for code in ("0", "1", "2", "69", "75", "78"):
            assert code in done.stdout.rsplit("Exit codes", 1)[1]


@pytest.mark.parametrize("verb", VERBS)
def test_help_is_complete(verb):
    """What help names is taken; what is taken, help names; usage names nothing else."""
    text = help_of(verb)
    assert text.startswith(f"klinke {verb} ")
    assert klinke(verb, "--help").stdout == text and klinke(verb, "-h").stdout == text
    named = options_of(verb)
    assert "help" in named
    every = {"config", "json", "tenant", "connection", "type", "subject", "pipeline", "state", "since", "until",
             "limit", "before", "full", "dry-run", "resend", "reason", "state-dir"}
    for option in every:
        done = klinke(verb, f"--{option}", "x" if option != "limit" else "5", "--no-such-option")
        unknown = f"there is no option --{option}"
        assert done.returncode == 2, "the last option is never known"
        assert (unknown in done.stderr) == (option not in named), f"{verb} --{option}: {done.stderr}"
    for option in re.findall(r"--([a-z-]+)", text):
        assert option in named, f"--{option} is told, but is none"
    for option, takes in named.items():
        if takes:
            assert "needs a value" in klinke(verb, f"--{option}").stderr
        else:
            assert "takes no value" in klinke(verb, f"--{option}=1").stderr


def test_help_of_the_configuration():
    whole = klinke("help", "config").stdout
    sections = re.findall(r"^\[([a-z]+)", whole, re.M)
    assert sections == ["host", "tenant", "desk", "service", "branch", "connection", "mapping", "pipeline",
                        "template"]
    for section in sections:
        part = klinke("help", "config", section)
        assert part.returncode == 0 and part.stdout and part.stdout.strip() in whole
    wrong = klinke("help", "config", "tennant")
    assert wrong.returncode == 2 and "did you mean [tenant]" in wrong.stderr


@pytest.mark.parametrize("arguments,says", [
    (["evnts"], "did you mean events?"), (["help", "jbs"], "did you mean jobs?"), (["xyzzy"], "there is no verb xyzzy"),
    (["events", "--tennant", "x"], "did you mean --tenant?"), (["events", "--typ=x"], "did you mean --type?"),
    (["events", "-x"], "there is no option -x"), (["events", "more"], "no arguments"), (["run", "x"], "no arguments"),
    (["version", "x"], "no arguments"), (["status", "x"], "no arguments"), (["reload", "x"], "no arguments"),
    (["check", "x"], "no arguments"), (["jobs", "x"], "no arguments"), (["calls", "x"], "no arguments"),
    (["help", "run", "check"], "one verb"), (["show"], "say which"), (["show", "a", "b"], "one id"),
    (["replay"], "id is missing"), (["dead", "retry"], "id is missing"), (["dead", "rety", "x"], "did you mean retry?"),
    (["dead", "show"], "id is missing"), (["dead", "list", "x"], "no ids"), (["call"], "what to call"),
    (["call", "a/b.c", "{}", "{}"], "at most one"), (["plugin"], "list and info"), (["plugin", "inf", "x"], "list and info"),
    (["events", "--limit", "0"], "whole number"), (["events", "--limit", "-3"], "whole number"),
    (["events", "--limit", "1e3"], "whole number"), (["events", "--tenant", ""], "empty"),
    (["restart"], "klinke reload"), (["logs"], "journalctl"), (["retry", "x"], "klinke dead retry"),
    (["jobs", "--connection", "phone"], "TENANT/phone"), (["dead", "--pipeline", "confirm"], "agency/confirm"),
    (["events", "-c"], "needs a file"), (["events", "--since"], "needs a value")])
def test_usage(arguments, says):
    done = klinke(*arguments)
    assert done.returncode == 2 and says in done.stderr and not done.stdout


def test_version():
    assert re.match(r"klinke \d+\.\d+\.\d+ \(plugin ABI 1\)\n$", klinke("version").stdout)
    assert klinke("--version").stdout == klinke("version").stdout
    told = json.loads(klinke("version", "--json").stdout)
    assert set(told) == {"version", "abi"} and told["abi"] == 1


# ---- Reading verbs, beside a running host ------------------------------------------------------------------

MEMBERS = {
    "events": {"id", "time", "received", "type", "tenant", "source", "correlation", "data"},
    "jobs": {"id", "created", "updated", "tenant", "state", "step", "tries", "correlation", "generation"},
    "calls": {"call_id", "tenant", "connection", "direction", "status", "from", "to", "started"},
    "dead": {"kind", "updated", "what", "id", "state", "tenant", "reason", "correlation"},
}


@pytest.mark.parametrize("verb", ROWS)
def test_rows(house, verb):
    rows = house.rows(verb)
    assert rows
    for row in rows:
        assert MEMBERS[verb] <= set(row), (MEMBERS[verb] - set(row), row)
        for key in set(row) & {"id", "event", "inbox", "job"}:
            assert UUID.match(row[key])
        for key in set(row) & {"time", "received", "created", "updated", "started", "ended", "due"}:
            assert TIME.match(row[key]), (key, row[key])
    table = house.klinke(verb).stdout.splitlines()
    assert len(table) == 1 + min(len(rows), 50)
    name = "call_id" if verb == "calls" else "id"
    assert all(row[name] in table[i + 1] for i, row in enumerate(rows[:50]))


def test_newest_first_and_pages(house):
    rows = house.rows("events")
    assert len(rows) > 6
    assert rows[0]["received"] > rows[-1]["received"]
    paged, last = [], []
    while True:
        page = [json.loads(l) for l in house.klinke("events", "--json", "--limit", "3", *last).stdout.splitlines()]
        assert len(page) <= 3
        if not page:
            break
        paged += page
        last = ["--before", page[-1]["id"]]
    assert [p["id"] for p in paged] == [r["id"] for r in rows]


def test_filters(house):
    every = house.rows("events")
    assert {r["type"] for r in house.rows("events", "--type", "call.ended")} == {"call.ended"}
    subject = next(r["subject"] for r in every if r.get("subject"))
    assert all(r["subject"] == subject for r in house.rows("events", "--subject", subject))
    full = house.rows("events", "--connection", f"{TENANT}/phone")
    assert full and full == house.rows("events", "--tenant", TENANT, "--connection", "phone")
    assert {r["source"] for r in full} == {f"{TENANT}/phone"}
    assert house.rows("events", "--since", "1h") == every and not house.rows("events", "--until", "1h")
    assert not house.rows("events", "--tenant", "nobody")
    middle = every[len(every) // 2]["received"]
    newer, older = house.rows("events", "--since", middle), house.rows("events", "--until", middle)
    assert all(e["received"] >= middle for e in newer) and all(e["received"] < middle for e in older)
    assert newer and older and len(newer) + len(older) == len(every)
    assert {j["state"] for j in house.rows("jobs", "--state", "parked,waiting")} == {"parked", "waiting"}
    named = house.rows("jobs", "--pipeline", "agency/fails")
    assert len(named) == 2 and named == house.rows("jobs", "--state", "parked")
    assert {j["pipeline"] for j in house.rows("jobs", "--type", "booking.created")} == {"agency/confirm", "agency/later"}
    for bad in (["jobs", "--state", "redy"], ["jobs", "--state", "ready,redy"], ["events", "--since", "yesterday"],
                ["events", "--before", "01a2"], ["dead", "--state", "x"]):
        done = house.klinke(*bad, check=False)
        assert done.returncode == 2 and done.stderr, bad


def test_status(house):
    status = house.status()
    assert status["running"] is True and status["generation"] == 1
    assert set(status) >= {"version", "events", "webhooks_waiting", "webhooks_parked", "jobs"}
    assert set(status["jobs"]) == {"ready", "queued", "waiting", "parked", "dead", "done", "dropped"}
    assert status["jobs"]["parked"] == 2 and status["jobs"]["waiting"] == 1
    assert status["events"] == len(house.rows("events"))


def test_show(house):
    call = house.rows("calls")[-1]["call_id"]
    story = house.show(call)
    assert set(story) == {"inbox", "events", "jobs", "attempts"}
    assert {e["type"] for e in story["events"]} >= {"call.started", "call.ended", "call.analyzed"}
    for attempt in story["attempts"]:
        assert {"job", "kind", "step", "try", "name", "outcome", "started", "took_us"} <= set(attempt)
    job = next(j for j in story["jobs"] if j.get("pipeline") == "agency/book")
    for id_ in (job["id"], job["id"].upper(), job["id"].replace("-", ""), job["id"][-12:], job["event"], call):
        assert job["id"] in [j["id"] for j in house.show(id_)["jobs"]], id_
    text = house.klinke("show", job["id"]).stdout
    assert text.startswith("began 20") and "request   POST http" in text and "map booking" in text
    assert all(re.match(r" +\+\d+ ms |began |  +[!<>=] |  +", line) for line in text.splitlines())
    assert len(house.klinke("show", call, "--full").stdout) >= len(house.klinke("show", call).stdout)


def test_show_cuts_between_characters(house):
    for n, text in enumerate(("ü" * 700, "a" + "ü" * 700)):
        body = message_body(f"wamid.long{n}", text)
        assert house.hook("whatsapp", body, whatsapp_headers(body))[0] == 200
        event, = house.wait(lambda: [e for e in house.events("message.received") if e["data"]["text"] == text], "it is read")
        assert "ü… (--full shows all)" in house.klinke("show", event["id"]).stdout  # decoded, so it is UTF-8
        assert text in house.klinke("show", event["id"], "--full").stdout


@pytest.mark.parametrize("id_", ["x", "", "1234567", "ffffffff", "ffffffff-ffff-7fff-8fff-ffffffffffff", "../../etc/passwd",
                                 "' or 1=1 --", "%", "0" * 5000, "ü" * 40, "-" * 36])
def test_odd_ids(house, id_):
    for verb in (["show"], ["replay"], ["dead", "retry"], ["dead", "drop"], ["dead", "show"]):
        done = house.klinke(*verb, "--", id_, check=False)
        assert done.returncode in (1, 2) and done.stderr and not done.stdout, (verb, done)


def test_ambiguous_prefix(house):
    """All ids of a minute begin alike: that is said, not guessed. Their ends differ."""
    id_ = house.jobs("parked")[0]["id"]
    for verb in (["show"], ["dead", "drop"], ["dead", "retry"], ["replay"]):
        done = house.klinke(*verb, id_[:8], check=False)
        assert done.returncode == 1 and "several ids match" in done.stderr, done
    assert len(house.jobs("parked")) == 2
    assert house.show(id_[-8:])["jobs"]


# ---- Deciding ----------------------------------------------------------------------------------------------

def test_what_needs_a_person_says_what_it_means_and_what_to_do(house):
    one, other = house.rows("dead")
    assert one["fail"] == "bad input" and one["advice"].startswith("it was not done") and "dead retry" in one["advice"]
    assert f"-> {one['advice']}\n" in house.klinke("dead", "show", one["id"]).stdout
    assert all("advice" not in job for job in house.jobs("done"))


def test_dead_retry_all(house):
    jobs = house.jobs("parked")
    refused = house.klinke("dead", "retry", "--all", jobs[0]["id"], check=False)
    assert refused.returncode == 2 and "without ids" in refused.stderr
    assert house.klinke("dead", "retry", "--all", "--resend", check=False).returncode == 2
    none = house.klinke("dead", "retry", "--all", "--pipeline", "agency/other").stdout
    assert none == "nothing is dead or parked\n" and house.jobs("parked") == jobs
    told = house.klinke("dead", "retry", "--all", "--since", "1h").stdout
    assert sorted(told.split("runs again: ")[1:]) == sorted(f"{j['id']}\n" for j in jobs)
    wait(lambda: len([j for j in house.jobs("parked") if j not in jobs]) == 2, "they ran again, and failed again")


def test_dead_retry_and_drop(house):
    one, two = house.jobs("parked")
    before = one["updated"]
    assert json.loads(house.klinke("dead", "retry", one["id"], "--json").stdout) == {"job": one["id"]}
    wait(lambda: [j for j in house.jobs("parked") if j["id"] == one["id"] and j["updated"] > before],
         "it ran again, and failed again")
    by_event = house.klinke("dead", "drop", two["event"], "--reason", "tried it").stdout
    assert two["id"] in by_event
    dropped = house.job(two["id"])
    assert dropped["state"] == "dropped" and "tried it" in dropped["reason"]
    again = house.klinke("dead", "drop", two["id"], one["id"][-10:], "nothing-has-this", check=False)
    assert again.returncode == 1, "the worst of the three"
    assert house.job(one["id"])["state"] == "dropped", "one that can be done is done all the same"
    assert house.klinke("dead").stdout == "nothing is dead or parked\n"
    assert house.klinke("dead", "--json").stdout == ""


def test_a_waiting_job_can_be_dropped_by_its_event_only(house):
    """drop is for what is dead or parked; a reminder that waits is not."""
    waiting, = house.jobs("waiting")
    done = house.klinke("dead", "drop", waiting["id"], check=False)
    assert done.returncode == 1 and house.job(waiting["id"])["state"] == "waiting"


def test_replay(house):
    event = house.events("call.ended")[0]
    dry = house.klinke("replay", event["id"], "--dry-run", "--json").stdout
    assert json.loads(dry)["id"] == event["inbox"]
    count, repeats = len(house.events()), house.metrics()["klinke_event_repeats_total"]
    assert json.loads(house.klinke("replay", event["id"], "--json").stdout) == {"inbox": event["inbox"]}
    wait(lambda: house.metrics()["klinke_event_repeats_total"] > repeats, "it was read again")
    assert len(house.events()) == count, "nothing happened twice"
    call = house.rows("calls")[-1]["call_id"]
    several = house.klinke("replay", call, check=False)
    assert several.returncode == 1 and f"{len(house.show(call)['inbox'])} webhooks" in several.stderr


# ---- call --------------------------------------------------------------------------------------------------

def test_call(house):
    assert house.call(f"{TENANT}/calendar.test")
    done = house.klinke("call", f"{TENANT}/calendar.event_types")
    assert json.loads(done.stdout), "what is printed is the result itself"
    answer = json.loads(house.klinke("call", f"{TENANT}/phone.test", "--json").stdout)
    assert set(answer) == {"job", "state", "result"} and answer["state"] == "done"
    assert house.show(answer["job"])["attempts"], "it is recorded like everything else"
    body = house.directory / "input.json"
    body.write_text('{"call_id": "no-such-call"}')
    for form, stdin in ((f"@{body}", None), ("-", body.read_text()), (body.read_text(), None)):
        done = house.klinke("call", f"{TENANT}/phone.call", form, check=False, stdin=stdin)
        assert done.returncode == 1 and not done.stdout
        assert re.search(r"klinke call: it failed: gone: .*\nklinke show [0-9a-f-]{36} tells", done.stderr), done.stderr


@pytest.mark.parametrize("target,value,code,says", [
    ("nonsense", "{}", 2, "TENANT/CONNECTION.OPERATION"), (f"{TENANT}/calender.test", "{}", 1, "did you mean lindenhof/calendar?"),
    (f"{TENANT}/calendar.tst", "{}", 1, "did you mean test?"), ("calendar.test", "{}", 1, "there is no connection"),
    (f"{TENANT}/calendar.test", "{", 2, "1:2"), (f"{TENANT}/calendar.test", "[]", 2, "must be a JSON object"),
    (f"{TENANT}/calendar.test", "@/nonexistent", 1, "No such file"), (f"{TENANT}/calendar.slots", "{}", 1, "bad input")])
def test_call_refused(house, target, value, code, says):
    done = house.klinke("call", target, value, check=False)
    assert done.returncode == code and says in done.stderr, done


# ---- Output that goes nowhere ---------------------------------------------------------------------------------

def test_broken_pipe(house):
    """head has seen enough: the verb ends, the host does not care."""
    reading, writing = os.pipe()
    os.close(reading)
    for verb in (["events", "--json"], ["show", house.rows("calls")[-1]["call_id"]], ["help"], ["status"]):
        done = subprocess.run([str(KLINKE), *verb], env=house.environment, stdout=writing, stderr=subprocess.PIPE)
        assert done.returncode in (-signal.SIGPIPE, 1)
    os.close(writing)
    assert house.status()["running"]


def test_full_disk(house):
    with open("/dev/full", "w") as full:
        for verb in (["events"], ["help"], ["version"], ["plugin", "list"]):
            done = subprocess.run([str(KLINKE), *verb], env=house.environment, stdout=full, stderr=subprocess.PIPE, text=True)
            assert done.returncode == 1 and "could not be written" in done.stderr, verb


# ---- Who has the state directory --------------------------------------------------------------------------------

def test_second_host_is_told_who_has_it(house):
    done = house.klinke("run", check=False)
    assert done.returncode == 75
    assert str(house.host.pid) in done.stderr and str(house.state) in done.stderr
    assert house.status()["running"], "and the first one did not notice"


def test_without_the_service_environment(house):
    """Secrets are the service's; looking needs none of them."""
    bare = {k: v for k, v in house.environment.items() if k not in SECRETS}
    for verb in (["events"], ["status"], ["dead"]):
        done = subprocess.run([str(KLINKE), *verb], env=bare, capture_output=True, text=True)
        assert done.returncode == 0 and not done.stderr, done
    done = klinke("events", "--state-dir", house.state)
    assert done.returncode == 0 and done.stdout == house.klinke("events").stdout


def test_without_a_host(world):
    """The verbs take the lock themselves, do it, and let go."""
    world.write_ini()
    for verb in (["events"], ["status"], ["show", "x"]):
        done = world.klinke(*verb, check=False)
        assert done.returncode == 1 and "no host has run" in done.stderr
    assert not world.state.exists(), "looking makes nothing"
    world.state.mkdir()
    done = world.klinke("events", check=False)
    assert done.returncode == 1 and "another directory" in done.stderr
    assert not any(world.state.iterdir()), "nor in a directory of somebody else's"
    world.state.rmdir()
    world.start_sandbox()
    answer = json.loads(world.klinke("call", f"{TENANT}/calendar.test", "--json").stdout)
    assert answer["state"] == "done"
    assert world.status()["running"] is False
    assert [j["id"] for j in world.jobs("done")] == [answer["job"]]
    assert world.show(answer["job"])["attempts"]
    world.fault(vendor="whatsapp", method="POST", close_after=True)  # whether it was sent nobody knows
    failed = world.klinke("call", f"{TENANT}/whatsapp.send", json.dumps({"to": CALLER, "text": "x"}), "--json", check=False)
    job = json.loads(failed.stdout)["job"]
    assert failed.returncode == 1 and world.rows("dead")[0]["id"] == job
    world.klinke("dead", "drop", job)
    assert world.job(job)["state"] == "dropped"
    done = world.klinke("reload", check=False)
    assert done.returncode == 69 and "no host is running" in done.stderr
    world.start_host()
    assert world.status()["running"] is True and world.job(job)["state"] == "dropped"
    assert world.stop_host() == 0
    assert not (world.state / "control.sock").exists()


@pytest.mark.parametrize("verb", [("call", f"{TENANT}/calendar.test"), ("gaps",)], ids=lambda v: v[0])
def test_a_faulty_configuration_begins_no_store(world, verb):
    world.ini["connection phone"]["plugin"] = "retel"
    world.write_ini()
    done = world.klinke(*verb, check=False)
    assert done.returncode == 78 and "klinke.ini:" in done.stderr, done
    assert not world.state.exists()


def test_a_restore_of_nothing_makes_nothing(world):
    world.write_ini()
    (world.directory / "text.db").write_text("no store" * 1000)
    for file in ("nofile.db", "text.db"):
        done = world.klinke("restore", world.directory / file, check=False)
        assert done.returncode == 1 and file in done.stderr, done
        assert not world.state.exists()


def test_who_may_not_is_told_who_may(world):
    """Nobody, in what is root's: whoever runs this is not both."""
    def nobody():
        if os.geteuid() == 0:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
    world.ini["host"]["state"] = "/root"
    world.ini["host"]["plugins"] = world.directory  # the build may lie where nobody gets
    for plugin in PLUGINS:
        shutil.copy(plugin / f"{plugin.name}.so", world.directory)
    program = shutil.copy(KLINKE, world.directory)
    world.write_ini()
    world.file.chmod(0o644)
    world.directory.chmod(0o755)
    for verb in (["run"], ["events"], ["call", f"{TENANT}/calendar.test"]):
        done = subprocess.run([program, *verb], env=world.environment, text=True, capture_output=True, timeout=60,
                              preexec_fn=nobody)
        assert done.returncode == 1, done
        assert "Permission denied; it belongs to root: run it as root (sudo -u root" in done.stderr
    world.ini["host"]["state"] = "/usr/lib/klinke-state"
    world.write_ini()
    done = subprocess.run([program, "run"], env=world.environment, text=True, capture_output=True, timeout=60,
                          preexec_fn=nobody)
    assert done.returncode == 1 and "state = in [host]" in done.stderr, done


def test_many_commands_without_a_host_wait_for_each_other(world):
    world.start_sandbox()
    world.call(f"{TENANT}/calendar.test")
    codes = []
    threads = [threading.Thread(target=lambda: codes.append(world.klinke("jobs", check=False).returncode))
               for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert codes == [0] * 8


def test_state_that_is_not_ours(world):
    """A file where the directory should be, a socket that nobody serves."""
    world.write_ini()
    world.state.write_text("a file")
    done = world.klinke("run", check=False)
    assert done.returncode not in (0, -signal.SIGSEGV) and str(world.state) in done.stderr
    world.state.unlink()
    world.start_sandbox()
    world.call(f"{TENANT}/calendar.test")
    import socket
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(world.state / "control.sock"))
    assert world.status()["running"] is False
    world.start_host()
    assert world.status()["running"] is True


# ---- check ------------------------------------------------------------------------------------------------------

FAULTS = [  # line, what it says
    (1, "unknown section [hst]; did you mean \"host\"?"),
    (5, "99999"),
    (6, "did you mean \"state\"?"),
    (7, "expected a size"),
    (11, "did you mean \"Europe/Berlin\"?"),
    (12, "de | en"),
    (15, "did you mean \"praxis\"?"),
    (16, "did you mean \"retell\"?"),
    (22, "\"NOT_SET_ANYWHERE\" is not set"),
    (23, "did you mean \"webhook_secret\"?"),
    (24, "team must be the number"),
    (28, "did you mean \"datetime\"?"),
    (29, "ends too early"),
    (32, "did you mean \"call.analyzed\"?"),
    (33, "did you mean data?"),
    (34, "did you mean \"booking\"?"),
    (35, "did you mean \"book\"?"),
    (36, "there is no [connection whatsap]"),
    (39, "nobody waits for \"booking.created\""),
    (42, "calendar.cancel needs \"uid\""),
    (47, "whatsapp.send has no input \"templat\"; did you mean \"template\"?"),
    (48, "whatsapp.send needs \"to\" or \"phone\" or \"user_id\""),
]

BAD_INI = """\
[hst]
listen = 127.0.0.1:1

[host]
listen = 127.0.0.1:99999
stat = STATE
max_body = 4X
plugins = PLUGINS

[tenant praxis]
timezone = Europe/Berln
language = fr

[connection phone]
tenant = praxs
plugin = retel
api_key = ${CALCOM_API_KEY}

[connection calendar]
tenant = praxis
plugin = calcom_v2
api_key = ${NOT_SET_ANYWHERE}
webhook_secrt = x
team = abc

[mapping booking]
plugin = fields
start = datetme, required : data ->> '$.x'
name = text : data ->>

[pipeline book]
on = call.analysed
when = dta ->> 'x'
step = map bookin
step = calendar.bok
step = whatsap.send

[pipeline while]
on = booking.created
within = 450ms
fallback = "gleich"
step = calendar.cancel

[pipeline tell]
on = booking.created
; two slips in what is sent
step = whatsapp.send templat=termin_bestaetigung to="+491713920042"
otherwise = whatsapp.send template=rueckruf

[connection whatsapp]
plugin = whatsapp
token = ${WHATSAPP_TOKEN}
app_secret = ${WHATSAPP_APP_SECRET}
phone_number_id = 106000000000001
"""


def bad_ini(directory):
    path = Path(directory) / "bad.ini"
    path.write_text(BAD_INI.replace("PLUGINS", " ".join(map(str, PLUGINS))).replace("STATE", str(Path(directory) / "s")))
    return path


def test_all_faults_at_once(world):
    path = bad_ini(world.directory)
    done = klinke("check", "-c", path, environment=SECRETS)
    assert done.returncode == 78 and not done.stdout
    told = re.findall(rf"^{re.escape(str(path))}:(\d+):(\d+): (error|warning): (.*)$", done.stderr, re.M)
    assert len(told) == len(done.stderr.splitlines()), "each line is FILE:LINE:COL: severity: text"
    errors = [(int(line), text) for line, _, severity, text in told if severity == "error"]
    for line, says in FAULTS:
        assert any(l == line and says in text for l, text in errors), (line, says, [e for e in errors if e[0] == line])
    assert {l for l, _ in errors} == {l for l, _ in FAULTS}, "and nothing else"
    columns = {int(line): int(col) for line, col, _, _ in told}
    assert columns[5] == len("listen = ") + 1 and columns[33] == len("when = ") + 1
    as_json = [json.loads(l) for l in klinke("check", "-c", path, "--json", environment=SECRETS).stdout.splitlines()]
    assert [(f["line"], f["col"], f["severity"], f["text"]) for f in as_json] == \
        [(int(l), int(c), s, t) for l, c, s, t in told]
    assert {f["file"] for f in as_json} == {str(path)}


def test_plugins_that_are_not_there_are_told_with_all_places_and_what_else_is_missing(world):
    """A build that is not installed, and no environment: one look tells all of it."""
    places = [world.directory / "one", world.directory / "two"]
    world.ini["host"]["plugins"] = " ".join(map(str, places))
    world.write_ini()
    done = klinke("check", "-c", world.file)
    assert done.returncode == 78
    assert f"there is no retell.so in {places[0]}, {places[1]}; plugins = in [host] says where to look" in done.stderr
    assert set(re.findall(r'variable "(\w+)" is not set', done.stderr)) == set(SECRETS), done.stderr


def test_run_starts_nothing_with_faults(world):
    path = bad_ini(world.directory)
    good_state = world.directory / "s"
    text = path.read_text().replace("stat = ", "state = ").replace("127.0.0.1:99999", f"127.0.0.1:{world.port}")
    path.write_text(text)
    done = klinke("run", "-c", path, environment=SECRETS)
    assert done.returncode == 78 and "did you mean" in done.stderr
    assert not good_state.exists(), "no state directory"


def test_check_warns_and_passes(world):
    world.ini["connection phone"]["api_key"] = "key_written_in_clear"
    world.write_ini()
    done = world.klinke("check")
    assert "is fine" in done.stdout and "warning" in done.stderr and "key_written_in_clear" not in done.stderr


@pytest.mark.parametrize("name", sorted(p.name for p in (TOP / "config").glob("*.ini") if p.read_text().startswith("[host]") or "\n[host]" in p.read_text()))
def test_examples(name):
    """Fine with their environment set; each precise about what is not set."""
    path = TOP / "config" / name
    text = path.read_text()
    with tempfile.TemporaryDirectory() as directory:
        if not re.search(r"^plugins\s*=", text, re.M):
            text = text.replace("[host]\n", f"[host]\nplugins = {' '.join(map(str, PLUGINS))}\n", 1)
        for included in re.findall(r"^include\s*=\s*(\S+)", text, re.M):
            shutil.copy(TOP / "config" / included, directory)
        copy = Path(directory) / name
        copy.write_text(text)
        values = {"KLINKE_LISTEN": "127.0.0.1:8080", "KLINKE_STATE": directory + "/state",
                  "KLINKE_SANDBOX": "127.0.0.1:8090", "KLINKE_PLUGINS": " ".join(map(str, PLUGINS)), **SECRETS}
        used = sorted(set(re.findall(r"\$\{(\w+)\}", re.sub(r"(?m)^[;#].*", "", text))))
        assert used and set(used) <= set(values), used
        done = klinke("check", "-c", copy, environment=values)
        assert done.returncode == 0 and "is fine" in done.stdout, done.stderr
        for variable in used:
            if variable == "KLINKE_PLUGINS":
                continue  # without them, more is unknown
            done = klinke("check", "-c", copy, environment={k: v for k, v in values.items() if k != variable})
            assert done.returncode == 78
            lines = [n for n, l in enumerate(text.splitlines(), 1) if "${" + variable + "}" in l]
            told = [int(n) for n in re.findall(rf":(\d+):\d+: error: environment variable \"{variable}\" is not set", done.stderr)]
            assert told == lines, (variable, done.stderr)
        assert not Path(directory, "state").exists()


def test_check_of_nothing():
    done = klinke("check", "-c", "/nonexistent/klinke.ini")
    assert done.returncode == 78 and "/nonexistent/klinke.ini" in done.stderr


# ---- plugin -----------------------------------------------------------------------------------------------------

def test_plugin(house):
    listed = json.loads(house.klinke("plugin", "list", "--json").stdout)
    assert {p["name"] for p in listed} == {p.name for p in PLUGINS}
    assert all(p["version"] and p["summary"] for p in listed)
    for plugin in PLUGINS:
        told = json.loads(house.klinke("plugin", "info", plugin.name, "--json").stdout)
        assert told["path"].endswith(f"{plugin.name}.so") and told["id"]
        for option in told["options"]:
            assert option["key"] and option["kind"] and option["help"] and isinstance(option["required"], bool)
        for operation in told["operations"]:
            assert operation["name"] and operation["help"] and operation["kind"] in ("action", "poll")
        text = house.klinke("plugin", "info", plugin.name).stdout
        assert all(o["key"] in text for o in told["options"]) and all(o["name"] in text for o in told["operations"])
        for operation in told["operations"]:
            for name in operation.get("input", {}).get("properties", {}):
                needed = r"  +yes$" if name in operation["input"].get("required", []) else ""
                assert re.search(rf"^ *{operation['name']} +{name} .*{needed}", text, re.M), (operation["name"], name)
        direct = json.loads(klinke("plugin", "info", plugin / f"{plugin.name}.so", "--json").stdout)
        assert direct["options"] == told["options"]
    text = house.klinke("plugin", "info", "whatsapp").stdout
    assert re.search(r"^ *send +to +string +one of to, phone, user_id$", text, re.M), text
    text = house.klinke("plugin", "info", "retell").stdout
    assert re.search(r"^ *agents +channel +voice \| chat", text, re.M), text
    assert re.search(r"^  hosts +that of base_url$", house.klinke("plugin", "info", "calcom_v2").stdout, re.M)
    assert re.search(r"^  hosts +none$", house.klinke("plugin", "info", "fields").stdout, re.M)
    done = house.klinke("plugin", "info", "nothing", check=False)
    assert done.returncode == 1 and "klinke plugin list" in done.stderr


def test_plugin_that_is_none(house, tmp_path):
    for content in (b"", b"#!/bin/sh\n", b"\x7fELF" + b"\0" * 60):
        path = tmp_path / "broken.so"
        path.write_bytes(content)
        done = house.klinke("plugin", "info", path, check=False)
        assert done.returncode == 1 and done.stderr and "broken" in done.stderr, done
