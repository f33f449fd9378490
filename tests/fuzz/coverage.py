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
    """{line: count} of one file, out of llvm-cov's segments: a line counts as often as the
    busiest region that it has something of."""
    lines, count, counted = {}, 0, False
    segments, at = file["segments"], 0
    if not segments:
        return lines
    for number in range(segments[0][0], segments[-1][0] + 1):
        here = [count] if counted else []
        fresh = False
        while at < len(segments) and segments[at][0] == number:
            _, _, count, counted, entry, gap = segments[at][:6]
            if counted and not gap:
                if entry:
                    fresh = True
                    here.append(count)
                elif not fresh:
                    here.append(count)
            at += 1
        if here:
            lines[number] = max(here)
    return lines


def reached(build, profile, targets, files):
    """{file: (lines reached, lines, {line: count})}"""
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
        summary = file["summary"]["lines"]
        found[name] = (summary["covered"], summary["count"], lines_of(file))
    return found


def tell(file, reach, missed):
    """One line; whether it is good enough."""
    covered, count, lines = reach
    share = 100 * covered / count if count else 0
    print(f"  {share:5.1f} %  {covered:4} of {count:4}  {file}")
    source = (ROOT / file).read_text(encoding="utf-8").splitlines() if missed else []
    for number in sorted(n for n, c in lines.items() if not c and missed):
        print(f"      {number:4}: {source[number - 1]}")
    return share >= GOAL


def main():
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("build", type=pathlib.Path)
    ask.add_argument("--found", action="store_true")
    ask.add_argument("--missed", action="store_true")
    ask.add_argument("targets", nargs="*")
    ask = ask.parse_args()
    passed = failed = 0
    build, done = ask.build.resolve(), set()
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
                good = tell(file, found.get(file, (0, 0, {})), ask.missed)
                passed, failed = passed + good, failed + (not good)
            sys.stdout.flush()
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


sys.exit(main())
