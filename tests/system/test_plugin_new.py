"""klinke plugin new: what it writes builds without a warning, passes the kit, and overwrites nothing."""
import os
import subprocess

import pytest

from world import KLINKE, TOP

KINDS = ["provider", "mapping", "polling"]
SDK = TOP / "sdk"
FLAGS = ["-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Werror", "-O2", "-fPIC", "-shared", "-nostdlib",
         "-fvisibility=hidden", "-U_FORTIFY_SOURCE", "-fno-stack-protector", "-I", str(SDK / "include")]


def new(*arguments, cwd, templates=SDK / "template"):
    environment = {**os.environ, "KLINKE_TEMPLATES": str(templates)}
    return subprocess.run([str(KLINKE), "plugin", "new", *map(str, arguments)], cwd=cwd, env=environment, text=True,
                          capture_output=True, timeout=30)


@pytest.mark.parametrize("kind", KINDS)
def test_what_it_writes_builds_and_passes(tmp_path, kind):
    made = new("dental_soft", "--kind", kind, cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    place = tmp_path / "dental_soft"
    files = {str(p.relative_to(place)) for p in place.rglob("*") if p.is_file()}
    assert files == {"dental_soft.c", "cases/dental_soft.json", "meson.build", "README.md"}
    for path in files:
        assert "acme" not in (place / path).read_text().lower()
    assert len((place / "dental_soft.c").read_text().splitlines()) < 150
    subprocess.run(["cc", *FLAGS, "-o", "dental_soft.so", "dental_soft.c"], cwd=place, check=True)
    done = subprocess.run([str(KLINKE), "plugin", "check", "./dental_soft.so", "--seed", "1"], cwd=place, text=True,
                          capture_output=True, timeout=300)
    assert done.returncode == 0, done.stdout
    assert "0 findings, 0 notes" in done.stdout


def test_its_meson_build_finds_the_sdk(tmp_path):
    assert new("bell", tmp_path / "bell", cwd=tmp_path).returncode == 0
    (tmp_path / "bell/subprojects").mkdir()
    (tmp_path / "bell/subprojects/klinke-plugin").symlink_to(SDK)
    build = tmp_path / "build"
    subprocess.run(["meson", "setup", build, tmp_path / "bell"], check=True, capture_output=True)
    subprocess.run(["meson", "compile", "-C", build, "bell"], check=True, capture_output=True)
    assert (build / "bell.so").exists()


def test_nothing_is_written_over(tmp_path):
    (tmp_path / "bell.c").write_text("mine")
    made = new("bell", tmp_path, cwd=tmp_path)
    assert made.returncode == 1 and "bell.c" in made.stderr and "there already" in made.stderr
    assert (tmp_path / "bell.c").read_text() == "mine"


def test_a_missing_template_is_told_with_the_remedy(tmp_path):
    made = new("bell", cwd=tmp_path, templates=tmp_path / "nowhere")
    assert made.returncode == 1 and "KLINKE_TEMPLATES" in made.stderr


@pytest.mark.parametrize("arguments", [[], ["Bell"], ["9lives"], ["a-b"], ["../x"], [""], ["step"], ["while"],
                                       ["x" * 33], ["bell", "--kind", "printer"], ["bell", "there", "more"]])
def test_usage(tmp_path, arguments):
    made = new(*arguments, cwd=tmp_path)
    assert made.returncode == 2, made.stderr
    assert list(tmp_path.iterdir()) == []
