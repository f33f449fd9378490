"""The systemd unit: how exposed it leaves the host by systemd's own measure, and that the host can live with it. There is no
systemd to run it here, so what may break a program is put around the host without one: the unit's filter of system calls, no
memory that is both writable and executable."""
import ctypes
import functools
import json
import os
import re
import stat
import subprocess

import pytest

from world import BUILD, KLINKE, PLUGINS, SECRETS, TOP, wait

UNIT = BUILD / "config" / "klinke.service"
PROT_WRITE, PROT_EXEC = 2, 4
ALLOW, ERRNO_EPERM = 0x7fff0000, 0x00050001
MASKED_EQ = 7


def settings(section="Service"):
    """Every setting of a section, in order: (name, value)."""
    return re.findall(r"^(\w+)=(.*)$", UNIT.read_text().split(f"[{section}]")[1].split("\n[")[0], re.M)


def analyze(*arguments):
    return subprocess.run(["systemd-analyze", *arguments], capture_output=True, text=True, timeout=60)


# ---- As systemd sees it --------------------------------------------------------------------------------------------

def test_exposure_is_two_at_most():
    done = analyze("security", "--offline=true", "--threshold=20", str(UNIT))
    level = float(re.search(r"Overall exposure level for klinke\.service: ([0-9.]+)", done.stdout).group(1))
    assert done.returncode == 0 and level <= 2.0, done.stdout


def test_the_measure_would_find_it(tmp_path):
    bare = tmp_path / "klinke.service"
    bare.write_text("[Service]\nExecStart=/usr/bin/klinke run\n")
    assert analyze("security", "--offline=true", "--threshold=20", str(bare)).returncode != 0


def test_own_user_and_one_directory():
    told = dict(settings())
    assert told["User"] == told["Group"] == told["StateDirectory"] == "klinke"
    assert "DynamicUser" not in told, "a user that is gone after each stop could be given no file to read"
    assert "ConfigurationDirectory" not in told, "it would be given to root alone, or to everybody"
    assert told["StateDirectoryMode"] == "0700" and told["UMask"] == "0077" and told["ProtectSystem"] == "strict"
    assert "ReadWritePaths" not in told, "StateDirectory is all it writes"
    assert told["LimitCORE"] == "0" and told["CapabilityBoundingSet"] == ""
    assert int(told["TimeoutStopSec"]) > 20, "longer than drain_timeout"


def test_a_start_is_tried_until_it_goes_well():
    """A disk may be full for a night. systemd counts no tries then, and what ends with 78 is not tried again: that counts for the main
    process only, so nothing that reads the configuration may run before it."""
    told = dict(settings())
    assert dict(settings("Unit"))["StartLimitIntervalSec"] == "0"
    assert told["Restart"] == "on-failure" and int(told["RestartSec"]) >= 5
    assert told["RestartPreventExitStatus"] == "78"
    assert not {"ExecStartPre", "ExecCondition"} & set(told)


def test_the_host_itself_ends_with_78(world):
    """And tells all the faults, so that the journal has them without a check before it."""
    world.ini["tenant lindenhof"]["langage"] = "de"
    world.ini["connection phone"]["plugin"] = "retel"
    world.write_ini()
    done = world.klinke("run", check=False)
    assert done.returncode == 78
    assert re.search(r"klinke\.ini:\d+:\d+: error: .*langage.*did you mean \"language\"", done.stderr), done.stderr
    assert re.search(r"klinke\.ini:\d+:\d+: error: .*retel\b", done.stderr), done.stderr
    assert not world.state.exists(), "nothing was begun"


def test_every_setting_is_known_to_systemd(tmp_path):
    """A word that systemd does not know would be passed over, and protect nothing."""
    copy = tmp_path / "klinke.service"
    copy.write_text(re.sub(r"/\S*/klinke\b(?= run)", "/bin/true", UNIT.read_text()))
    done = analyze("verify", "--man=no", str(copy))
    assert not re.search(r"klinke\.service.*(Unknown|Failed to parse|Invalid)", done.stderr), done.stderr


# ---- As README installs it -----------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """What `meson install` puts where, below a directory."""
    place = tmp_path_factory.mktemp("root")
    done = subprocess.run(["meson", "install", "-C", str(BUILD), "--no-rebuild", "--tags", "runtime", "--destdir", str(place)],
                          text=True, capture_output=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return place


def only(root, pattern):
    found = list(root.rglob(pattern))
    assert len(found) == 1, f"{pattern}: {found}"
    return found[0]


def test_the_unit_is_installed_and_names_what_is(root, tmp_path):
    unit = only(root, "lib/systemd/system/klinke.service").read_text()
    told = re.findall(r"(?:^ExecStart=|^Documentation=.* file:)(\S+)", unit, re.M)
    assert len(told) == 2 and all((root / path[1:]).is_file() for path in told), told
    copy = tmp_path / "klinke.service"
    copy.write_text(unit.replace("ExecStart=", f"ExecStart={root}"))
    done = analyze("verify", "--man=no", str(copy))
    assert "klinke.service" not in done.stderr and done.returncode == 0, done.stderr


STUBS = {
    "sudo": 'while [ "$1" = -u ]; do shift 2; done; exec "$@"',
    "systemd-sysusers": 'PATH=${PATH#*:} exec systemd-sysusers --root="$ROOT"',
    "systemctl": 'echo "$@" >>"$ROOT/systemctl"',
    "sudoedit": 'ini=$1; env=$2; sed -i "s|^\\[host\\]|&\\nplugins = $PLUGINS|" "$ini"; echo "$SECRETS" >>"$env"',
}


@pytest.fixture(scope="module")
def installed(root, tmp_path_factory):
    """README's lines after `meson install`, with what needs a booted machine replaced. (root, id of group klinke)"""
    block = only_block(re.findall(r"^```sh\n(.*?)^```$", (TOP / "README.md").read_text(), re.M | re.S))
    stubs = tmp_path_factory.mktemp("stubs")
    for name, text in STUBS.items():
        (stubs / name).write_text(f"#!/bin/sh\n{text}\n")
        (stubs / name).chmod(0o755)
    (stubs / "klinke").symlink_to(KLINKE)
    (root / "etc").mkdir()
    done = subprocess.run(["systemd-sysusers", f"--root={root}"], text=True, capture_output=True)
    assert done.returncode == 0, done.stderr
    group = int(re.search(r"^klinke:x?:(\d+):", (root / "etc/group").read_text(), re.M).group(1))
    if os.geteuid() != 0:  # who else could give files away?
        group = os.getegid()
    block = block.replace("/etc/", f"{root}/etc/").replace("-g klinke", f"-g {group}")
    block = block.replace("/usr/share/klinke", str(only(root, "share/klinke")))
    done = subprocess.run(["sh", "-e", "-c", block], text=True, capture_output=True, timeout=60, env={
        "PATH": f"{stubs}:{os.environ['PATH']}", "ROOT": str(root), "KLINKE_CONFIG": str(root / "etc/klinke/klinke.ini"),
        "PLUGINS": " ".join(map(str, PLUGINS)), "SECRETS": "\n".join(f"{n}={v}" for n, v in SECRETS.items())})
    assert done.returncode == 0, f"{block}{done.stdout}{done.stderr}"
    assert "klinke.ini is fine" in done.stdout
    return root, group


def only_block(blocks):
    found = [block for block in blocks if "systemd-sysusers" in block]
    assert len(found) == 1
    return re.sub(r" +#.*$", "", found[0], flags=re.M)


def test_readmes_lines_make_user_group_and_files_and_begin_it(installed):
    root, group = installed
    user = re.search(r"^klinke:x?:\d+:(\d+):[^:]*:/var/lib/klinke:(.*)$", (root / "etc/passwd").read_text(), re.M)
    assert user and user.group(2).endswith("nologin")
    assert (root / "systemctl").read_text() == "daemon-reload\nenable --now klinke\n"
    modes = {path.name: (stat.S_IMODE(path.stat().st_mode), path.stat().st_gid)
             for path in [root / "etc/klinke", *(root / "etc/klinke").iterdir()]}
    assert modes == {"klinke": (0o750, group), "klinke.ini": (0o640, group), "desk.ini": (0o640, group),
                     "env": (0o600, os.getegid())}


def test_a_secret_in_a_file_beside_it_is_found_fine(installed):
    """As the unit's head says: root's, readable by the group, and nobody is warned of anything."""
    root, group = installed
    ini, key = root / "etc/klinke/klinke.ini", root / "etc/klinke/retell.key"
    key.write_text("key_sandbox\n")
    key.chmod(0o640)
    os.chown(key, -1, group)
    ini.write_text(ini.read_text().replace("${RETELL_API_KEY}", "@retell.key"))
    done = subprocess.run([str(KLINKE), "check", "-c", str(ini)], text=True, capture_output=True, env={**os.environ, **SECRETS})
    assert (done.returncode, done.stderr) == (0, "")


# ---- Under the same conditions --------------------------------------------------------------------------------------

@functools.lru_cache
def group(name):
    lines = analyze("syscall-filter", name).stdout.splitlines()[1:]
    words = [line.strip() for line in lines if line.strip() and not line.strip().startswith("#")]
    return frozenset(n for word in words for n in (group(word) if word.startswith("@") else {word}))


@functools.lru_cache
def allowed_calls():
    calls = set()
    for name, value in settings():
        if name != "SystemCallFilter":
            continue
        names = {n for word in value.lstrip("~").split() for n in (group(word) if word.startswith("@") else {word})}
        calls = calls - names if value.startswith("~") else calls | names
    # what a service manager allows in any case, for the program to be begun at all
    return calls | group("@default") | {"execve"}


class Compare(ctypes.Structure):
    _fields_ = [("argument", ctypes.c_uint), ("op", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64)]


def filtered(calls):
    """To be run in the child before it becomes klinke."""
    lib = ctypes.CDLL("libseccomp.so.2")
    lib.seccomp_init.restype = ctypes.c_void_p

    def enter():
        filter_ = ctypes.c_void_p(lib.seccomp_init(ERRNO_EPERM))
        for name in calls:
            number = lib.seccomp_syscall_resolve_name(name.encode())
            if number < 0:
                continue
            masks = {"mprotect": [(PROT_EXEC, 0)], "pkey_mprotect": [(PROT_EXEC, 0)],
                     "mmap": [(PROT_EXEC, 0), (PROT_WRITE | PROT_EXEC, PROT_EXEC)]}.get(name)
            if not masks:
                lib.seccomp_rule_add_array(filter_, ALLOW, number, 0, None)
            for mask, value in masks or []:
                lib.seccomp_rule_add_array(filter_, ALLOW, number, 1, ctypes.byref(Compare(2, MASKED_EQ, mask, value)))
        if lib.seccomp_load(filter_) != 0:
            raise OSError("no filter")
    return enter


def test_the_filter_is_what_the_unit_says():
    calls = allowed_calls()
    assert {"seccomp", "landlock_create_ruleset", "prlimit64", "setrlimit", "fdatasync", "accept4"} <= calls
    assert not {"mount", "ptrace", "bpf", "setuid", "chown", "reboot", "init_module", "mbind"} & calls
    probe = "import ctypes, os; c = ctypes.CDLL(None, use_errno=True); c.ptrace(0, 0, 0, 0); print(ctypes.get_errno())"
    done = subprocess.run(["/usr/bin/python3", "-c", probe], capture_output=True, text=True, preexec_fn=filtered(calls))
    assert done.stdout == "1\n", done


@pytest.fixture
def served(world):
    enter, popen = filtered(allowed_calls()), subprocess.Popen

    def confined(*arguments, preexec_fn=None, **more):
        def both():
            preexec_fn()
            enter()
        return popen(*arguments, preexec_fn=both, **more)
    world.start_sandbox()
    subprocess.Popen = confined
    try:
        world.launch_host()
    finally:
        subprocess.Popen = popen
    world.wait_for_host()
    return world


def test_the_host_does_all_its_work_there(served):
    """A whole story: workers with all that confines them, a booking, a message, a reload, a stop."""
    status = open(f"/proc/{served.host.pid}/status").read()
    assert "Seccomp:\t2" in status
    told = {n: w for n, w in served.status()["sandbox"].items()}
    plain = json.loads(served.klinke("status", "--json").stdout)["sandbox"]
    assert told == plain and told["seccomp"] == "yes"
    served.ring()
    wait(lambda: served.settled(1, 1), "the story ends")
    for process in [served.host, *served.workers()]:
        for line in open(f"/proc/{process.pid}/maps"):
            rights = line.split()[1]
            assert not ("w" in rights and "x" in rights), line
    served.reload()
    served.ring()
    wait(lambda: served.settled(2, 2), "so does another")
    assert "EPERM" not in served.log() and "not permitted" not in served.log()
    assert served.stop_host() == 0
