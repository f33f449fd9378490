"""What the pages say is there is there: files, tests by name, commands and their flags."""
import os
import re
import subprocess
from pathlib import Path

import pytest

from world import KLINKE, TOP

ROOMS = ("config", "host", "plugins", "sdk", "tests")
# Where a name is looked for when a page leaves the way out.
PLACES = ("", "tests/", "tests/system/", "tests/unit/", "tests/fuzz/", "tests/contract/test/")
FILE = re.compile(r"[\w./*-]+(?:\.(?:c|h|py|js|json|jsonl|sh|ini|faults)|/)")
NAME = re.compile(r"…?[a-z][a-z0-9]*(?:_[a-z0-9]*)+…?|…_\w+")


def found(word):
    return [path for place in PLACES for path in TOP.glob(place + word)] if word[0] != "/" else []


def pages():
    yield TOP / "README.md"
    for room in ROOMS:
        for place, below, files in os.walk(TOP / room):
            below[:] = [name for name in below if name != "node_modules"]
            yield from (Path(place) / name for name in files if name.endswith(".md"))


def test_every_link_leads_to_a_file():
    wrong = [f"{page.relative_to(TOP)}: {link}" for page in pages()
             for link in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text())
             if "://" not in link and not (page.parent / link).exists()]
    assert not wrong


def promises(page):
    """The rows of the tables of promises, each as its words in code."""
    for table in re.findall(r"^\| promise \|.*\n((?:\|.*\n)+)", page.read_text(), re.M):
        yield from (re.findall(r"`([^`]+)`", row) for row in table.splitlines())


def lost(page):
    """A row names files, and tests in them or in those of the row before ("there")."""
    before = []
    for words in promises(page):
        files = [word for word in words if FILE.fullmatch(word)]
        yield from (word for word in files if not found(word))
        texts = [path.read_text(errors="replace") for word in files + before for path in found(word) if path.is_file()]
        defined = {name for text in texts for name in re.findall(r"\b(\w+)\(", text)}
        for word in filter(NAME.fullmatch, words):
            bare = word.strip("…")
            if not any(name == bare or word.endswith("…") and name.startswith(bare) or
                       word.startswith("…") and name.endswith(bare) for name in defined):
                yield word
        before = files


@pytest.mark.parametrize("page", ["README.md", "tests/README.md"])
def test_every_promise_names_a_test_that_is_there(page):
    assert len(list(promises(TOP / page))) > 20
    assert not list(lost(TOP / page))


# ---- Commands ----------------------------------------------------------------------------------------

def commands(program):
    """What pages tell to type: the words behind the program's name, up to what is no word of it."""
    for page in pages():
        text = re.sub(r"sudo -u \S+ ", "sudo ", page.read_text())  # as klinke, which is a user, too
        blocks = re.findall(r"^ *```(\w*)\n(.*?)^ *```$", text, re.M | re.S)
        code = [block for kind, block in blocks if kind in ("", "sh", "console")] + re.findall(r"`([^`\n]+)`", text)
        for line in "\n".join(code).replace("\\\n", " ").splitlines():
            for said in re.findall(rf"(?:^|[ $/]){re.escape(program)} (?:-c \S+ )?([^|;&#>()]+)", line):
                yield str(page.relative_to(TOP)), re.sub(r"[\[\]\\]", " ", said).split()


def test_every_verb_and_flag_that_is_told_is_there():
    help_of = {}

    def helped(*verb):
        if verb not in help_of:
            help_of[verb] = subprocess.run([KLINKE, "help", *verb], capture_output=True, text=True).stdout
        return help_of[verb]

    wrong, seen = [], set()
    for page, words in commands("klinke"):
        if not words or not re.fullmatch(r"[a-z]+", words[0]):
            continue
        if not re.search(rf"^  {words[0]} ", helped(), re.M):
            wrong.append(f"{page}: klinke {words[0]}")
        for flag in (word.split("=")[0] for word in words if word.startswith("--")):
            seen.add((words[0], flag))
            if not re.search(rf"^  {flag}\b", helped(words[0]), re.M):
                wrong.append(f"{page}: klinke {words[0]} {flag}")
    assert len(seen) > 5
    assert not wrong


def test_everything_that_dev_is_told_to_do_it_does():
    known = set(re.findall(r"^([a-z]+)\)$", (TOP / "dev").read_text(), re.M))
    told = {(page, words[0]) for page, words in commands("./dev") if words and words[0].islower() and words[0][0] != "-"}
    assert len(told) > 5
    assert not [(page, word) for page, word in told if word not in known]
