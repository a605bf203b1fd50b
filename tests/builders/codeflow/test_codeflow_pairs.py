from collections import Counter

import pytest

from builders.codeflow import pairs as pairing
from builders.codeflow.filters import Filters
from builders.codeflow.pairs import (
    LabelledVersion,
    RepairPair,
    RepairPairRule,
    label_versions,
    pair_versions,
    rejected_versions,
)
from builders.codeflow.trajectories import History, Version
from codepref.records import from_table, to_table


def code(body):
    return f"def f(x):\n    return {body}\n"


def history(*bodies, last="passed", name="t"):
    """Versions that fail, and a last one."""
    versions = [
        Version(code(body), n, "", ("passed", "failed"), f"error {n}", n, 1, 2) for n, body in enumerate(bodies)
    ]
    versions[-1] = Version(versions[-1].code, len(bodies) - 1, "", ("passed", last), "", None, None, None)
    return History(
        "p", name, "Write f.", "f", ("assert f(1) == 2", "assert f(2) == 3"), tuple(versions), "m", "s", "MIT"
    )


def built(rule, *rows):
    shard = pair_versions(None, rule, to_table(rows, History))
    return list(from_table(shard.table, RepairPair)), shard.excluded


def test_which_version_is_rejected():
    row = history("x", "x - 1", "x", "x * 2", "x + 1")
    bodies = {
        choice: [item.code for item in rejected_versions(RepairPairRule(choice), row)]
        for choice in ("first", "last", "all")
    }
    assert bodies == {
        "first": [code("x")],
        "last": [code("x * 2")],
        "all": [code("x"), code("x - 1"), code("x * 2")],  # a text twice is one version
    }
    drawn = Counter(
        item.code
        for n in range(300)
        for item in rejected_versions(RepairPairRule("random"), history("x", "y", "z", "x + 1", name=str(n)))
    )
    assert set(drawn) == {code("x"), code("y"), code("z")}
    assert min(drawn.values()) > 70
    seeds = {rejected_versions(RepairPairRule("random", seed=n), row)[0].code for n in range(20)}
    assert seeds == {code("x"), code("x - 1"), code("x * 2")}
    assert rejected_versions(RepairPairRule("random"), row) == rejected_versions(RepairPairRule("random"), row)


@pytest.mark.parametrize(
    ("row", "rule"),
    [
        (history("x + 1"), "passes at once"),
        (history("x", "y", last="failed"), "unsolved"),
        (history("x", "y", last="unjudged"), "unjudged"),
        (
            History("p", "t", "", "f", ("a",), (Version("text", 0, "empty", (), "", None, None, None), history("x").versions[0])),
            "no failing program",
        ),
    ],
)  # fmt: skip
def test_trajectories_without_a_pair(row, rule):
    found, excluded = built(RepairPairRule(), row)
    assert not found
    assert [(item.kind, item.rule) for item in excluded if item.kind == "prompt"] == [("prompt", rule)]
    assert [(item.rule, item.item) for item in excluded if item.kind == "code"] == (
        [("empty", 0)] if rule == "no failing program" else []
    )


def test_a_pair():
    (pair,), excluded = built(RepairPairRule(), history("x", "x + 1"))
    assert not excluded
    assert (pair.prompt, pair.chosen, pair.rejected) == ("Write f.", code("x + 1"), code("x"))
    assert [pair.chosen[a:b] for a, b in pair.chosen_spans] == ["    return x + 1"]
    assert [pair.rejected[a:b] for a, b in pair.rejected_spans] == ["    return x"]
    assert (pair.rejected_round, pair.chosen_round, pair.rejected_error, pair.changed_lines) == (0, 1, "error 0", 1)
    assert (pair.verdict_counts.passed, pair.verdict_counts.failed) == (3, 1)
    assert len(pair.versions) == 2
    assert (pair.generator, pair.source, pair.licence, pair.judge) == ("m", "s", "MIT", None)
    assert not pair.insertion_only


def test_finer_spans():
    for focus, shown in (("token", ["y"]), ("ast", ["y"])):
        (pair,), _ = built(RepairPairRule(focus=focus), history("x + y", "x + 1"))
        assert [pair.rejected[a:b] for a, b in pair.rejected_spans] == shown
        assert pair.focus == focus


def test_filters_are_counted_by_pair():
    found, excluded = built(RepairPairRule("all"), history("x+1", "x", "x + 1"))
    assert [item.rejected for item in found] == [code("x")]
    assert [(item.kind, item.rule, item.item) for item in excluded] == [("pair", "same syntax tree", 0)]


def test_insertions():
    short = Version("def f(x):\n    return x\n", 0, "", ("failed", "failed"), "e", None, None, None)
    long = Version("def f(x):\n    x += 1\n    return x\n", 1, "", ("passed", "passed"), "", None, None, None)
    row = History("p", "t", "Write f.", "f", ("a", "b"), (short, long))
    found, excluded = built(RepairPairRule(), row)
    assert not found
    assert [(item.rule, item.detail) for item in excluded] == [("empty D-", "1 lines inserted")]
    (pair,), _ = built(RepairPairRule(filters=Filters(insertions="next_line")), row)
    assert pair.insertion_only
    assert pair.changed_lines == 0
    assert [pair.rejected[a:b] for a, b in pair.rejected_spans] == ["    return x"]


def test_labels_come_from_solved_trajectories():
    table = to_table([history("x", "y", "x + 1"), history("x + 1"), history("x", "y", last="failed")], History)
    rows = list(from_table(label_versions(None, table).table, LabelledVersion))
    assert [(row.completion, row.label, row.round) for row in rows] == [
        (code("x"), False, 0),
        (code("y"), False, 1),
        (code("x + 1"), True, 2),
        (code("x + 1"), True, 0),
    ]


def test_a_row_has_a_text_for_every_column():
    for record in (pairing.RepairPair, pairing.LabelledVersion):
        hints = record.__annotations__
        assert all(hint.__metadata__ for hint in hints.values())
