"""The guide, the reference and the man page: they are there, complete, linked, and name what exists."""
import re
import shutil
import subprocess
import sys

import pytest
from sdk_kit import sdk  # noqa: F401
from world import KLINKE, TOP

GUIDE = TOP / "sdk" / "guide"
HEADERS = [TOP / "sdk/include/klinke" / name for name in ("plugin.h", "sugar.h")]
REFERENCE = GUIDE / "reference.md"
PAGES = [TOP / "sdk/README.md", GUIDE / "contract.md", GUIDE / "failures.md", GUIDE / "testing.md", REFERENCE]
MAN = GUIDE / "klinke-plugin.7"


def without_comments(text):
    return re.sub(r"/\*.*?\*/|//[^\n]*", " ", text, flags=re.S)


def public_names():
    """By other means than the generator: all names of ours that are declared, and every member that the
    table of offsets knows."""
    code = "".join(without_comments(h.read_text()) for h in HEADERS)
    names = set(re.findall(r"\b(?:kl|KL)_\w+", code))
    table = (TOP / "tests/abi/offsets.txt").read_text().splitlines()[1:]
    return names, {line.split()[0] for line in table if "." in line.split()[0]}


def anchors(page):
    return re.findall(r'<a id="([^"]+)"></a>', page)


def slugs(page):
    return {re.sub(r"[^\w -]", "", h.lower()).strip().replace(" ", "-")
            for h in re.findall(r"^#+ (.*)$", page.read_text(), re.M)}


# ---- the reference ------------------------------------------------------------------------------------

def test_the_reference_is_what_its_generator_makes(sdk):  # noqa: F811
    made = subprocess.run([sys.executable, str(GUIDE / "reference.py"), str(TOP / "sdk/include")], text=True,
                          capture_output=True, check=True).stdout
    assert made == REFERENCE.read_text(), "run sdk/guide/reference.py sdk/include > sdk/guide/reference.md"
    assert (sdk.docs / "guide/reference.md").read_text() == made


def test_every_public_name_is_in_the_reference():
    found = anchors(REFERENCE.read_text())
    assert len(found) == len(set(found))
    names, members = public_names()
    missing = {n for n in names if n not in found and n + "-function" not in found}
    assert missing <= {"KL_STATIC", "kl_cat_all"}, missing  # of who links it in; behind KL_CAT in C++
    assert {m.replace(".", "-") for m in members} <= set(found)


def test_each_declaration_is_told_as_the_header_has_it():
    code = re.findall(r"^```c\n(.*?)^```$", REFERENCE.read_text(), re.M | re.S)
    header = HEADERS[0].read_text()
    structs = [block for block in code if "{" in block and not block.startswith("#define")]
    assert len(structs) > 30
    assert all(block.strip() in header for block in structs if "kl_eq" not in block)


# ---- pages --------------------------------------------------------------------------------------------

def links(page):
    return re.findall(r"\]\(([^)\s]+)\)", re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.M | re.S))


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_every_link_resolves_here_and_where_it_is_installed(page, sdk):  # noqa: F811
    installed = sdk.docs / page.relative_to(TOP / "sdk")
    for there in (page, installed):
        assert links(there)
        for link in links(there):
            path, _, anchor = link.partition("#")
            target = (there.parent / path).resolve() if path else there
            assert target.exists(), f"{there}: {link}"
            if anchor:
                assert anchor in {*anchors(target.read_text()), *slugs(target)}, f"{there}: {link}"


def constants(enum):
    return re.findall(r"\bKL_\w+", without_comments(re.search(rf"enum {enum} \{{(.*?)\}}", HEADERS[0].read_text(),
                                                              re.S).group(1)))


def test_the_page_on_failures_leaves_out_no_class_and_no_outcome():
    page = (GUIDE / "failures.md").read_text()
    for enum in ("kl_fail", "kl_repeat", "kl_outcome"):
        for name in constants(enum):
            assert re.search(rf"^\| `{name}`", page, re.M), name
    assert all(f"`{name}`" in page for name in ("KL_LOOKUP", "KL_DONE", "KL_ABSENT", "KL_UNSURE", "KL_OP_LOOKUP"))


def test_the_contract_names_every_function_and_its_limits():
    page = (GUIDE / "contract.md").read_text()
    functions = re.search(r"All optional(.*?)\} kl_plugin;", HEADERS[0].read_text(), re.S).group(1)
    for name in re.findall(r"\(\*(\w+)\)", functions):
        assert f"`{name}`" in page or '"kl.time/1"' in page and name == "extension", name
    limits = (TOP / "host/plugin/data.h").read_text()
    for number in ("16 MiB", "64 KiB", "5,000", "20,000", "200"):
        assert number in page and number in limits, number


def test_the_page_on_testing_names_every_member_of_a_case():
    page = (GUIDE / "testing.md").read_text()
    known = re.search(r'known\[\] = "(.*?)";', (TOP / "host/plugin/case_file.c").read_text(), re.S).group(1)
    for word in re.sub(r'["\s]+', " ", known).split():
        assert f"`{word}`" in page, word


# ---- commands -----------------------------------------------------------------------------------------

def commands():
    found = set()
    for page in [p for p in PAGES if p != REFERENCE] + [MAN]:
        text = page.read_text().replace("\\-", "-").replace('"', "")
        found |= {(page.name, c) for c in re.findall(r"\bklinke (?:plugin )?[a-z]+[^`\n]*", text)}
    return sorted(found)


@pytest.mark.parametrize("where, command", commands())
def test_each_command_that_is_named_exists_with_its_options(where, command):
    words = command.split()
    verb = words[1]
    told = subprocess.run([str(KLINKE), "help", verb], text=True, capture_output=True)
    if told.returncode:  # a sentence that begins like a command
        assert verb not in ("plugin", "show", "call") and where != MAN.name, command
        return
    if verb == "plugin":
        assert re.search(rf"\b{words[2]}\b", told.stdout), command
    for option in re.findall(r"--([a-z-]+)", command):
        assert f"--{option}" in told.stdout, command


def test_the_samples_build_and_pass_as_their_page_says(sdk, tmp_path):  # noqa: F811
    place = tmp_path / "samples"
    shutil.copytree(sdk.docs / "samples", place)
    blocks = re.findall(r"^```sh\n(.*?)^```$", (place / "README.md").read_text(), re.M | re.S)
    assert len(blocks) == 3  # C, C++, Rust
    for block in blocks:
        told = sdk.run(block, place)
        assert re.search(r"^# [1-9]\d* passed, 0 failed$", told, re.M), told


# ---- the man page -------------------------------------------------------------------------------------

def test_the_man_page_is_clean_installed_and_names_what_there_is(sdk):  # noqa: F811
    done = subprocess.run(["groff", "-man", "-Tutf8", "-ww", "-b", "-z", str(MAN)], text=True, capture_output=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    text = MAN.read_text()
    for name in [*constants("kl_fail"), *constants("kl_repeat"), "verify", "normalize", "reply", "step", "map", "check"]:
        assert re.search(rf"^\.(?:B|BR|RB) .*\b{name}\b", text, re.M), name
    assert sdk.find("klinke-plugin.7").read_text() == text
