#!/usr/bin/env python3
"""Seeds of the fuzz targets `webhook`, `operation` and `map`, made of the plugins' case files, and
of `wish`, made of tests/wish/corpus.jsonl.

    seeds.py FOLDER STAMP PHRASES CASEFILE...

writes FOLDER/TARGET/PLUGIN-FILE-NUMBER in the form that fuzz_TARGET.c reads, and STAMP when done.
"""
import base64
import json
import pathlib
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


def main():
    folder, stamp, phrases, *files = map(pathlib.Path, sys.argv[1:])
    count = dict.fromkeys([*TARGETS, "wish"], 0)
    for target in count:
        shutil.rmtree(folder / target, ignore_errors=True)
        (folder / target).mkdir(parents=True)
    for path in files:
        plugin = path.parent.parent.name
        cases = json.loads(path.read_text(encoding="utf-8"))
        for number, case in enumerate(cases if isinstance(cases, list) else [cases]):
            for target, make in TARGETS.items():
                for part, seed in enumerate(make(plugin, case)):
                    name = f"{plugin}-{path.stem}-{number}" + (f"-{part}" if part else "")
                    (folder / target / name).write_bytes(seed)
                    count[target] += 1
    for number, line in enumerate(phrases.read_text(encoding="utf-8").splitlines()):
        for part, seed in enumerate(wish(json.loads(line))):
            (folder / "wish" / f"{number}-{part}").write_bytes(seed)
            count["wish"] += 1
    empty = [target for target, n in count.items() if not n]
    if empty:
        sys.exit(f"nothing gives a seed for: {', '.join(empty)}")
    stamp.write_text("".join(f"{target} {n}\n" for target, n in count.items()))


main()
