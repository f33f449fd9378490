#!/usr/bin/env python3
"""Lines of the parsers that the fuzz targets' inputs reach.

    coverage.py BUILD [--found] [--missed] [TARGET...]

BUILD is a build with -Dfuzz=true -Db_coverage's clang counterpart (./dev fuzz coverage makes it).
Each target runs its kept inputs and seeds once; --found: also what the fuzzer found in build-fuzz.
--missed names the lines that none of them reached. The last line is "N passed, N failed": a file
below GOAL percent that is not in `unreached` fails.
"""
import argparse
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
GOAL = 95.0


def parsers():
    """[(targets, files)]"""
    lines = (HERE / "parsers").read_text(encoding="utf-8").splitlines()
    table = [line.partition(":") for line in lines if line and not line.startswith("#")]
    return [(targets.split(), files.split()) for targets, _, files in table]


def unreached():
    """[(file or "*", function or None, piece of a line or None)], each with its reason in the file."""
    found = []
    for line in (HERE / "unreached").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            file, what, _ = line.split(" | ", 2)
            function = what.removesuffix("()") if what.endswith("()") else None
            found.append((file, function, None if function else what))
    return found


def lines_of_function(source, name):
    """Line numbers, as this project lays functions out; nothing: there is none of that name."""
    begin = re.compile(rf"[a-z].*\b{name}\(")
    for number, line in enumerate(source, 1):
        if begin.match(line) and not line.endswith(";"):
            end = next(n for n in range(number, len(source) + 1) if source[n - 1] == "}")
            return range(number, end + 1)
    return range(0)


def excused(file, source, entries):
    lines = set()
    for of, function, piece in entries:
        if of == file and function:
            body = lines_of_function(source, function)
            if not body:
                sys.exit(f"unreached: there is no {function}() in {file}")
            lines.update(body)
        elif of in (file, "*") and piece:
            for number, line in enumerate(source, 1):
                if piece in line:
                    lines.update(statement(source, number))
    return lines


def statement(source, number):
    """The lines of the statement with that line, and the return or break after it."""
    first = last = number
    while not re.search(r"[;{}:]\s*(/\*.*)?$|^\s*(if|else|for|while)\b.*[)e]$", source[first - 2]):
        first -= 1
    while last < len(source) and not source[last - 1].rstrip().endswith((";", "{", "}")):
        last += 1
    while re.match(r"\s*(return\b.*;|break;)$", "".join(source[last:last + 1])):
        last += 1
    return range(first, last + 1)


def inputs(target, build, found):
    folders = [HERE / target, build / "tests/fuzz/seeds" / target]
    if found:
        folders.append(ROOT / "build-fuzz" / f"corpus-{target}")
    return [str(f) for f in folders if f.is_dir()]


def replay(target, build, found, place):
    """Runs a target over its inputs; the file with what it reached."""
    folders = inputs(target, build, found)
    environment = dict(os.environ, LLVM_PROFILE_FILE=f"{place}/{target}-%m-%p.raw")
    with tempfile.TemporaryDirectory(dir=place) as scratch:
        done = subprocess.run([str(build / f"tests/fuzz/fuzz_{target}"), "-runs=0", "-timeout=120",
                               "-max_len=4194304", f"-artifact_prefix={place}/", scratch, *folders],
                              env=environment, capture_output=True, text=True, errors="replace")
    if done.returncode:
        sys.exit(f"{target}: {done.stderr[-3000:]}")


def merged(targets, place):
    profile = f"{place}/merged.data"
    raw = [str(p) for t in targets for p in pathlib.Path(place).glob(f"{t}-*.raw")]
    subprocess.run(["llvm-profdata", "merge", "-sparse", "-o", profile, *raw], check=True)
    return profile


def lines_of(file):
    """{line: count} of one file, out of llvm-cov's segments, as llvm-cov itself has them: what goes
    on from the line before, or the busiest region that begins in it."""
    by_line, lines, wrapped = {}, {}, None
    for segment in file["segments"]:
        by_line.setdefault(segment[0], []).append(segment)
    for number in range(min(by_line, default=0), max(by_line, default=-1) + 1):
        here = by_line.get(number, [])
        begun = [count for _, _, count, counted, entry, gap in here if counted and entry and not gap]
        skipped = here and not here[0][3] and here[0][4]
        going = [wrapped[2]] if wrapped and wrapped[3] else []
        if not skipped and (begun or going):
            lines[number] = max(begun + going)
        wrapped = here[-1] if here else wrapped
    return lines


def reached(build, profile, targets, files):
    """{file: {line: count}}"""
    binaries = [str(build / f"tests/fuzz/fuzz_{target}") for target in targets]
    for plugin in sorted({f.split("/")[1] for f in files if f.startswith("plugins/")}):
        shared = ["calcom_v1", "calcom_v2"] if plugin == "calcom" else [plugin]
        binaries += [str(build / f"plugins/{p}/{p}.so") for p in shared]
    objects = [binaries[0]]
    for binary in dict.fromkeys(binaries[1:]):
        objects += ["-object", binary]
    out = subprocess.run(["llvm-cov", "export", "-skip-functions", "-instr-profile", profile,
                          *objects], capture_output=True, text=True)
    if out.returncode:
        sys.exit(out.stderr[-2000:])
    found = {}
    for file in json.loads(out.stdout)["data"][0]["files"]:
        name = os.path.relpath(os.path.realpath(file["filename"]), ROOT)
        found[name] = lines_of(file)
    return found


def tell(file, lines, entries, missed):
    """One line; whether it is good enough."""
    source = (ROOT / file).read_text(encoding="utf-8").splitlines()
    left = sorted(number for number, count in lines.items() if not count)
    bad = sorted(set(left) - excused(file, source, entries))
    count = len(lines) - len(left) + len(bad)
    share = 100 * (count - len(bad)) / count if count else 0
    note = f"  ({len(left) - len(bad)} named in unreached)" if len(left) > len(bad) else ""
    print(f"  {share:5.1f} %  {count - len(bad):4} of {count:4}  {file}{note}")
    for number in bad if missed else []:
        print(f"      {number:4}: {source[number - 1]}")
    return share >= GOAL


def main():
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("build", type=pathlib.Path)
    ask.add_argument("--found", action="store_true")
    ask.add_argument("--missed", action="store_true")
    ask.add_argument("targets", nargs="*")
    ask = ask.parse_intermixed_args()
    passed = failed = 0
    build, done, entries = ask.build.resolve(), set(), unreached()
    with tempfile.TemporaryDirectory() as place:
        for targets, files in parsers():
            if ask.targets and not set(targets) & set(ask.targets):
                continue
            for target in targets:
                if target not in done:
                    replay(target, build, ask.found, place)
                done.add(target)
            found = reached(build, merged(targets, place), targets, files)
            print(" ".join(targets))
            for file in files:
                good = tell(file, found.get(file, {}), entries, ask.missed)
                passed, failed = passed + good, failed + (not good)
            sys.stdout.flush()
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


sys.exit(main())
