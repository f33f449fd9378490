"""klinke plugin check: what is fine passes, and each check finds the plugin that is bad in its way."""
import json
import re
import subprocess

import pytest

from world import BUILD, KLINKE, TOP

BAD = BUILD / "tests/conform"
CASES = TOP / "tests/conform"
# plugin: the check that finds it, and words of what it says
FINDS = {
    "exports": ("exports", "helper"),
    "imports": ("imports", "time"),
    "descriptor": ("descriptor", "reverse DNS"),
    "cases": ("cases", 'expected "PUT", got "POST"'),
    "purity": ("purity", "wrote to its own data"),
    "address": ("purity", "normalize() gives something else"),
    "restart": ("restart", "new process"),
    "starve": ("starve", "killed by"),
    "guard": ("guard", "killed by"),
    "overrun": ("guard", "writes behind"),
    "sizes": ("sizes", "bigger than it knows"),
    "newer": ("sizes", "killed by"),
    "input": ("input", "killed by"),
    "outcomes": ("outcomes", "KL_ABSENT"),
    "rejoices": ("outcomes", "KL_DONE to a refusal"),
    "crashes": ("outcomes", "killed by"),
    "signature": ("signature", "not the one that was signed"),
    "trusting": ("signature", "proves nothing"),
    "optional": ("signature", "its proof is left out"),
    "budget": ("budget", "processor time"),
}
BUNDLED = ["calcom_v1", "calcom_v2", "fields", "http", "retell", "whatsapp"]


def check(*arguments, timeout=600):
    return subprocess.run([str(KLINKE), "plugin", "check", *map(str, arguments)], text=True, capture_output=True,
                          timeout=timeout)


def check_bad(name, *arguments):
    cases = CASES / ("signature.json" if name == "signature" else "bell.json")
    done = check(BAD / f"conform_{name}.so", "--cases", cases, "--seed", "1", "--json", *arguments)
    return done, [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("name", FINDS)
def test_a_bad_plugin_is_found(name):
    check_name, words = FINDS[name]
    done, found = check_bad(name, "--only", check_name)
    assert done.returncode == 1, done.stderr
    mine = [f for f in found if f["check"] == check_name and f["level"] == "finding"]
    assert any(words in f["what"] for f in mine), found
    assert all(f["where"] and f["instead"] for f in mine)


def test_fuzzing_finds_what_no_case_shows_and_goes_on():
    assert check_bad("fuzz")[0].returncode == 0
    done, found = check_bad("fuzz", "--only", "fuzz", "--fuzz", "1m")
    assert done.returncode == 1
    assert len([f for f in found if "killed by" in f["what"]]) > 1  # it went on behind the first
    again = check_bad("fuzz", "--only", "fuzz", "--fuzz", "1m")[1]
    assert again == found  # the same seed repeats


def test_fuzzing_ends_in_time_and_tells_its_speed():
    done = check(BAD / "conform_good.so", "--cases", CASES / "bell.json", "--only", "fuzz", "--fuzz", "1s", timeout=60)
    assert done.returncode == 0, done.stdout
    assert re.search(r"^ok +fuzz +[1-9]\d* calls, [1-9]\d* calls/s, [1-9]\d* in a second of processor time$", done.stdout, re.M)


def test_a_good_plugin_passes_every_check():
    done, found = check_bad("good")
    assert (done.returncode, found) == (0, []), done.stderr
    assert "seed 1" in done.stderr


def test_libc_is_no_fault_but_forces_a_worker():
    done, found = check_bad("worker")
    assert done.returncode == 0
    assert [(f["check"], f["level"]) for f in found] == [("imports", "note")]
    assert "isolation = worker" in found[0]["what"]


@pytest.mark.parametrize("name", BUNDLED)
def test_a_bundled_plugin_passes(name):
    done = check(BUILD / "plugins" / name / f"{name}.so", "--cases", TOP / "plugins" / name / "cases", "--seed", "1")
    assert done.returncode == 0, done.stdout


def test_a_file_that_is_no_plugin_is_a_finding(tmp_path):
    text = tmp_path / "text.so"
    text.write_text("hello")
    done = check(text, "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout.splitlines()[0])["what"] == "the file is no shared object for this machine"


def test_what_cannot_be_run_is_69(tmp_path):
    done = check(tmp_path / "absent.so")
    assert done.returncode == 69 and "absent.so" in done.stderr
    done = check(BAD / "conform_good.so", "--cases", tmp_path / "absent.json")
    assert done.returncode == 69 and "absent.json" in done.stderr


def test_the_help_names_every_check():
    told = subprocess.run([str(KLINKE), "help", "plugin"], text=True, capture_output=True).stdout
    for name in {name for name, _ in FINDS.values()} | {"fuzz"}:
        assert re.search(rf"^  {name} +\w", told, re.M), name


@pytest.mark.parametrize("arguments, words", [
    ([], "FILE.so"),
    (["x.so", "--seed", "many"], "--seed"),
    (["x.so", "--fuzz", "long"], "--fuzz"),
    (["x.so", "--only", "purity,beauty"], "beauty"),
])
def test_usage(arguments, words):
    done = check(*arguments)
    assert done.returncode == 2 and words in done.stderr
