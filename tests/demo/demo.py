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

    @staticmethod
    def office_file():
        """The example that is installed, with the plugins of this build: an office to begin with."""
        text = (TOP / "config" / "office.ini").read_text()
        path = RUN / "office.ini"
        path.write_text(text.replace("[host]\n", "[host]\nplugins = ${KLINKE_PLUGINS}\n", 1))
        shutil.copy(TOP / "config" / "desk.ini", RUN)
        return path


def milliseconds(text):
    from datetime import datetime
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1000


class Story:
    """Waits for each chapter in the store and prints it with the time since the phone rang."""

    def __init__(self, demo, call_id):
        self.demo, self.call_id, self.rang = demo, call_id, None
        self.complete, self.held = True, None

    def tell(self, when, text, later_ms=0):
        """One line is held back: what the calendar reports may come before the caller has heard of it."""
        line = milliseconds(when) + later_ms, text
        self.rang = self.rang if self.rang is not None else line[0]
        first, self.held = sorted((self.held or line, line), key=lambda of: of[0])
        if first is not self.held:
            self.say(first)

    def say(self, line):
        print(f"  {line[0] - self.rang:+7.0f} ms  {line[1]}", flush=True)

    def end(self):
        if self.held:
            self.say(self.held)

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

    def answered(self, event, name, words):
        """What a waiting caller was told, and how long after the question."""
        step = self.step(event["id"], name)
        if step:
            took = milliseconds(step["started"]) - milliseconds(event["received"]) + step["took_us"] / 1000
            self.tell(event["received"], words(step["output"], took), took)

    def function(self, name):
        return self.event("call.function", f"call:{self.call_id}", name=name)

    def run(self):
        call = f"call:{self.call_id}"
        ringing = self.event("call.inbound", call)
        if not ringing:
            return
        self.tell(ringing["received"], f"the phone rings: {ringing['data']['from']} calls {ringing['data']['to']}")
        self.answered(ringing, "desk.inbound", lambda told, took:
                      f"the agent knows after {took:.0f} ms that it is {told['variables']['today']}")
        asked = self.function("check_availability")
        if not asked:
            return
        self.tell(asked["received"], f"the caller asks: {asked['data']['args']['customer_preferences']}")
        self.answered(asked, "desk.offer", lambda told, took: f"and hears after {took:.0f} ms: {told['say']}")
        wanted = self.function("book_appointment")
        if not wanted:
            return
        self.tell(wanted["received"], f"the caller takes {self.local(wanted['data']['args']['slot'])}: it was kept for this call")
        booked = self.step(wanted["id"], "calendar.book")
        if not booked:
            return
        uid = booked["output"]["uid"]
        self.tell(booked["started"], f"the calendar is asked to book it, and answers in "
                                     f"{booked['took_us'] / 1000:.0f} ms: {booked['output']['status']}, {uid}")
        self.answered(wanted, "desk.book", lambda told, took: f"and the caller hears after {took:.0f} ms: {told['say']}")
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
        if self.event("call.analyzed", call):
            return  # the call is over, and there is nothing left to book


def ask(demo, path, body):
    return json.loads(get(f"{demo.sandbox}/_control/retell/{path}", body, timeout=20))


def talk(demo):
    """The call itself, by the vendor's side: what the agent asks of the host, and what it makes of the answers."""
    call = ask(demo, "inbound", {"from_number": "+491713920042", "to_number": "+493023125010", "pick_up": True})["call_id"]
    ask(demo, "say", {"call_id": call, "lines": [["user", "Ich brauche einen Termin zur Kontrolle, am liebsten "
                                                  "donnerstags nach 16 Uhr."]]})
    for _ in range(5):  # on a slow machine the caller may be asked for a little patience first
        offer = json.loads(ask(demo, "function", {"call_id": call, "name": "check_availability", "args": {
            "service": "Kontrolle", "customer_preferences": "am liebsten donnerstags nach 16 Uhr"}})["body"])
        if offer.get("availability_checked"):
            break
    if offer.get("slots"):
        ask(demo, "function", {"call_id": call, "name": "book_appointment", "args": {
            "slot": offer["slots"][0]["start"], "name": "Jana Berger", "fields": {"versicherung": "gesetzlich"}}})
    ask(demo, "hangup", {"call_id": call, "custom_analysis_data": {"appointment_requested": False, "_name": "Jana Berger"}})
    return call


def play(demo):
    call = talk(demo)
    print("\nOne call to Praxis Am Lindenhof, as the store tells it:\n")
    story = Story(demo, call)
    story.run()
    story.end()
    effects = json.loads(get(f"{demo.sandbox}/_control/effects"))
    bookings, messages = len(effects["bookings"]), len(effects["messages"])
    print(f"\nThe vendors' side counts {bookings} booking and {messages} message.")
    return story.complete and bookings == 1 and messages == 1, call


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
        demo.office_file()
        complete, call_id = play(demo)
    finally:
        if once or not complete:
            stop()
    if once:
        print("The story is complete." if complete else "The story is NOT complete.")
    elif complete:
        print(f"""
The host goes on running.
  its pages      {demo.host}/login   log in with {demo.token}
  stop it        ./dev stop

What to try next, in a shell after  . run/demo/env
  klinke show {call_id}
  klinke events
  klinke jobs                     the reminder waits for the day before
  klinke receipt                  what today brought, what became of it, and that it balances
  klinke gaps                     what the vendors list and never came: nothing
  klinke call desk.offer '{{"customer_preferences":"nächste Woche vormittags, nicht vor neun"}}'
  klinke call lindenhof/whatsapp.templates      fails: set waba_id in config/demo.ini, then klinke reload
  klinke check -c run/demo/office.ini           config/office.ini with the plugins of this build: fine, until you spoil a line""")
        if shutil.which("curl"):
            print(f"""  curl -d '{{"from":"491713920042","text":"Kann ich später kommen?"}}' {demo.sandbox}/_control/whatsapp/inbound""")
    return 0 if complete else 1


if __name__ == "__main__":
    sys.exit(main())
