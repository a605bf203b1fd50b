import dataclasses
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace

import datasets
import numpy as np
import pytest
from building import build_in

from builders.chain.gates import Gates
from builders.dstc import method as dstc
from builders.dstc.answers import AnswerPair, LabelledAnswer
from builders.dstc.method import Config
from codepref import config, extract
from codepref.errors import CodeprefError
from codepref.records import from_table
from codepref.sandbox import Job, Limits, Sandbox

from builders_recordings import recording, write  # isort: skip

QUICK = Limits(cpu_s=0.3)
GOOD, SAME, OFF, WRONG = (
    "def f(x):\n    return x + 1\n",
    "def f(x):  # the same, in another layout\n\n    return (x + 1)\n",
    "def f(x):\n    return x + 1 if x else 0\n",
    "def f(x):\n    return x * 7\n",
)
TESTS = ["assert f(0) == 1", "assert f(1) == 2", "assert f(-3) == -2", "assert f(2) == 4"]  # the last one is wrong
ROWS = [
    recording("clear", [WRONG, OFF, SAME, GOOD], TESTS, generator="a model", licence="MIT"),
    recording("loop", [GOOD, "def f(x):\n    while x:\n        pass\n    return 1\n"], TESTS),
    recording("both", [GOOD, WRONG], ["assert f(1) == 2", "assert f(1) == 7"]),
    recording("vacuous", [GOOD, WRONG], ["assert f(1) != 3", "f(1)\nassert True", "assert f(1) == 2"]),
    recording("easy", [GOOD, OFF], ["assert f(1) == 2"]),
    recording("hopeless", [WRONG, OFF], ["assert f(1) == 0"]),
    recording("function", [GOOD, WRONG], ["def test_f():\n    assert f(1) == 2\n    assert f(2) == 3"]),
]


def build(recordings, out, workers=1, **changes):
    settings = Config(generations=str(recordings), limits=QUICK, shard_size=3)
    return build_in(dstc, replace(settings, **changes), out, workers=workers, quiet=True)


def hashes(folder):
    return {
        p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(folder.rglob("*.parquet"))
    }


def rows_of(folder, name):
    record = AnswerPair if name.endswith("dpo") else LabelledAnswer
    data = datasets.load_dataset(str(folder), name, split="train")
    return list(from_table(data.data.table, record))


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("built")
    return folder / "run", build(write(folder / "generations.jsonl", ROWS), folder / "run")


def test_both_configs_load(built):
    folder, manifest = built
    pairs = datasets.load_dataset(str(folder), split="train")
    assert pairs.column_names[:3] == ["prompt", "chosen", "rejected"]
    assert pairs["prompt_id"] == ["both", "clear", "function", "loop", "vacuous"]
    answers = datasets.load_dataset(str(folder), "kto", split="train")
    assert answers.column_names[:3] == ["prompt", "completion", "label"]
    assert sum(answers["label"]) * 2 == len(answers) == 2 * len(pairs)
    assert {name: part["rows"] for name, part in manifest["dataset"].items()} == {"dpo": 5, "kto": 10}


def test_the_picks(built):
    folder, _ = built
    row = {row.prompt_id: row for row in rows_of(folder, "dpo")}["clear"]
    assert row.codes == (WRONG, OFF, SAME)  # GOOD has the same syntax tree as SAME
    assert row.chosen == f"```python\n{SAME}```\n\n```python\nassert f(0) == 1\n```"  # passed by one code alone
    assert row.rejected == f"```python\n{WRONG}```\n\n```python\nassert f(1) == 2\n```"  # passed by two of three
    assert row.prompt.startswith("Solve this programming task in Python, and test your solution.")
    assert row.task == "Write f."


def test_picks_follow_from_the_row_alone(built):
    for row in rows_of(built[0], "dpo"):
        passed = np.array(row.matrix)
        assert row.code_passes == tuple(passed.sum(axis=1)) == row.code_scores
        assert row.test_passes == tuple(passed.sum(axis=0))
        R, Q = row.code_passes, row.test_passes
        j, k = row.chosen_code_index, row.chosen_test_index
        assert R[j] == max(R)
        assert passed[j, k]
        assert Q[k] == min(q for q, passes in zip(Q, passed[j], strict=True) if passes)
        j, k = row.rejected_code_index, row.rejected_test_index
        assert Q[k] == max(q for q in Q if q < len(R))
        assert not passed[j, k]
        assert R[j] == min(r for r, passes in zip(R, passed[:, k], strict=True) if not passes)


def test_every_published_side_does_what_it_says_as_one_program(built):
    rows = rows_of(built[0], "kto")
    programs = tuple("\n".join(extract.fenced_blocks(row.completion)) for row in rows)
    with Sandbox(QUICK, mode="official") as sandbox:
        matrix = sandbox.run(Job("all", programs, ("pass\n",)))
    assert [cells[0].verdict == "passed" for cells in matrix.cells] == [row.label for row in rows]


def test_evaluation_would_read_the_code_alone(built):
    for row in rows_of(built[0], "dpo"):
        for answer, index in ((row.chosen, row.chosen_code_index), (row.rejected, row.rejected_code_index)):
            assert extract.code(answer, row.task, row.entry_point) == row.codes[index]


def paired(desirable, undesirable):
    """A row of `dpo` out of the two of `kto`."""
    known = {name: getattr(desirable, name) for name in AnswerPair.__dataclass_fields__ if hasattr(desirable, name)}
    sides = {}
    for side, row in (("chosen", desirable), ("rejected", undesirable)):
        sides |= {side: row.completion, f"{side}_code_index": row.code_index, f"{side}_test_index": row.test_index}
    return AnswerPair(**known, **sides)


def split(pair):
    """The rows of `kto` out of one of `dpo`."""
    known = {name: getattr(pair, name) for name in LabelledAnswer.__dataclass_fields__ if hasattr(pair, name)}
    for side in ("chosen", "rejected"):
        indices = {f"{kind}_index": getattr(pair, f"{side}_{kind}_index") for kind in ("code", "test")}
        yield LabelledAnswer(**known, **indices, completion=getattr(pair, side), label=side == "chosen")


def test_each_export_is_rebuilt_from_the_other(built):
    pairs, answers = rows_of(built[0], "dpo"), rows_of(built[0], "kto")
    assert [paired(*answers[n : n + 2]) for n in range(0, len(answers), 2)] == pairs
    assert [row for pair in pairs for row in split(pair)] == answers
    desirable = {row.prompt_id: row for row in answers if row.label}
    for row in reversed(answers):  # in any order: the prompt's id says what belongs together
        if not row.label:
            assert paired(desirable[row.prompt_id], row) in pairs


def test_everything_left_out_is_on_file(built):
    folder, manifest = built
    lines = [json.loads(line) for line in (folder / "exclusions.jsonl").read_text().splitlines()]
    assert {(line["prompt_id"], line["kind"], line["rule"]) for line in lines} >= {
        ("easy", "prompt", "every code passes every test"),
        ("hopeless", "prompt", "no code passes a test"),
        ("clear", "code", "duplicate"),
        ("vacuous", "test", "vacuous"),
    }
    rows = [(stage["stage"], stage["rows_in"], stage["rows_out"]) for stage in manifest["stages"]]
    assert rows[-3:] == [("pairs", 7, 5), ("verified", 5, 5), ("unpaired", 5, 10)]


def test_the_card_tells_ties_classes_and_weights(built):
    text = (built[0] / "README.md").read_text()
    for part in (
        "## Columns of `kto`",
        "5 desirable, 5 undesirable, 1 : 1",
        "`desirable_weight` 1.0 to 1.33",
        "of 5 pairs have the same code on both sides",
        "Picks that had equals: chosen code",
        "arXiv:2411.13611",
    ):
        assert part in text, part
    assert "`confidence`" not in text


def test_the_options_reuse_the_matrix(built, tmp_path):
    recordings, out = built[0].parent / "generations.jsonl", tmp_path / "run"
    shutil.copytree(built[0] / "stages", out / "stages")
    ran = {path: path.stat().st_mtime_ns for path in out.glob("stages/outcomes-*/*.parquet")}
    seen = {}
    for name, changes in {
        "code only": {"concatenate": False},
        "ranked": {"selection": "ranked", "ranking": "dual_agreement", "ties": "median"},
        "random": {"selection": "random"},
        "guard": {"min_passing": 2},
    }.items():
        build(recordings, out, **changes)
        seen[name] = {row.prompt_id: row for row in rows_of(out, "dpo")}
    assert {path: path.stat().st_mtime_ns for path in out.glob("stages/outcomes-*/*.parquet")} == ran
    assert seen["code only"]["clear"].chosen == f"```python\n{SAME}```"
    assert seen["code only"]["clear"].prompt.startswith("Solve this programming task in Python.")
    assert "both" not in seen["code only"]  # each code passes one test: one of them would stand on both sides
    assert set(seen["guard"]) == {"clear", "loop"}
    assert seen["guard"]["clear"].chosen.endswith("assert f(1) == 2\n```")
    assert set(seen["random"]) >= {"clear", "loop"}
    assert seen["ranked"]["function"].code_scores == (2.0, 0.0)  # its test function has two assertions
    assert seen["ranked"]["vacuous"].code_passes == (1, 0)


def test_answers_may_be_bare_text_that_goes_on_with_the_prompt(built, tmp_path):
    folder, _ = built
    shutil.copytree(folder / "stages", tmp_path / "run" / "stages")
    build(folder.parent / "generations.jsonl", tmp_path / "run", fenced=False, concatenate=False)
    rows = rows_of(tmp_path / "run", "dpo")
    assert rows
    for row in rows:
        assert row.prompt == row.task
        assert row.chosen == row.codes[row.chosen_code_index]
        assert row.rejected == row.codes[row.rejected_code_index]


def test_vacuous_tests_may_stay(built, tmp_path):
    shutil.copytree(built[0] / "stages", tmp_path / "run" / "stages")
    build(built[0].parent / "generations.jsonl", tmp_path / "run", gates=Gates(False, False, None, False))
    tests = {row.prompt_id: row.tests for row in rows_of(tmp_path / "run", "dpo")}
    assert "assert f(1) != 3" in tests["vacuous"]
    assert "assert f(1) != 3" not in {row.prompt_id: row.tests for row in rows_of(built[0], "dpo")}["vacuous"]


def test_two_workers_change_no_byte(built, tmp_path):
    folder, manifest = built
    for path in folder.glob("stages/*"):
        if not path.name.startswith(("pairs", "verified", "unpaired")):
            shutil.copytree(path, tmp_path / "run" / "stages" / path.name)
    assert build(folder.parent / "generations.jsonl", tmp_path / "run", workers=2) == manifest
    assert hashes(tmp_path / "run") == hashes(folder)
    assert (tmp_path / "run" / "README.md").read_bytes() == (folder / "README.md").read_bytes()


def test_kill_9_in_the_middle_loses_nothing_finished(built, tmp_path, root):
    folder, _ = built
    out, recordings = tmp_path / "run", folder.parent / "generations.jsonl"
    words = [sys.executable, "-m", "builders.dstc", "--out", str(out), "--quiet", "--workers", "1"]
    for item in (f"generations={recordings}", "limits.cpu_s=0.3", "shard_size=3"):
        words += ["--set", item]
    process = subprocess.Popen(words, env={**os.environ, "PYTHONPATH": str(root)}, cwd=root)
    while not list(out.glob("stages/outcomes-*/*.parquet")):
        assert process.poll() is None
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    finished = {path: path.stat().st_mtime_ns for path in out.glob("stages/*/*.parquet")}
    assert not (out / "README.md").exists()
    build(recordings, out)
    assert hashes(out) == hashes(folder)
    assert {path: path.stat().st_mtime_ns for path in finished} == finished


def test_what_is_refused(tmp_path):
    with pytest.raises(CodeprefError, match="no such template: No such file|No such file"):
        build_in(dstc, Config(generations="x", answer_template=str(tmp_path / "none.jinja")), tmp_path, quiet=True)
    (tmp_path / "bad.jinja").write_text("{{ nobody }}")
    with pytest.raises(CodeprefError, match=r"bad.jinja: 'nobody' is undefined; known names: prompt, entry_point"):
        build_in(dstc, Config(generations="x", answer_template=str(tmp_path / "bad.jinja")), tmp_path, quiet=True)
    with pytest.raises(CodeprefError, match="selection"):
        config.load(Config, None, ["selection=best"])


def test_the_dry_run_counts(built):
    text = str(dstc.plan(Config(generations=str(built[0].parent / "generations.jsonl"))))
    assert "executions:" in text
    assert "2 executions a pair" in text


def test_columns_are_told(built):
    for record in (AnswerPair, LabelledAnswer):
        assert all(hint.metadata[0] if hasattr(hint, "metadata") else hint.__metadata__[0] for hint in _hints(record))


def _hints(record):
    import typing

    return [typing.get_type_hints(record, include_extras=True)[field.name] for field in dataclasses.fields(record)]


def test_a_code_that_fails_an_example_is_not_chosen(tmp_path):
    """Most tests were written for another function, which the first two codes compute."""
    tests = ["assert f(1) == 7", "assert f(2) == 14", "assert f(0) == 1"]
    rows = [recording("p", [WRONG, WRONG + "# again\n", GOOD], tests)]
    told = [{**rows[0], "examples": ["assert f(4) == 5"]}]
    chosen = {}
    for name, given in (("without", rows), ("with", told)):
        build(write(tmp_path / f"{name}.jsonl", given), tmp_path / name)
        (pair,) = rows_of(tmp_path / name, "dpo")
        chosen[name] = pair.chosen
    assert "x * 7" in chosen["without"]
    assert "x + 1" in chosen["with"]
