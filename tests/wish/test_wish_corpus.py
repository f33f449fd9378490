"""Every line of corpus.jsonl through `klinke call desk.match -` of the build: exactly the expected slots, in
the order given. And what the corpus itself must be.
"""
import json
import os
import subprocess
from pathlib import Path

import pytest

import corpus

TOP = Path(__file__).resolve().parents[2]
KLINKE = Path(os.environ.get("KLINKE_BUILD", TOP / "build")).absolute() / "host" / "klinke"
PATIENCE_S = float(os.environ.get("PATIENCE_S", "60"))
LINES = corpus.read()


@pytest.fixture(scope="module")
def answers():
    """By the number of the line: what the host says."""
    asked = "".join(json.dumps(line.asked, ensure_ascii=False) + "\n" for line in LINES)
    run = subprocess.run([KLINKE, "call", "desk.match", "-"], input=asked.encode(), capture_output=True,
                         timeout=PATIENCE_S, check=False)
    assert run.returncode == 0, run.stderr.decode()
    said = run.stdout.decode().splitlines()
    assert len(said) == len(LINES), f"{len(said)} answers to {len(LINES)} lines\n{run.stderr.decode()}"
    return {line.number: json.loads(answer) for line, answer in zip(LINES, said)}


def short(slots):
    return f"{len(slots)}: " + ", ".join(slots[:6]) + (f" … {slots[-1]}" if len(slots) > 6 else "")


def told(line, answer):
    """What a person needs to see who of both is wrong."""
    expected = "\n      or ".join(short(slots) for slots in line.accepted())
    return (f"\nphrase   {line.asked['phrase'][:200]!r} ({line.asked['language']}, said {line.asked['now']})"
            f"\nexpected {expected}\n         {json.dumps(line.expect, ensure_ascii=False)}, since: {line.why}"
            f"\ngot      {short(answer.get('matched', []))}"
            f"\n         {json.dumps({key: answer[key] for key in answer if key != 'matched'}, ensure_ascii=False)[:1500]}")


@pytest.mark.parametrize("line", LINES, ids=lambda line: line.name)
def test_the_slots_that_are_meant(line, answers):
    answer = answers[line.number]
    assert answer.get("matched") in line.accepted(), told(line, answer)
    assert isinstance(answer["constraints"], dict) and isinstance(answer["say"], str), told(line, answer)
    assert answer["ambiguous"] is line.expect.get("ambiguous", answer["ambiguous"] is True), told(line, answer)
    assert not answer["ambiguous"] or len(answer["constraints"]["readings"]) == 2, told(line, answer)
    if line.expect.get("reported"):
        assert answer["constraints"].get("not_understood"), told(line, answer)
    for words in line.expect.get("say", []):
        assert words in answer["say"], told(line, answer)


def test_the_corpus_is_as_large_as_promised():
    languages = [line.asked["language"] for line in LINES]
    assert languages.count("de") >= 220 and languages.count("en") >= 80


def test_no_line_is_there_twice():
    lines = [json.dumps(line.asked, sort_keys=True) for line in LINES]
    assert len(lines) == len(set(lines))


def test_an_expectation_can_fail():
    """Slots that are meant are some and not all, unless the line says so."""
    for line in LINES:
        for slots, choices in zip(line.accepted(), line.expect.get("either") or [line.expect["matched"]]):
            assert slots or not choices, f"line {line.number} expects slots, and there are none of them"
            assert len(slots) < len(line.asked["slots"]) or choices in (["all"], []), f"line {line.number} asks nothing"
