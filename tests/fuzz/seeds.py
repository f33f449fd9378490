#!/usr/bin/env python3
"""Seeds of the fuzz targets, out of text files.

    seeds.py FOLDER STAMP FILE...

writes FOLDER/TARGET/NAME in the form that fuzz_TARGET.c reads, and STAMP when done. Files are:

    plugins/*/cases/*.json  cases of plugins: `webhook`, `operation` and `map`
    tests/wish/corpus.jsonl  phrases: `wish`
    TARGET.said             a language and a phrase in each line
    TARGET.seeds            an input in each line, but for \\n \\r \\t \\\\ and \\xNN in it; written by hand
    TARGET.grown            likewise; what the fuzzer found, the few that reach what no other does
"""
import base64
import json
import pathlib
import re
import shutil
import sys


def compact(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def body_of(body):
    if isinstance(body, str):
        return body.encode()
    if isinstance(body, dict) and "json" in body:
        return compact(body["json"]).encode()
    if isinstance(body, dict) and "base64" in body:
        return base64.b64decode(body["base64"])
    return b""


def now_ms(case):
    import datetime
    now = case.get("now")
    if isinstance(now, str):
        moment = datetime.datetime.fromisoformat(now.replace("Z", "+00:00"))
        now = round(moment.timestamp() * 1000)
    return [f"@{now}"] if now is not None else []


def options(case):
    for key, value in case.get("config", {}).items():
        yield f"!{key}={value if isinstance(value, str) else compact(value)}"


def lines(first, *groups):
    """Head lines and the empty one that ends them; a line end inside a value would end it too."""
    all_lines = [first] + [line.replace("\n", " ") for group in groups for line in group]
    return ("\n".join(all_lines) + "\n\n").encode()


def webhook(plugin, case):
    for kind in "verify", "normalize", "reply":
        spec = case.get(kind)
        if not isinstance(spec, dict):
            continue
        inbound = spec.get("inbound", spec)
        result = [f"<{compact(spec['result'])}"] if spec.get("result") else []
        yield lines(f"{plugin} {inbound.get('method', 'POST')} {inbound.get('route', '')}",
                    now_ms(case), options(case), result,
                    (f"?{name}={value}" for name, value in inbound.get("query", [])),
                    (f"{name}: {value}" for name, value in inbound.get("headers", []))
                    ) + body_of(inbound.get("body"))


def answer(turn):
    spec = turn.get("answer") or {}
    outcome = spec.get("outcome", "answered")[0]
    head = lines(f"%% {spec.get('status', 0)} {outcome} {spec.get('retry_after_ms', 0)}",
                 (f"{name}: {value}" for name, value in spec.get("headers", [])))
    body = compact(spec["json"]) if "json" in spec else spec.get("body") or ""
    return head + body.encode() + b"\n"


def operation(plugin, case):
    spec = case.get("step")
    if not isinstance(spec, dict):
        return
    given = [f"{mark}{compact(spec[key])}" for mark, key in (("<", "input"), ("^", "checkpoint"))
             if spec.get(key) is not None]
    key = [f"~{spec['key']}"] if spec.get("key") else []
    yield lines(f"{plugin} {spec['op']}", now_ms(case), options(case), key, given) + b"".join(
        answer(turn) for turn in spec.get("exchange", []))


def mapping(plugin, case):
    spec = case.get("map")
    if not isinstance(spec, dict):
        return
    context = [f"<{compact(spec['context'])}"] if spec.get("context") else []
    fields = (f"{f['key']}={f.get('spec', '')} : {compact(f.get('value'))}"
              for f in spec.get("fields", []))
    yield lines(plugin, now_ms(case), context, fields)


def wish(case):
    """Both ways in: as it is said, and as a line for desk.match."""
    english = case.get("language") == "en"
    phrase = case["phrase"]
    if isinstance(phrase, dict):   # a long one, made
        phrase = phrase["repeat"] * min(phrase["times"], 20) + phrase.get("then", "")
        case = {**case, "phrase": phrase}
    yield bytes([60 + english, 97, 17, 255]) + phrase.encode()
    line = {key: value for key, value in case.items() if key not in ("expect", "why", "grid")}
    yield compact({"slots": ["2026-11-24T09:00:00Z", "2026-11-26T16:30:00Z"], **line}).encode()


TARGETS = {"webhook": webhook, "operation": operation, "map": mapping}


def of_cases(path):
    """[(target, name, bytes)]"""
    plugin = path.parent.parent.name
    cases = json.loads(path.read_text(encoding="utf-8"))
    for number, case in enumerate(cases if isinstance(cases, list) else [cases]):
        for target, make in TARGETS.items():
            for part, seed in enumerate(make(plugin, case)):
                yield target, f"{plugin}-{path.stem}-{number}-{part}", seed


def of_phrases(path):
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines()):
        for part, seed in enumerate(wish(json.loads(line))):
            yield "wish", f"{number}-{part}", seed


ESCAPES = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"\\": b"\\"}


def of_lines(path):
    for number, line in enumerate(path.read_bytes().splitlines()):
        yield path.stem, f"{path.suffix[1:]}-{number}", re.sub(
            rb"\\(x([0-9a-f]{2})|.)",
            lambda m: bytes.fromhex(m[2].decode()) if m[2] else ESCAPES[m[1]], line)


def of_said(path):
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines()):
        language, _, phrase = line.partition(" ")
        for part, seed in enumerate(wish({"language": language, "phrase": phrase})):
            yield path.stem, f"said-{number}-{part}", seed


READERS = {".json": of_cases, ".jsonl": of_phrases, ".seeds": of_lines, ".grown": of_lines,
           ".said": of_said}


def main():
    folder, stamp, *files = map(pathlib.Path, sys.argv[1:])
    count = dict.fromkeys([*TARGETS, "wish"], 0)
    shutil.rmtree(folder, ignore_errors=True)
    for path in files:
        for target, name, seed in READERS[path.suffix](path):
            (folder / target).mkdir(parents=True, exist_ok=True)
            (folder / target / name).write_bytes(seed)
            count[target] = count.get(target, 0) + 1
    empty = [target for target, n in count.items() if not n]
    if empty:
        sys.exit(f"nothing gives a seed for: {', '.join(empty)}")
    stamp.write_text("".join(f"{target} {n}\n" for target, n in count.items()))


main()
