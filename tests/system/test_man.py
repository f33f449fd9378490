"""klinke.ini(5): made of the table that parses, helps and defaults, so it names every key; and groff has nothing against it."""
import re
import subprocess

import pytest

from world import BUILD, KLINKE

MAN = BUILD / "host" / "config" / "klinke.ini.5"


@pytest.fixture(scope="module")
def page():
    """As a terminal shows it, in lines of any length."""
    done = subprocess.run(["groff", "-man", "-Tutf8", "-P-cbou", "-rLL=5000n", str(MAN)], text=True, capture_output=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.replace("\u2212", "-").replace("\u2010", "-")


def helped():
    """[section], or (key, type, what it says), in order, from `klinke help config`."""
    text = subprocess.run([KLINKE, "help", "config"], text=True, capture_output=True, check=True).stdout
    for block in re.split(r"\n(?=  \S|\[)", text):
        section = re.match(r"(\[[^]]*\])  (.*)", block)
        key = re.match(r"  (\S+) = (.*)\n(.*)", block, re.S)
        yield section.groups() if section else (*key.groups()[:2], " ".join(key.group(3).split()))


def test_groff_has_nothing_against_it():
    done = subprocess.run(["groff", "-man", "-Tutf8", "-ww", "-b", "-z", str(MAN)], text=True, capture_output=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_it_tells_every_section_and_key_as_help_does(page):
    words = " ".join(page.split())
    told, at = list(helped()), 0
    assert len([one for one in told if len(one) == 3]) > 100
    for one in told:
        text = " ".join((f"{one[0]} = {one[1]} {one[2]}" if len(one) == 3 else " ".join(one)).split())
        found = words.find(text, at)
        assert found >= 0, f"not there, or not behind the one before: {text}"
        at = found + len(text)


def test_it_is_installed_where_man_looks(tmp_path):
    done = subprocess.run(["meson", "introspect", str(BUILD), "--installed"], text=True, capture_output=True, check=True)
    assert re.search(rf'"{re.escape(str(MAN))}": "[^"]*/man/man5/klinke\.ini\.5"', done.stdout)
