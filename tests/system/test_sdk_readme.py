"""The plugin on sdk/README.md: built as the page says, run as the page says, in the real host, with nothing but
the installed SDK. Every command on the page is run as it is printed."""
import http.server
import json
import re
import subprocess
import threading

import pytest
from sdk_kit import sdk  # noqa: F401
from world import TOP, free_port

PAGE = TOP / "sdk" / "README.md"
BUILDS, CASES, IN_THE_HOST, RECORD, CHECK, NEW = range(6)


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(), re.M | re.S)


def block(language, number=0):
    return blocks(language)[number]


@pytest.fixture
def bell(tmp_path, sdk):  # noqa: F811
    """The directory with bell.so and its cases."""
    (tmp_path / "bell.c").write_text(block("c"))
    (tmp_path / "cases.json").write_text(block("json"))
    told = sdk.run(block("sh", BUILDS).replace("cc ", "cc -Werror "), tmp_path)
    assert told == ""
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


def test_each_block_of_commands_is_run_here():
    assert len(blocks("sh")) == 6


def test_its_cases_pass(bell, sdk):  # noqa: F811
    told = sdk.run(block("sh", CASES), bell)
    assert told.count(f"# {len(json.loads(block('json')))} passed, 0 failed") == 2


def test_the_conformance_kit_has_nothing_to_say_against_it(bell, sdk):  # noqa: F811
    assert ": 0 findings" in sdk.run(block("sh", CHECK), bell)


def test_a_plugin_of_ones_own_passes_from_the_start(tmp_path, sdk):  # noqa: F811
    assert ": 0 findings" in sdk.run(block("sh", NEW), tmp_path)
    assert sdk.run("pkg-config --variable=plugindir klinke-plugin", tmp_path).strip().endswith("/klinke/plugins")


def test_a_case_that_expects_something_else_fails(bell, sdk):  # noqa: F811
    cases = json.loads(block("json"))
    cases[2]["expect"]["events"][0]["subject"] = "door:back"
    (bell / "cases.json").write_text(json.dumps(cases))
    done = subprocess.run(["klinke-case", "bell.so", "cases.json"], cwd=bell, env=sdk.environment, capture_output=True,
                          text=True, timeout=60)
    assert done.returncode == 1 and "door:front" in done.stdout


def test_it_answers_the_door(world, bell, door, sdk):  # noqa: F811
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
    ring = json.dumps({"id": "r1", "door": "front"})
    assert world.hook("bell", ring, {"X-Bell-Token": "guess"})[0] == 401
    for _ in range(2):  # the second one is the same ring
        assert world.hook("bell", ring, {"X-Bell-Token": "token-of-the-bell"})[0] == 200
    world.wait(lambda: world.jobs("done", pipeline="agency/answer-the-door"), "the door is answered")
    world.wait(lambda: not world.status()["webhooks_waiting"], "both rings are read")
    told = sdk.run(block("sh", IN_THE_HOST), bell, world.environment)
    assert "rings and shows a text" in told and "bell.rung" in told
    told = sdk.run(block("sh", RECORD), bell, world.environment)
    assert "1 case of bell, passing" in told and "# 1 passed, 0 failed" in told
    assert "key-of-the-bell" not in (bell / "recorded.json").read_text()
    hook = world.inbox_of("bell")[0]["id"]
    assert "2 cases of bell, passing" in world.klinke("show", hook, "--as-case").stderr
    key = "Bearer key-of-the-bell"
    assert door.got == [("/ring", key, {"text": text}) for text in ("Wir kommen gleich.", "Hallo", "Hallo")]
    assert len(world.events("bell.rung")) == 1
