import pyarrow as pa
import pytest

from builders.codeflow import card
from builders.codeflow.trajectories import History, Version
from codepref.records import to_table
from codepref.stages import Runner
from codepref.store import Shard, Store


@pytest.fixture
def runner(tmp_path):
    return Runner(Store(tmp_path / "run"), quiet=True)


def stage(runner, name, table):
    return runner.source(name, iter([Shard(table)]), {}, table.num_rows)


def history(*verdicts):
    made = [Version("x = 1\n", n, "", (verdict,), "", None, None, None) for n, verdict in enumerate(verdicts)]
    return History("p", "t", "", "f", ("assert f()",), tuple(made))


def test_rounds(runner, tmp_path):
    rows = [history("passed"), history("failed", "passed"), history("failed", "failed"), history("failed")]
    text = card.solved_by_round(tmp_path, stage(runner, "histories", to_table(rows, History)))
    assert "Of 4 trajectories." in text
    assert "| 0 | 1 | 25.0 % | 36.7 % |\n| 1 | 2 | 50.0 % | 54.7 % |\n| 2 | - | - | 61.5 % |" in text
    assert (tmp_path / "rounds.png").stat().st_size > 1000


def test_no_trajectory_at_all(runner, tmp_path):
    text = card.solved_by_round(tmp_path, stage(runner, "histories", to_table([], History)))
    assert "| 0 | - | - | 36.7 % |" in text


def test_left_out_in_the_order_of_the_rules(tmp_path):
    summaries = [
        {"stage": "pairs", "rows_out": 5, "excluded": [
            {"kind": "code", "rule": "empty", "count": 1}, {"kind": "code", "rule": "unparseable", "count": 3},
            {"kind": "prompt", "rule": "unsolved", "count": 7}, {"kind": "pair", "rule": "too long", "count": 2}]},
        {"stage": "distinct", "rows_out": 4, "excluded": [{"kind": "pair", "rule": "duplicate", "count": 1}]},
        {"stage": "opinions", "rows_out": 4, "excluded": [{"kind": "pair", "rule": "differs in format", "count": 1}]},
        {"stage": "judged", "rows_out": 3, "excluded": []},
        {"stage": "kto", "rows_out": 9, "excluded": [{"kind": "code", "rule": "duplicate", "count": 8}]},
    ]  # fmt: skip
    text = card.left_out(tmp_path, summaries)
    lines = [line for line in text.splitlines() if line.startswith("| ")][2:]
    assert lines[1] == "| unsolved | 7 |"
    assert lines[4] == "| no program | 4 |"
    assert lines[-5:] == [
        "| too long | 2 |",
        "| same syntax tree | 0 |",
        "| duplicate | 1 |",
        "| differs in format | 1 |",
        "| pairs kept | 3 |",
    ]


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ([True, False, False, False], "1 desirable, 3 undesirable: 0.33 to 1. .* desirable weight of 3.00 to 4.00"),
        ([True], "1 desirable, 0 undesirable."),
        ([], "0 desirable, 0 undesirable."),
    ],
)
def test_balance(runner, labels, words):
    import re

    table = pa.table({"label": pa.array(labels, pa.bool_())})
    assert re.fullmatch(words + "(?s:.*)", card.class_balance(stage(runner, "kto", table)))
