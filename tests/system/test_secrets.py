"""What the host knows stays in its memory: no core file has it, however it ends, and no other process of the same user can
look. What it says and writes: test_input.py."""
import os
import resource
import shutil
import signal
import stat
import subprocess

import pytest

from world import KLINKE, SECRETS, descendants, wait

NOBODY = 65534


def with_cores():
    resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def ended(pid):
    """(number of the signal, whether a core was dumped), of a child."""
    _, status = os.waitpid(pid, 0)
    assert os.WIFSIGNALED(status), status
    return os.WTERMSIG(status), os.WCOREDUMP(status)


def cores_in(*directories):
    return [p for d in directories for p in d.rglob("*core*") if p.is_file()]


def core_limit(pid):
    line = next(l for l in open(f"/proc/{pid}/limits") if l.startswith("Max core file size"))
    return line.split()[4:6]


@pytest.fixture
def started(world, tmp_path):
    """A host whose parent lets it dump as much as it likes, in a directory where it may write."""
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    assert hard == resource.RLIM_INFINITY or os.geteuid() == 0, "cores are forbidden here: run this with ulimit -H -c unlimited"
    world.ini.drop("pipeline")
    world.write_ini()
    with open(world.host_log, "ab") as log:
        world.host = subprocess.Popen([str(KLINKE), "run"], env=world.environment, cwd=tmp_path, stdin=subprocess.DEVNULL,
                                      stdout=log, stderr=log, preexec_fn=with_cores)
    world.wait_for_host()
    world.place = tmp_path
    return world


def test_a_process_would_leave_a_core_here(tmp_path):
    """Else the test below would prove nothing. Where cores go to a pipe or nowhere the limits must do."""
    child = subprocess.Popen(["/bin/sleep", "60"], cwd=tmp_path, preexec_fn=with_cores, env={"MARK": "in-the-core-4711"})
    assert core_limit(child.pid) == ["unlimited", "unlimited"]
    child.send_signal(signal.SIGABRT)
    number, dumped = ended(child.pid)
    child.returncode = -number
    pattern = open("/proc/sys/kernel/core_pattern").read().strip()
    assert dumped or pattern.startswith("|") or pattern == "", f"no core by {pattern}"
    for core in cores_in(tmp_path):
        assert b"in-the-core-4711" in core.read_bytes()


@pytest.mark.parametrize("number", [signal.SIGABRT, signal.SIGSEGV])
def test_the_host_leaves_no_core(started, number):
    family = descendants(started.host.pid)
    assert len(family) >= 4
    for process in [started.host.pid, *(p.pid for p in family)]:
        assert core_limit(process) == ["0", "0"]
    worker = started.workers()[0]
    worker.kill(number)
    wait(lambda: not worker.alive(), "the worker has ended")
    os.kill(started.host.pid, number)
    assert ended(started.host.pid) == (number, False)
    started.host.returncode = -number
    wait(lambda: not any(p.alive() for p in family), "all have ended")
    assert not cores_in(started.place, started.directory)


@pytest.fixture
def open_binary(tmp_path):
    """A copy that nobody may run, wherever the build lies."""
    place = tmp_path / "open"
    place.mkdir()
    for directory in (place, *place.parents):
        if directory.owner() != "root" or directory.stat().st_mode & stat.S_IXOTH:
            continue
        directory.chmod(directory.stat().st_mode | stat.S_IXOTH)
    copy = shutil.copy(KLINKE, place / "klinke")
    os.chmod(copy, 0o755)
    return copy


def test_no_process_of_the_same_user_looks_in(open_binary):
    """Each verb: here one that waits for its input. As nobody, since root is refused nothing."""
    def become_nobody():
        if os.geteuid() == 0:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)

    def look(pid, what):
        return subprocess.run(["/bin/cat", f"/proc/{pid}/{what}"], capture_output=True, preexec_fn=become_nobody)

    plain = subprocess.Popen(["/bin/cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=SECRETS, preexec_fn=become_nobody)
    ours = subprocess.Popen([open_binary, "password"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            env=SECRETS, preexec_fn=become_nobody)
    try:
        wait(lambda: core_limit(ours.pid) == ["0", "0"], "it has begun")
        token = SECRETS["KLINKE_ADMIN_TOKEN"].encode()
        assert token in look(plain.pid, "environ").stdout, "another program's can be read"
        wait(lambda: look(ours.pid, "environ").returncode, "ours cannot")
        for what in ("environ", "maps", "mem", "auxv"):
            seen = look(ours.pid, what)
            assert seen.returncode != 0 and token not in seen.stdout, what
    finally:
        for child in (plain, ours):
            child.kill()
            child.communicate()
