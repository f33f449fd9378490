"""./dev demo: one call against the sandbox of the vendors, told as it happens.

Every line of the story is read from the host's own store (klinke events, klinke show); this
script plays the call, looks and prints. It never says more than the store does.

    demo.py          play, then leave host and sandbox running
    demo.py --once   play, stop everything; 0 only if the story is complete (also without a terminal)
    demo.py --stop   stop what a demo left running
"""
import contextlib
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
RUN = TOP / "run" / "demo"
KLINKE = TOP / "build" / "host" / "klinke"
SANDBOX = TOP / "sdk" / "sandbox" / "klinke-sandbox"
PLUGINS = ("retell", "calcom_v2", "whatsapp", "fields")
PATIENCE_S = 30


def free_port(wanted):
    """The wanted one, so that addresses stay the same, or any that is free."""
    for port in (wanted, 0):
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind(("127.0.0.1", port))
                return s.getsockname()[1]
            except OSError:
                continue
    raise SystemExit("demo: no free port")


def get(url, body=None, timeout=5):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=timeout) as answer:
        return answer.read()


def wait_for(name, process, url):
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end and process.poll() is None:
        try:
            return get(url)
        except OSError:
            time.sleep(0.01)
    log = RUN / f"{name}.log"
    last = "\n".join(log.read_text(errors="replace").splitlines()[-10:])
    fate = "does not answer" if process.poll() is None else f"ended with {process.returncode}"
    raise SystemExit(f"demo: the {name} {fate}; the end of {log}:\n{last}")


class Demo:
    def __init__(self):
        self.host_port, self.sandbox_port = free_port(8080), free_port(8090)
        self.token = secrets.token_urlsafe(16)
        self.processes = {}
        self.environment = {
            **os.environ,
            "KLINKE_CONFIG": str(TOP / "config" / "demo.ini"),
            "KLINKE_LISTEN": f"127.0.0.1:{self.host_port}",
            "KLINKE_STATE": str(RUN / "state"),
            "KLINKE_SANDBOX": f"127.0.0.1:{self.sandbox_port}",
            "KLINKE_PLUGINS": " ".join(str(TOP / "build" / "plugins" / p) for p in PLUGINS),
            "KLINKE_ADMIN_TOKEN": self.token,
            "RETELL_API_KEY": "key_sandbox",
            "CALCOM_API_KEY": "cal_live_sandbox",
            "CALCOM_WEBHOOK_SECRET": "lindenhof-webhook-secret",
            "WHATSAPP_TOKEN": "EAAsandbox",
            "WHATSAPP_APP_SECRET": "0123456789abcdef0123456789abcdef",
            "WHATSAPP_VERIFY_TOKEN": "zahn-geheim",
        }

    @property
    def host(self):
        return f"http://127.0.0.1:{self.host_port}"

    @property
    def sandbox(self):
        return f"http://127.0.0.1:{self.sandbox_port}"

    def spawn(self, name, *command):
        log = open(RUN / f"{name}.log", "ab")
        self.processes[name] = subprocess.Popen(
            command, env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            start_new_session=True)
        pids = {n: p.pid for n, p in self.processes.items()}
        (RUN / "pids.json").write_text(json.dumps(pids))

    def start_sandbox(self):
        hooks = f"{self.host}/hooks/lindenhof"
        self.spawn("sandbox", "/usr/bin/python3", str(SANDBOX), "--listen",
                   f"127.0.0.1:{self.sandbox_port}", "--state", str(RUN / "sandbox"),
                   "--hooks-retell", f"{hooks}/phone", "--hooks-calcom", f"{hooks}/calendar",
                   "--hooks-whatsapp", f"{hooks}/whatsapp")
        wait_for("sandbox", self.processes["sandbox"], f"{self.sandbox}/_control/health")

    def start_host(self):
        self.spawn("host", str(KLINKE), "run")
        wait_for("host", self.processes["host"], f"{self.host}/readyz")

    def klinke(self, *arguments):
        done = subprocess.run([str(KLINKE), *arguments], env=self.environment, text=True,
                              capture_output=True, timeout=PATIENCE_S)
        if done.returncode:
            raise SystemExit(f"demo: klinke {arguments[0]}: {done.stderr.strip()}")
        return done.stdout

    def rows(self, *arguments):
        return [json.loads(line) for line in self.klinke(*arguments, "--json").splitlines()]

    def environment_file(self):
        """So that the commands we suggest work in any shell."""
        names = [n for n in self.environment if n not in os.environ or n == "KLINKE_CONFIG"]
        lines = [f"export {n}='{self.environment[n]}'" for n in sorted(names)]
        path = RUN / "env"
        path.touch(mode=0o600)
        path.write_text("\n".join(lines + [f"export PATH='{KLINKE.parent}':\"$PATH\"", ""]))


def milliseconds(text):
    from datetime import datetime
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1000


class Story:
    """Waits for each chapter in the store and prints it with the time since the phone rang."""

    def __init__(self, demo, call_id):
        self.demo, self.call_id, self.rang = demo, call_id, None
        self.complete = True

    def tell(self, when, text):
        at = milliseconds(when)
        self.rang = self.rang if self.rang is not None else at
        print(f"  {at - self.rang:+7.0f} ms  {text}", flush=True)

    def wait(self, what, look):
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            found = look()
            if found:
                return found
            time.sleep(0.02)
        print(f"           …  {what}: did not happen within {PATIENCE_S} s")
        self.complete = False
        return None

    def event(self, type_, subject=None, **data):
        def look():
            for row in self.demo.rows("events", "--type", type_):
                if subject in (None, row.get("subject")) and all(
                        row["data"].get(k) == v for k, v in data.items()):
                    return row
            return None
        return self.wait(type_, look)

    def step(self, id_, name):
        def look():
            story = json.loads(self.demo.klinke("show", id_, "--json"))
            for attempt in story["attempts"]:
                if attempt["kind"] == "step" and attempt["name"] == name:
                    return attempt if attempt["outcome"].startswith("done") else None
            return None
        return self.wait(name, look)

    def local(self, instant):
        from datetime import datetime
        from zoneinfo import ZoneInfo
        t = datetime.fromisoformat(instant.replace("Z", "+00:00"))
        return t.astimezone(ZoneInfo("Europe/Berlin")).strftime("%a %d %b %Y %H:%M")

    def run(self):
        call = f"call:{self.call_id}"
        started = self.event("call.started", call)
        if started:
            self.tell(started["received"], f"the phone rings: {started['data']['from']} calls "
                                           f"{started['data']['to']}")
        analyzed = self.event("call.analyzed", call)
        if not analyzed:
            return
        wish = analyzed["data"]["custom"]
        self.tell(analyzed["received"], "the caller has asked: " + ", ".join(
            f"{k} = {v}" for k, v in wish.items()))
        mapped = self.step(analyzed["id"], "map booking")
        if mapped:
            self.tell(mapped["started"], "the slot, understood: "
                      f"{self.local(mapped['output']['start'])} in Berlin")
        booked = self.step(analyzed["id"], "calendar.book")
        if not booked:
            return
        uid = booked["output"]["uid"]
        self.tell(booked["started"], f"the calendar is asked to book it, and answers in "
                                     f"{booked['took_us'] / 1000:.0f} ms: {booked['output']['status']}, {uid}")
        created = self.event("booking.created", uid=uid)
        if not created:
            return
        self.tell(created["received"], f"the calendar reports: booked with {created['data']['host']['name']}")
        sent = self.step(created["id"], "whatsapp.send")
        if not sent:
            return
        message = sent["output"]["message_id"]
        self.tell(sent["started"], f"the confirmation goes out by WhatsApp to {sent['output']['to']}")
        for type_, words in (("message.delivered", "it is on the caller's phone"),
                             ("message.read", "the caller has read it")):
            event = self.event(type_, message_id=message)
            if event:
                self.tell(event["received"], words)


def wished_slot(demo):
    """A time the calendar really offers: the first one on a Thursday afternoon, as the caller wants."""
    from datetime import datetime, timedelta, timezone
    from zoneinfo import ZoneInfo
    now = datetime.now(timezone.utc)
    ask = {"event_type": "310455", "from": now.strftime("%Y-%m-%dT%H:%M:%SZ"), "timezone": "Europe/Berlin",
           "to": (now + timedelta(days=21)).strftime("%Y-%m-%dT%H:%M:%SZ")}
    result = json.loads(demo.klinke("call", "lindenhof/calendar.slots", json.dumps(ask)))
    for slot in result["slots"]:
        t = datetime.fromisoformat(slot["start"].replace("Z", "+00:00")).astimezone(ZoneInfo("Europe/Berlin"))
        if t.weekday() == 3 and t.hour >= 16 and t - now > timedelta(days=2):
            return t
    raise SystemExit("demo: the calendar offers no slot on a Thursday afternoon")


def play(demo):
    slot = wished_slot(demo)
    answer = json.loads(get(f"{demo.sandbox}/_control/retell/call", {
        "from_number": "+491713920042",
        "custom_analysis_data": {
            "appointment_requested": True,
            "_name": "Jana Berger",
            "_datum__termin": slot.strftime("%d.%m.%Y"),
            "_uhrzeit__termin": slot.strftime("%H:%M"),
            "_versicherungsstatus": "Gesetzlich",
        }}))
    print("\nOne call to Praxis Am Lindenhof, as the store tells it:\n")
    story = Story(demo, answer["call_id"])
    story.run()
    effects = json.loads(get(f"{demo.sandbox}/_control/effects"))
    bookings, messages = len(effects["bookings"]), len(effects["messages"])
    print(f"\nThe vendors' side counts {bookings} booking and {messages} message.")
    return story.complete and bookings == 1 and messages == 1, answer["call_id"]


def stop():
    """TERM to whoever the last demo left; they drain and stop."""
    path = RUN / "pids.json"
    if not path.exists():
        return
    for pid in json.loads(path.read_text()).values():
        for number, seconds in ((signal.SIGTERM, 15), (signal.SIGKILL, 5)):
            if not ours(pid):
                break
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
            end = time.monotonic() + seconds
            while time.monotonic() < end and ours(pid):
                time.sleep(0.02)
    path.unlink()


def ours(pid):
    """Still there, and not somebody else who was given the number meanwhile."""
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return any(os.fsencode(program) in command for program in (KLINKE, SANDBOX))


def main():
    if "--stop" in sys.argv[1:]:
        stop()
        return 0
    once = "--once" in sys.argv[1:] or not sys.stdout.isatty()
    stop()
    shutil.rmtree(RUN, ignore_errors=True)
    RUN.mkdir(parents=True)
    demo = Demo()
    complete = False
    try:
        demo.start_sandbox()
        demo.start_host()
        demo.environment_file()
        complete, call_id = play(demo)
    finally:
        if once or not complete:
            stop()
    if once:
        print("The story is complete." if complete else "The story is NOT complete.")
    elif complete:
        print(f"""
The host goes on running.
  its pages      {demo.host}/login?token={demo.token}
  stop it        ./dev stop

What to try next, in a shell after  . run/demo/env
  klinke show {call_id}
  klinke events
  klinke jobs                     the reminder waits for the day before
  klinke call lindenhof/whatsapp.templates      fails: set waba_id in config/demo.ini, then klinke reload
  klinke check -c config/office.ini             tells what is missing, and where""")
        if shutil.which("curl"):
            print(f"""  curl -d '{{"from":"491713920042","text":"Kann ich später kommen?"}}' {demo.sandbox}/_control/whatsapp/inbound""")
    return 0 if complete else 1


if __name__ == "__main__":
    sys.exit(main())
