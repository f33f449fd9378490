"""The plugin on sdk/README.md: built as the page says, run as the page says, in the real host."""
import http.server
import json
import re
import shlex
import subprocess
import threading

import pytest
from world import BUILD, KLINKE, TENANT, TOP, free_port

CASE = BUILD / "host" / "plugin" / "klinke-case"
PAGE = TOP / "sdk" / "README.md"


def block(language, number=0):
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(), re.M | re.S)[number]


@pytest.fixture
def bell(tmp_path):
    """The directory with bell.so and its cases."""
    (tmp_path / "bell.c").write_text(block("c"))
    (tmp_path / "cases.json").write_text(block("json"))
    command = shlex.split(block("sh", 0).replace("\\\n", " ").replace("sdk/include", str(TOP / "sdk/include")))
    done = subprocess.run([*command, "-Werror"], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return tmp_path


class Door:
    """The bell's own server: keeps what it was sent."""

    def __init__(self):
        self.got = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.got.append((self.path, self.headers["Authorization"], json.loads(body)))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *arguments):
                pass

        self.port = free_port()
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()


@pytest.fixture
def door():
    made = Door()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.mark.parametrize("how", [[], ["--worker"]], ids=["here", "worker"])
def test_its_cases_pass(bell, how):
    done = subprocess.run([str(CASE), *how, "bell.so", "cases.json"], cwd=bell, capture_output=True,
                          text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"# {len(json.loads(block('json')))} passed, 0 failed" in done.stdout


def test_the_conformance_kit_has_nothing_to_say_against_it(bell):
    command = shlex.split(block("sh", 2))
    assert command[:3] == ["klinke", "plugin", "check"]
    done = subprocess.run([str(KLINKE), *command[1:]], cwd=bell, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_case_that_expects_something_else_fails(bell):
    cases = json.loads(block("json"))
    cases[2]["expect"]["events"][0]["subject"] = "door:back"
    (bell / "cases.json").write_text(json.dumps(cases))
    done = subprocess.run([str(CASE), "bell.so", "cases.json"], cwd=bell, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and "door:front" in done.stdout


def test_it_answers_the_door(world, bell, door):
    class WithBell:
        def __str__(self):
            return str(office) + block("ini").replace("https://bell.example.org", f"http://127.0.0.1:{door.port}")

    office = world.ini
    office["host"].pairs = [(key, f"{value} {bell}" if key == "plugins" else
                             f"{value} 127.0.0.1:{door.port}" if key == "allow_private" else value)
                            for key, value in office["host"].pairs]
    world.ini = WithBell()
    world.secrets.update(BELL_KEY="key-of-the-bell", BELL_TOKEN="token-of-the-bell")
    world.start()
    assert "rings and shows a text" in world.klinke("plugin", "info", "bell").stdout

    ring = json.dumps({"id": "r1", "door": "front"})
    assert world.hook("bell", ring, {"X-Bell-Token": "guess"})[0] == 401
    for _ in range(2):  # the second one is the same ring
        assert world.hook("bell", ring, {"X-Bell-Token": "token-of-the-bell"})[0] == 200
    world.wait(lambda: world.jobs("done", pipeline="agency/answer-the-door"), "the door is answered")
    world.wait(lambda: not world.status()["webhooks_waiting"], "both rings are read")
    world.call(f"{TENANT}/bell.ring", {"text": "Hallo"})
    key = "Bearer key-of-the-bell"
    assert door.got == [("/ring", key, {"text": "Wir kommen gleich."}), ("/ring", key, {"text": "Hallo"})]
    assert len(world.events("bell.rung")) == 1
