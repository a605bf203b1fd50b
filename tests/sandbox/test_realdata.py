"""Lanes agree on published samples of a code model."""

import ast
import gzip
import json
from pathlib import Path

import pytest

from codepref.sandbox import Job, Limits, execute

DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "codet_humaneval"
STOPS = ("\nclass", "\ndef", "\n#", "\nif", "\nprint")


def rows(name):
    with gzip.open(DATA / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def cut(text):
    return text[: min((text.find(stop) for stop in STOPS if stop in text), default=len(text))]


def asserts(sample, entry_point):
    for part in ("assert " + sample).split("assert "):
        text = cut("assert " + part.strip()).strip()
        try:
            body = ast.parse(text).body
        except (SyntaxError, ValueError):
            continue
        if entry_point in text and len(body) == 1 and isinstance(body[0], ast.Assert):
            yield text


def jobs(count, size):
    for solutions, tests in zip(rows("solutions")[:count], rows("generated_tests")[:count], strict=True):
        entry_point = solutions["entry_point"]
        codes = dict.fromkeys(solutions["prompt"] + cut(sample) for sample in solutions["samples"])
        texts = dict.fromkeys(text for sample in tests["samples"] for text in asserts(sample, entry_point))
        yield Job(solutions["task_id"], tuple(codes)[:size], tuple(texts)[:size], entry_point)


@pytest.mark.realdata
@pytest.mark.skipif(not DATA.exists(), reason=f"needs {DATA}")
def test_lanes_agree_on_published_samples():
    answers = {}
    for lane in ("fast", "code", "strict"):
        matrices = execute(jobs(10, 8), Limits(cpu_s=0.5), workers=2, lane=lane)
        answers[lane] = [
            [[(cell.verdict, cell.mode, cell.fingerprint) for cell in row] for row in matrix.cells]
            for matrix in matrices
        ]
    assert answers["fast"] == answers["strict"] == answers["code"]
    verdicts = {verdict for matrix in answers["fast"] for row in matrix for verdict, _, _ in row}
    assert {"passed", "failed"} <= verdicts
    assert "unjudged" not in verdicts
