"""A world to test in: the sandbox of the vendors and a real klinke, each to be started, killed and
started again, with an INI that a test may change. Nothing here waits without a condition.

    def test_something(world):
        world.ini["connection whatsapp"]["rate"] = "1/s"
        world.start()                       # sandbox and host
        call = world.ring()                 # a call that ends in a booking and a message
        world.wait(lambda: world.events("message.delivered"), "the message arrives")
"""
import ctypes
import http.client
import json
import os
import random
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
import time
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from fnmatch import fnmatchcase
from pathlib import Path
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

TOP = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("KLINKE_BUILD", TOP / "build")).absolute()
KLINKE = BUILD / "host" / "klinke"
SANDBOX = TOP / "sdk" / "sandbox" / "klinke-sandbox"
PLUGINS = [BUILD / "plugins" / name for name in ("retell", "calcom_v1", "calcom_v2", "whatsapp", "fields")]
PATIENCE_S = float(os.environ.get("PATIENCE_S", "20"))
PAUSE_S = 0.01  # between two looks at a condition
TENANT = "lindenhof"
BERLIN = ZoneInfo("Europe/Berlin")
CALLER = "+491713920042"
EVENT_TYPE = "310455"
SECRETS = {
    "KLINKE_ADMIN_TOKEN": "token-of-the-test",
    "RETELL_API_KEY": "key_sandbox",
    "CALCOM_API_KEY": "cal_live_sandbox",
    "CALCOM_WEBHOOK_SECRET": "lindenhof-webhook-secret",
    "WHATSAPP_TOKEN": "EAAsandbox",
    "WHATSAPP_APP_SECRET": "0123456789abcdef0123456789abcdef",
    "WHATSAPP_VERIFY_TOKEN": "zahn-geheim",
}


# ---- INI ------------------------------------------------------------------------------------------

class Section:
    """Keys in order; a key may come several times (step, in, at …)."""

    def __init__(self, pairs):
        self.pairs = [(key, str(value)) for key, value in pairs]

    def __getitem__(self, key):
        return next(value for name, value in self.pairs if name == key)

    def __setitem__(self, key, value):
        """Replaces the first one of that name, or adds it."""
        for i, (name, _) in enumerate(self.pairs):
            if name == key:
                self.pairs[i] = (key, str(value))
                return
        self.pairs.append((key, str(value)))

    def __delitem__(self, key):
        self.pairs = [pair for pair in self.pairs if pair[0] != key]

    def add(self, key, value):
        self.pairs.append((key, str(value)))


class Ini:
    """An INI file as sections by their heads: ini["connection phone"]["rate"] = "1/s"."""

    def __init__(self):
        self.sections = {}

    def __getitem__(self, head):
        return self.sections[head]

    def __delitem__(self, head):
        del self.sections[head]

    def __contains__(self, head):
        return head in self.sections

    def add(self, head, *pairs, **keys):
        """add("pipeline x", ("on", "call.ended"), ("step", "…")): pairs in order, then keys."""
        self.sections[head] = Section([*pairs, *keys.items()])
        return self.sections[head]

    def drop(self, kind):
        """All sections of a kind: drop("pipeline")."""
        for head in [h for h in self.sections if h.split()[0] == kind]:
            del self.sections[head]

    def __str__(self):
        lines = []
        for head, section in self.sections.items():
            lines.append(f"[{head}]")
            lines += [f"{key} = {value}".replace("\n", "\n\t") for key, value in section.pairs]
            lines.append("")
        return "\n".join(lines)


def connections(ini, sandbox):
    """Phone, calendar and messenger of the tenant, against the sandbox; tries come quickly."""
    quick = {"retry_base": "50ms", "retry_cap": "500ms"}
    ini.add("connection phone", tenant=TENANT, plugin="retell", api_key="${RETELL_API_KEY}",
            base_url=f"http://{sandbox}/retell", **quick)
    ini.add("connection calendar", tenant=TENANT, plugin="calcom_v2", api_key="${CALCOM_API_KEY}",
            webhook_secret="${CALCOM_WEBHOOK_SECRET}", base_url=f"http://{sandbox}/calcom/v2",
            timeout="2s", **quick)
    ini.add("connection whatsapp", tenant=TENANT, plugin="whatsapp", token="${WHATSAPP_TOKEN}",
            app_secret="${WHATSAPP_APP_SECRET}", verify_token="${WHATSAPP_VERIFY_TOKEN}",
            phone_number_id="106000000000001", base_url=f"http://{sandbox}/whatsapp",
            timeout="2s", **quick)


def pipelines(ini):
    """After the call the booking, after the booking the confirmation."""
    ini.add("mapping booking",
            ("plugin", "fields"),
            ("event_type", f"text, required : '{EVENT_TYPE}'"),
            ("start", "datetime, required : data ->> '$.fields.datum_termin' || ' ' || "
                      "(data ->> '$.fields.uhrzeit_termin')"),
            ("name", "text, required : data ->> '$.fields.name'"),
            ("phone", "phone(DE), required : data ->> '$.from'"),
            ("timezone", "text : tenant ->> 'timezone'"),
            ("language", "text : tenant ->> 'language'"),
            ("fields", "json : json_object('versicherung', 'gesetzlich')"))
    ini.add("pipeline book",
            ("on", "call.analyzed"),
            ("when", "data ->> 'appointment_requested'"),
            ("step", "map booking"),
            ("step", "calendar.book"))
    ini.add("pipeline confirm",
            ("on", "booking.created"),
            ("when", "data ->> '$.attendee.phone' is not null"),
            ("step", "whatsapp.send template=termin_bestaetigung to=(data ->> '$.attendee.phone') params=("
                     "json_object('anrede_name', data ->> '$.attendee.name', 'datum', day(start), "
                     "'uhrzeit', clock(start), 'behandler', 'Praxis'))"))


def office(world):
    """The INI that a world begins with: one office that books after a call and confirms."""
    ini = Ini()
    ini.add("host", listen=f"127.0.0.1:{world.port}", state=world.state,
            plugins=" ".join(str(p) for p in PLUGINS), admin_token="${KLINKE_ADMIN_TOKEN}",
            allow_private=f"127.0.0.1:{world.sandbox_port}", drain_timeout="1s")
    ini.add(f"tenant {TENANT}", name="Praxis Am Lindenhof", timezone="Europe/Berlin", language="de")
    connections(ini, f"127.0.0.1:{world.sandbox_port}")
    pipelines(ini)
    return ini


# ---- Small things ------------------------------------------------------------------------------------

LIBC = ctypes.CDLL(None)
PR_SET_PDEATHSIG = 1


def die_with_parent():
    """In the child: a suite that is killed leaves nobody behind."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def ports():
    """Below those that the kernel gives to connections, which would take one between asking and using; and each of the
    tests that run side by side has its own."""
    share = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]) % 4
    first, count = 12000 + 5000 * share, 5000
    start = random.randrange(count)
    while True:
        for n in range(count):
            yield first + (start + n) % count


PORTS = ports()


def free_port():
    """One that nobody has; it is taken again after every restart."""
    for port in PORTS:
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def wait(look, what="", timeout=None):
    """The first true value of look(); fails the test with the last one after timeout seconds."""
    end = time.monotonic() + (timeout or PATIENCE_S)
    while True:
        found = look()
        if found:
            return found
        assert time.monotonic() < end, f"did not happen: {what}; last seen: {found!r}"
        time.sleep(PAUSE_S)


def request(port, method, path, body=None, headers=None, timeout=10):
    """(status, bytes, headers) of one HTTP request to 127.0.0.1."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read(), {k.lower(): v for k, v in answer.getheaders()}
    finally:
        connection.close()


def log_in(port, secret):
    """The Cookie header of a browser that has logged in with a token or a password."""
    status, _, fields = request(port, "POST", "/login", urlencode({"secret": secret}),
                                {"Content-Type": "application/x-www-form-urlencoded"})
    assert status == 303, f"no login: {status}"
    return {"Cookie": fields["set-cookie"].split(";")[0]}


def instant(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


class Process:
    """pid, name and parent of one process, as /proc has it."""

    def __init__(self, pid):
        text = Path(f"/proc/{pid}/stat").read_text()
        self.pid = int(pid)
        self.name = text[text.index("(") + 1:text.rindex(")")]
        rest = text[text.rindex(")") + 2:].split()
        self.state, self.parent = rest[0], int(rest[1])

    def kill(self, number=signal.SIGKILL):
        try:
            os.kill(self.pid, number)
        except ProcessLookupError:
            pass

    def alive(self):
        try:
            now = Process(self.pid)
        except (OSError, ValueError):
            return False
        return now.state not in "ZX" and now.name == self.name


def processes():
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                found.append(Process(entry))
            except (OSError, ValueError):
                continue
    return found


def descendants(pid):
    """Children and their children, living ones only."""
    everybody, found, parents = processes(), [], {pid}
    while parents:
        young = [p for p in everybody if p.parent in parents and p.state not in "ZX"]
        found += young
        parents = {p.pid for p in young}
    return found


# ---- The world -----------------------------------------------------------------------------------------

class World:
    def __init__(self, directory):
        self.directory = Path(directory)
        self.state = self.directory / "state"
        self.file = self.directory / "klinke.ini"
        self.host_log = self.directory / "host.log"
        self.sandbox_log = self.directory / "sandbox.log"
        self.port, self.sandbox_port = free_port(), free_port()
        self.secrets = dict(SECRETS)
        self.ini = office(self)
        self.host = self.sandbox = None
        self.preload = {}  # more environment of `klinke run`, e.g. LD_PRELOAD and what a shim reads; of no other verb
        # Patient vendors: no webhook is given up while the host is down.
        pauses = ",".join(["50"] * 20 + ["200"] * 600)
        self.sandbox_options = ["--retry-retell", pauses, "--retry-calcom", pauses,
                                "--retry-whatsapp", pauses]
        self.used_slots = 0

    # -- processes

    @property
    def environment(self):
        return {**os.environ, "KLINKE_CONFIG": str(self.file), **self.secrets}

    def write_ini(self):
        self.file.write_text(str(self.ini))

    def start(self):
        self.launch_sandbox()
        self.launch_host()
        self.wait_for_sandbox()
        self.wait_for_host()
        return self

    def start_sandbox(self):
        self.launch_sandbox()
        self.wait_for_sandbox()

    def launch_sandbox(self):
        hooks = f"http://127.0.0.1:{self.port}/hooks/{TENANT}"
        command = ["/usr/bin/python3", str(SANDBOX), "--listen", f"127.0.0.1:{self.sandbox_port}",
                   "--state", str(self.directory / "sandbox"), "--hooks-retell", f"{hooks}/phone",
                   "--hooks-calcom", f"{hooks}/calendar", "--hooks-whatsapp", f"{hooks}/whatsapp",
                   *self.sandbox_options]
        with open(self.sandbox_log, "ab") as log:
            self.sandbox = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            preexec_fn=die_with_parent)

    def wait_for_sandbox(self):
        wait(lambda: self._answers(self.sandbox, self.sandbox_port, "/_control/health"),
             "the sandbox answers")

    def launch_host(self):
        """Starts it with today's INI and does not wait."""
        self.write_ini()
        with open(self.host_log, "ab") as log:
            self.host = subprocess.Popen([str(KLINKE), "run"], env={**self.environment, **self.preload},
                                         stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                         preexec_fn=die_with_parent)

    def start_host(self):
        self.launch_host()
        self.wait_for_host()

    def wait_for_host(self):
        wait(lambda: self._answers(self.host, self.port, "/readyz"), "the host answers")

    @staticmethod
    def _answers(process, port, path):
        assert process.poll() is None, f"{process.args[:2]} ended with {process.returncode}"
        try:
            return request(port, "GET", path)[0] == 200
        except (OSError, http.client.HTTPException):
            return False

    def kill_host(self):
        """kill -9; returns when it and all its workers are gone."""
        family = descendants(self.host.pid)
        self.host.kill()
        self.host.wait()
        wait(lambda: not any(p.alive() for p in family), "the workers die with the host")

    def stop_host(self):
        """TERM; its exit code."""
        self.host.terminate()
        return self.host.wait(timeout=PATIENCE_S)

    def restart_host(self):
        self.kill_host()
        self.start_host()

    def kill_sandbox(self):
        self.sandbox.kill()
        self.sandbox.wait()

    def restart_sandbox(self):
        self.kill_sandbox()
        self.start_sandbox()

    def workers(self, name=None):
        """The host's worker processes, of one plugin or all: not the zygote."""
        return [p for p in descendants(self.host.pid)
                if p.name != "klinke-zygote" and (name is None or name in p.name)]

    def reload(self):
        """klinke reload with today's INI (and the environment the host was started with)."""
        self.write_ini()
        return self.klinke("reload")

    def close(self):
        for process in (self.host, self.sandbox):
            if process and process.poll() is None:
                process.kill()
                process.wait()

    # -- asking the host

    def klinke(self, *arguments, check=True, stdin=None):
        """One verb of the command line. check: it must end with 0."""
        if not self.file.exists():
            self.write_ini()
        done = subprocess.run([str(KLINKE), *map(str, arguments)], env=self.environment, text=True,
                              input=stdin, capture_output=True, timeout=90)
        assert not check or done.returncode == 0, \
            f"klinke {' '.join(map(str, arguments))}: {done.returncode}: {done.stderr}{done.stdout}"
        return done

    def rows(self, *arguments):
        """Rows of a verb that lists, newest first; many more than its default."""
        out = self.klinke(*arguments, "--json", "--limit", "100000").stdout
        return [json.loads(line) for line in out.splitlines()]

    def events(self, type_=None, **fields):
        found = self.rows("events", *(("--type", type_) if type_ else ()))
        return [e for e in found if all(e.get(k) == v for k, v in fields.items())]

    def jobs(self, *states, **fields):
        found = self.rows("jobs", *(("--state", ",".join(states)) if states else ()))
        return [j for j in found if all(j.get(k) == v for k, v in fields.items())]

    def job(self, id_):
        return next(j for j in self.jobs() if j["id"] == id_)

    def show(self, id_):
        return json.loads(self.klinke("show", id_, "--json").stdout)

    def status(self):
        return json.loads(self.klinke("status", "--json").stdout)

    def call(self, target, value=None, check=True):
        """klinke call: the result, or (check=False) the whole answer."""
        done = self.klinke("call", target, json.dumps(value or {}), "--json", check=check)
        answer = json.loads(done.stdout)
        return answer["result"] if check else answer

    def call_unheard(self, target, value=None):
        """An operation of somebody who does not wait for its end; its job's id."""
        headers = {"Authorization": f"Bearer {self.secrets['KLINKE_ADMIN_TOKEN']}"}
        body = json.dumps({"target": target, "input": value or {}, "timeout_ms": 0})
        status, answer, _ = request(self.port, "POST", "/api/v1/call", body, headers)
        assert status == 504, (status, answer)
        return re.search("klinke show ([0-9a-f-]{36})", answer.decode()).group(1)

    def inbox(self):
        """Every stored webhook."""
        return self.api("GET", "/inbox?limit=100000")["rows"]

    def inbox_of(self, connection):
        return [i for i in self.inbox() if i["connection"] == f"{TENANT}/{connection}"]

    def api(self, method, path, body=None):
        headers = {"Authorization": f"Bearer {self.secrets['KLINKE_ADMIN_TOKEN']}",
                   "Content-Type": "application/json"}
        raw = None if body is None else json.dumps(body)
        status, answer, _ = request(self.port, method, "/api/v1" + path, raw, headers)
        assert 200 <= status < 300, f"{method} {path}: {status} {answer!r}"
        return json.loads(answer)

    def metrics(self):
        """Name (with labels) to number."""
        headers = {"Authorization": f"Bearer {self.secrets['KLINKE_ADMIN_TOKEN']}"}
        status, text, _ = request(self.port, "GET", "/metrics", headers=headers)
        assert status == 200
        found = {}
        for line in text.decode().splitlines():
            if line and not line.startswith("#"):
                name, _, value = line.rpartition(" ")
                found[name] = float(value)
        return found

    def hook(self, connection, body, headers=None, method="POST", tenant=TENANT):
        """A webhook of our own making: (status, bytes, headers)."""
        return request(self.port, method, f"/hooks/{tenant}/{connection}", body, headers)

    @contextmanager
    def stuck_disk(self):
        """Nothing can be committed while another process has the database."""
        lock = sqlite3.connect(self.state / "klinke.db", isolation_level=None)
        lock.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            lock.execute("ROLLBACK")
            lock.close()

    # -- asking the sandbox

    def control(self, path, body=None, method=None):
        raw = None if body is None else json.dumps(body)
        status, answer, _ = request(self.sandbox_port, method or ("GET" if body is None else "POST"),
                                    "/_control" + path, raw, {"Content-Type": "application/json"}, 30)
        assert status == 200, answer
        return json.loads(answer)

    def fault(self, **rule):
        return self.control("/faults", rule)

    def faults_left(self):
        """Ordered faults that have not happened yet."""
        return [f for f in self.control("/faults")["faults"] if f["left"]]

    def clear_faults(self):
        self.control("/faults", method="DELETE")

    def settings(self, **values):
        self.control("/settings", values, "PUT")

    def effects(self):
        return self.control("/effects")

    def bookings(self):
        return self.effects()["bookings"]

    def messages(self):
        return self.effects()["messages"]

    def requests(self, vendor=None, path="*", method=None):
        """What the sandbox was asked, oldest first; path may have * in it."""
        return [r for r in self.control("/requests")["requests"]
                if vendor in (None, r["vendor"]) and method in (None, r["method"])
                and fnmatchcase(r["path"], path)]

    def hooks(self):
        """Every webhook the vendors have sent or will send, oldest first."""
        return self.control("/hooks")["hooks"]

    # -- the story

    def slot(self):
        """A start that the calendar offers and that no earlier call of this world was given."""
        if not hasattr(self, "slots"):
            begin = datetime.now(timezone.utc) + timedelta(days=3)
            end = begin + timedelta(days=40)
            path = (f"/calcom/v2/slots?eventTypeId={EVENT_TYPE}&timeZone=Europe/Berlin"
                    f"&start={begin:%Y-%m-%d}&end={end:%Y-%m-%d}")
            status, answer, _ = request(self.sandbox_port, "GET", path,
                                        headers={"cal-api-version": "2024-09-04"})
            assert status == 200, answer
            days = json.loads(answer)["data"]
            starts = [instant(s["start"]) for day in sorted(days) for s in days[day]]
            # far enough from each other that none takes away the next
            self.slots = [s.astimezone(BERLIN) for s in starts[::2]]
        self.used_slots += 1
        return self.slots[self.used_slots - 1]

    def ring(self, name="Jana Berger", number=CALLER, slot=None, **more):
        """Plays one call that wants an appointment; its id."""
        slot = slot or self.slot()
        answer = self.control("/retell/call", {
            "from_number": number,
            "custom_analysis_data": {
                "appointment_requested": True, "_name": name,
                "_datum__termin": slot.strftime("%d.%m.%Y"), "_uhrzeit__termin": slot.strftime("%H:%M"),
            }, **more})
        return answer["call_id"]

    def settled(self, bookings, messages):
        """True when that much has happened, every webhook was taken and read, and nothing is left to do."""
        return (self.settled_but_for_hooks(bookings, messages)  # so their webhooks are made
                and not any(h["state"] in ("pending", "sending") for h in self.hooks())
                and self.settled_but_for_hooks(bookings, messages))

    def settled_but_for_hooks(self, bookings, messages):
        effects = self.effects()
        if (len(effects["bookings"]), len(effects["messages"])) != (bookings, messages):
            return False
        status = self.status()
        return not status["webhooks_waiting"] and not any(
            status["jobs"][s] for s in ("ready", "queued"))

    # -- waiting and telling

    def wait(self, look, what="", timeout=None):
        return wait(look, what, timeout)

    def log(self):
        return self.host_log.read_text(errors="replace") if self.host_log.exists() else ""

    def complaints(self):
        """What a sanitizer or an assertion left in the host's log."""
        return re.findall(r".*(?:ERROR: \w+Sanitizer|runtime error:|Assertion .* failed|SUMMARY: \w+Sanitizer).*",
                          self.log())

    def tell(self):
        """For a failed test: what is open, and the ends of the logs."""
        text = ""
        try:
            text = "".join(f"{job}\n" for job in self.jobs() if job["state"] != "done")
            text += f"{self.status()}\n{self.effects()['counts']}\n"
            text += "".join(f"{hook}\n"[:400] for hook in self.hooks() if hook["state"] != "delivered")
        except (OSError, AssertionError, subprocess.SubprocessError, http.client.HTTPException) as fault:
            text += f"cannot be asked any more: {fault}\n"
        for log in (self.host_log, self.sandbox_log):
            if log.exists():
                text += f"--- {log.name}\n" + "\n".join(log.read_text(errors="replace").splitlines()[-60:]) + "\n"
        return text

    def forget(self):
        shutil.rmtree(self.directory, ignore_errors=True)


@contextmanager
def a_world(make=World, failed=lambda: False):
    """One to test in, made by make(directory) and not started yet. When all went well its host must stop on TERM with 0,
    whatever it is at, and no sanitizer may have complained; else what is known of it is printed. failed(): did a test
    that pytest ran meanwhile?"""
    assert KLINKE.exists(), f"{KLINKE} is not built; KLINKE_BUILD names another build directory"
    made = make(tempfile.mkdtemp(prefix="klinke-"))  # short: a socket's path has 107 characters
    code = None
    try:
        yield made
        if not failed():
            code = made.stop_host() if made.host and made.host.poll() is None else 0
    finally:
        if code is None:
            print(made.tell())
        made.close()
        complaints, log = made.complaints(), made.log()
        made.forget()
    assert not complaints, "\n".join(complaints)
    assert code in (None, 0), f"the host ended with {code} on TERM:\n{log[-3000:]}"
