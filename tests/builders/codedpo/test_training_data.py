"""What is made of CodeDPO's matrices besides its pairs: pairs of tests, and the columns that trainings listen to."""

import json
import math
import shutil
from dataclasses import replace

import datasets
import pytest
from building import build_in

from builders.chain.ask import Generation
from builders.codedpo import method as codedpo
from builders.codedpo import training_columns as columns
from builders.codedpo.method import Config
from builders.codedpo.pairs_of_tests import TestsRule, asked, rule_for_tests, sided
from codepref.generate.tiny.backend import TinyConfig
from codepref.inspection import run as inspection
from codepref.inspection.prompt import trace
from codepref.records import Candidates, Scores, Test
from codepref.sandbox import Limits

from builders_recordings import write  # isort: skip


def build(recordings, out, **changes):
    config = Config(generations=str(recordings), limits=Limits(cpu_s=0.3), shard_size=2)
    return build_in(codedpo, replace(config, **changes), out, quiet=True)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The same samples built twice: as ever, and with all that is optional."""
    folder = tmp_path_factory.mktemp("built")
    recordings = write(folder / "generations.jsonl")
    build(recordings, folder / "plain")
    shutil.copytree(folder / "plain", folder / "more")  # nothing is run again: the stages are the same
    manifest = build(recordings, folder / "more", test_pairs=True, training_columns=True)
    return folder, manifest


def test_the_plain_dataset_is_what_it_was_and_the_rest_is_added(built):
    folder, manifest = built
    plain = datasets.load_dataset(str(folder / "plain"), split="train")
    more = datasets.load_dataset(str(folder / "more"), "correctness", split="train")
    assert more.select_columns(plain.column_names).to_list() == plain.to_list()
    assert set(more.column_names) - set(plain.column_names) == {
        "semantic_entropy", "crash_rate", "chosen_consensus", "rejected_error_type",
    }  # fmt: skip
    assert list(manifest["dataset"]) == ["correctness", "tests"]
    old = {path.name for path in (folder / "plain" / "stages").iterdir()}
    new = {path.name.partition("-")[0] for path in (folder / "more" / "stages").iterdir() if path.name not in old}
    assert new == {"training_columns", "test_pairs"}


def test_pairs_of_tests_are_right_over_wrong_by_the_best_code(built):
    folder, _ = built
    rows = {row["prompt_id"]: row for row in datasets.load_dataset(str(folder / "more"), "tests", split="train")}
    codes = {row["prompt_id"]: row for row in datasets.load_dataset(str(folder / "more"), split="train")}
    assert rows
    for name, row in rows.items():
        pair = codes[name]
        passed = dict(zip(pair["tests"], pair["matrix"][pair["chosen_index"]], strict=True))
        assert (passed[row["chosen"]], passed[row["rejected"]]) == (True, False)
        assert row["trusted_code"] == pair["chosen"]
        assert row["task"] == pair["prompt"]
        assert "Do not solve it. Write tests" in row["prompt"] and row["task"] in row["prompt"]
        column = pair["tests"].index(row["chosen"])
        assert row["chosen_passes"] == sum(line[column] for line in pair["matrix"])
        assert row["codes"] == len(pair["matrix"])
    lines = [json.loads(line) for line in (folder / "more" / "exclusions.jsonl").read_text().splitlines()]
    left = {line["prompt_id"] for line in lines if line["stage"] == "test_pairs"}
    assert left | set(rows) == {*codes, *left}


def test_the_card_and_the_words_of_a_run_know_the_config(built):
    folder, _ = built
    card = (folder / "more" / "README.md").read_text()
    assert "config_name: tests" in card and "a test that the best code passes" in card
    assert "semantic_entropy" in card
    run = inspection.read_run(folder / "more")
    assert "tests" in inspection.overview(run)
    said = trace(run, "clear")
    assert "test_pairs" in said and "training_columns" in said
    assert said.count("assert f(2) == 4") > 1  # among the tests, and as the rejected one of a pair


def test_another_ranking_makes_both_again(built, tmp_path):
    folder, _ = built
    run = inspection.read_run(folder / "more")
    codedpo.rerank(run, "pass_count", (), tmp_path / "again")
    again = datasets.load_dataset(str(tmp_path / "again"), "tests", split="train")
    assert again.column_names[:3] == ["prompt", "chosen", "rejected"]
    wanted = build(
        folder / "generations.jsonl", tmp_path / "built", test_pairs=True, training_columns=True,
        ranking=codedpo.Ranking(name="pass_count"),
    )  # fmt: skip
    for name in ("correctness", "tests"):
        files = [tmp_path / part / wanted["dataset"][name]["files"][0]["file"] for part in ("again", "built")]
        assert files[0].read_bytes() == files[1].read_bytes()


ROW = Candidates("p", "Write f.", "f", (), tuple(Test(f"t{n}", f"assert f({n})", n, n) for n in range(5)))


def test_the_surest_tests_come_first():
    scores = Scores("p", (), (1.0, 3.0, 2.0, 5.0, 0.5))
    found = sided(TestsRule(0, 9, ""), ROW, scores, ["passed", "passed", "failed", "timeout", "failed"])
    assert found == [(1, 4), (0, 2)]
    assert sided(TestsRule(0, 1, ""), ROW, scores, ["passed", "passed", "failed", "passed", "failed"]) == [(3, 4)]
    assert sided(TestsRule(0, 9, ""), ROW, scores, ["passed"] * 5) == []


def test_the_prompt_is_what_the_model_was_asked(tmp_path):
    (tmp_path / "own.jinja").write_text("Tests for {{ entry_point }}: {{ prompt }}\n")
    rule = rule_for_tests(0, 1, Generation(test_template=str(tmp_path / "own.jinja")))
    assert asked(rule, ROW) == "Tests for f: Write f."
    what = "Take the absolute value of every number; drop 2 numbers from the front and return the result."
    task = f'def solve(nums):\n    """{what}"""'
    tiny = rule_for_tests(0, 1, Generation(tiny=TinyConfig()))
    assert asked(tiny, replace(ROW, prompt=task, entry_point="solve")) == task + "<|test|>"


RAISED = {name: found for found, name in columns.EXCEPTIONS.items()}


def test_entropy_by_hand():
    outputs = [["a", "b"], ["a", "b"], ["a", None], [None, None]]
    entropy, crashes = columns.semantic_entropy(outputs)
    assert entropy == pytest.approx(-(2 / 3 * math.log2(2 / 3) + 1 / 3 * math.log2(1 / 3)))
    assert crashes == 0.25
    assert columns.semantic_entropy([["a"], ["a"]]) == (0.0, 0.0)
    assert columns.semantic_entropy([[None], [None]]) == (0.0, 1.0)
    assert columns.semantic_entropy([["a"], ["b"], ["c"], ["d"]]) == (2.0, 0.0)


def test_consensus_by_hand():
    outputs = [["a", "b"], ["a", "c"], ["x", "b"], [None, None]]
    assert columns.consensus(outputs[0], outputs) == pytest.approx((2 / 3 + 2 / 3) / 2)
    assert columns.consensus(outputs[1], outputs) == pytest.approx((2 / 3 + 1 / 3) / 2)
    assert columns.consensus(outputs[3], outputs) == 0.0


@pytest.mark.parametrize(
    ("verdicts", "prints", "expected"),
    [
        (["passed", "failed", "failed"], ["1", RAISED["KeyError"], "2"], "KeyError"),
        (["passed", "failed", "failed"], ["1", "2", RAISED["KeyError"]], "WrongResult"),
        (["passed", "timeout", "failed"], ["1", "", "2"], "Timeout"),
        (["crashed"], [""], "Crash"),
        (["passed"], ["1"], "WrongResult"),
    ],
)
def test_the_kind_of_error_is_that_of_the_first_failing_test(verdicts, prints, expected):
    assert columns.error_type(verdicts, prints) == expected


def test_the_columns_are_those_of_real_runs(built):
    folder, _ = built
    rows = {row["prompt_id"]: row for row in datasets.load_dataset(str(folder / "more"), split="train")}
    assert rows["loop"]["rejected_error_type"] == "Timeout"
    assert rows["clear"]["rejected_error_type"] == "WrongResult"
    for row in rows.values():
        assert 0 <= row["crash_rate"] < 1
        assert 0 < row["chosen_consensus"] <= 1
        assert 0 <= row["semantic_entropy"] <= math.log2(len(row["code_ids"]))
