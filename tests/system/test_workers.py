"""Workers as the system sees them: what a plugin's process has, and has not. What it cannot do from inside:
unit/test_worker_sandbox.c for each system call, unit/test_plugin.c with a plugin that tries."""
import json
import os
import subprocess

import pytest

from hooks_kit import call_body, lasting_world, retell_headers
from world import KLINKE, TENANT, die_with_parent, wait

INHERITED = 37  # a descriptor that the host's parent forgot to close


def prepare(world):
    world.ini.drop("pipeline")
    world.write_ini()
    read, write = os.pipe()
    os.dup2(write, INHERITED, inheritable=True)
    with open(world.host_log, "ab") as log:
        world.host = subprocess.Popen([str(KLINKE), "run"], env=world.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                      pass_fds=[INHERITED], preexec_fn=die_with_parent)
    for fd in (read, write, INHERITED):
        os.close(fd)
    world.wait_for_host()
    body = call_body("warm")
    assert world.hook("phone", body, retell_headers(body))[0] == 204
    wait(lambda: world.events("call.ended"), "the worker works")


house = lasting_world(prepare)


def status(pid):
    return dict(line.split(":\t", 1) for line in open(f"/proc/{pid}/status").read().splitlines() if ":\t" in line)


def limits(pid):
    lines = open(f"/proc/{pid}/limits").read().splitlines()[1:]
    return {line[:26].strip(): line[26:].split()[:2] for line in lines}


def descriptors(pid):
    return {int(fd): os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")}


@pytest.fixture
def means(house):
    return house.status()["sandbox"]


def test_privileges(house, means):
    workers = house.workers()
    assert len(workers) >= 4
    for worker in workers:
        told = status(worker.pid)
        assert told["NoNewPrivs"] == "1", worker.name
        assert not int(told["CapEff"], 16) and not int(told["CapPrm"], 16)
        assert set(told["Uid"].split()) == ({"65534"} if os.geteuid() == 0 else {str(os.geteuid())})
        assert told["Threads"] == "1"
        if means["seccomp"] == "yes":
            assert (told["Seccomp"], int(told["Seccomp_filters"]) >= 2) == ("2", True)


def test_limits(house):
    for worker in house.workers():
        told = limits(worker.pid)
        for name in ("Max processes", "Max core file size", "Max file size"):
            assert told[name] == ["0", "0"], (worker.name, name)
        assert told["Max open files"] == ["64", "64"]
        assert int(told["Max address space"][1]) <= 1 << 30


def test_no_descriptor_of_anybody(house):
    assert INHERITED in descriptors(house.host.pid), "the host itself has it"
    for worker in house.workers():
        told = descriptors(worker.pid)
        assert set(told) <= {0, 1, 2, 3}, (worker.name, told)
        assert told[3].startswith("socket:") and told[0] == "/dev/null"
        assert not any("klinke.db" in where or where.startswith("pipe:") for fd, where in told.items() if fd > 2)


def test_nothing_of_the_host_in_arguments_and_environment(house):
    for worker in house.workers():
        assert open(f"/proc/{worker.pid}/environ", "rb").read().strip(b"\0") == b""
        line = open(f"/proc/{worker.pid}/cmdline", "rb").read()
        assert TENANT.encode() not in line and b"=" not in line


def test_info_says_what_a_plugin_needs_and_gets(house, means):
    told = json.loads(house.klinke("plugin", "info", "whatsapp", "--json").stdout)
    assert told["needs"] == {"hosts": "graph.facebook.com", "addresses": ["base_url"], "secrets": ["token", "app_secret", "verify_token"]}
    assert means.items() <= told["gets"].items()
    assert {"files", "network", "secrets", "time"} <= set(told["gets"])
    text = house.klinke("plugin", "info", "whatsapp").stdout
    assert "needs" in text and "secret   app_secret" in text and f"seccomp: {means['seccomp']}" in text
