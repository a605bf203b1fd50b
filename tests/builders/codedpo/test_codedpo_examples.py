"""Examples of a prompt in a whole build: what they decide, what they cost, and that they change nothing elsewhere."""

import re

import datasets
import numpy as np
import pytest
from building import build_in

from builders.codedpo import method as codedpo
from codepref import config
from codepref.inspection import run as inspection
from codepref.inspection.prompt import trace
from codepref.sandbox import Sandbox

from builders_recordings import recording, write  # isort: skip

SQUARE, DOUBLE, STUB = (f"def f(x):\n    return {value}\n" for value in ("x * x", "2 * x", "None"))
TESTS = ["assert f(2) == 4", "assert f(3) == 9", "assert f(0) == 0"]
"""The model took double for square."""
MOST_ARE_WRONG = [SQUARE, SQUARE, SQUARE, DOUBLE, STUB]
DOCTEST = {"prompt": 'def f(x):\n    """Double x.\n\n    >>> f(3)\n    6\n    """\n'}
ROWS = [
    recording("in-text", MOST_ARE_WRONG, TESTS) | DOCTEST,
    recording("in-line", MOST_ARE_WRONG, TESTS, examples=["assert f(5) == 10"]),
    recording("none", MOST_ARE_WRONG, TESTS),
    recording("wrong", MOST_ARE_WRONG, TESTS) | {"prompt": "Double it. f(3) == 7."},
]


def build(folder, name, rows=ROWS, *changes):
    given = write(folder / f"{name}.jsonl", rows)
    keys = [f"generations={given}", "limits.cpu_s=0.3", "ranking=combined", "shard_size=2", *changes]
    settings = config.load(codedpo.Config, None, keys)
    manifest = build_in(codedpo, settings, folder / name, quiet=True)
    return folder / name, settings, manifest


def pairs_of(folder):
    return {row["prompt_id"]: row for row in datasets.load_dataset(str(folder), "correctness", split="train")}


@pytest.fixture(scope="module")
def builds(tmp_path_factory):
    folder = tmp_path_factory.mktemp("examples")
    plain = [{key: value for key, value in row.items() if key != "examples"} for row in ROWS]
    read = build(folder, "read", ROWS, "prompt_examples=true")
    return {"read": read, "given": build(folder, "given"), "plain": build(folder, "plain", plain)}


def chosen(build):
    return {name: row["chosen"] for name, row in pairs_of(build[0]).items()}


def test_a_code_that_passes_the_examples_is_chosen(builds):
    assert chosen(builds["plain"]) == dict.fromkeys(("in-line", "in-text", "none", "wrong"), SQUARE)
    assert chosen(builds["given"])["in-line"] == DOUBLE != chosen(builds["given"])["in-text"]
    found = pairs_of(builds["read"][0])
    assert {name: row["chosen"] for name, row in found.items()} == {
        "in-line": DOUBLE, "in-text": DOUBLE, "none": SQUARE, "wrong": SQUARE
    }  # fmt: skip
    assert all(len(row["tests"]) == 3 for row in found.values())  # the examples are none of the model's tests
    scores = np.array(found["in-text"]["code_scores"])
    assert (scores[:3].max() <= 1, scores[3] >= 2, scores[4]) == (True, True, 0)


def test_an_example_that_no_code_passes_makes_a_pair_less_sure(builds):
    sure = {name: {key: row["confidence"] for key, row in pairs_of(build[0]).items()} for name, build in builds.items()}
    assert sure["read"]["in-text"] == sure["read"]["in-line"] > 0.5  # though one code in five does as the chosen one
    assert sure["read"]["none"] > sure["read"]["wrong"]
    assert len(set(sure["plain"].values())) == 1


def test_without_examples_no_byte_changes(builds, tmp_path):
    none = [row for row in ROWS if row["prompt_id"] == "none"]
    files = [
        (build(tmp_path, name, none, *changes)[0] / "correctness/train-00000-of-00001.parquet").read_bytes()
        for name, changes in (("without", ()), ("with", ("prompt_examples=true",)))
    ]
    assert files[0] == files[1]


@pytest.mark.parametrize(("name", "examples"), [("plain", 0), ("given", 1), ("read", 3)])
def test_a_dry_run_counts_the_runs_on_examples(builds, name, examples):
    planned = codedpo.plan(builds[name][1])
    assert planned.executions == 4 * (5 + 1) * 3 + 5 * examples
    assert (f"; the codes on the prompts' examples ({examples})" in str(planned)) == bool(examples)


def test_inspect_shows_examples_and_their_cells(builds):
    text = trace(inspection.read_run(builds["read"][0]), "in-text")
    assert "example 0\n    assert f(3) == 6\n" in text
    matrix = text[text.index("matrix") :].splitlines()
    assert matrix[0].endswith("; e: examples)")
    assert matrix[1].split() == ["0", "1", "2", "e0", "score"]
    assert [re.sub(r"[^+-]", "", line[:22]) for line in matrix[2:7]] == ["+++-"] * 3 + ["+-++", "----"]
    assert "example" not in trace(inspection.read_run(builds["read"][0]), "none")


def test_ranked_again_the_examples_still_decide(builds, tmp_path, monkeypatch):
    monkeypatch.setattr(Sandbox, "run_many", lambda *_: pytest.fail("a code was to be run"))
    codedpo.rerank(inspection.read_run(builds["read"][0]), "pass_count", out=tmp_path / "again")
    assert pairs_of(tmp_path / "again")["in-text"]["chosen"] == DOUBLE


def test_programs_have_examples_too(tmp_path):
    squares, doubles = (f"print(int(input()) {what})\n" for what in ("** 2", "* 2"))
    tests = [{"input": "2", "output": "4"}, {"input": "3", "output": "9"}]
    row = recording("p", [squares, squares, doubles], tests, examples=[{"input": "3", "output": "6"}])
    folder, _, _ = build(tmp_path, "programs", [row | {"entry_point": None, "prompt": "Double a number."}])
    assert pairs_of(folder)["p"]["chosen"] == doubles


def test_of_several_pairs_none_chooses_a_code_that_fails_an_example(tmp_path):
    codes = [f"def f(x):\n    return {value}\n" for value in ("x * x", "x ** 2 + 0", "2 * x", "None", "4", "x")]
    rows = [
        recording("known", codes, TESTS, examples=["assert f(5) == 10"]),
        recording("unknown", codes, TESTS),
    ]
    folder, _, _ = build(tmp_path, "several", rows, "pairs_per_prompt=3")
    found = datasets.load_dataset(str(folder), "correctness", split="train")
    assert [row["chosen"] for row in found if row["prompt_id"] == "known"] == [DOUBLE]
    assert sum(row["prompt_id"] == "unknown" for row in found) > 1
