import json

import pytest

from builders.chain.ask import Generation
from builders.codeflow.judge import Case, Judge, Opinion, cases_of, judge_pairs, kept
from builders.codeflow.pairs import RepairPair, RepairPairRule, pair_versions
from builders.codeflow.trajectories import History, Version
from codepref.records import from_table, to_table
from codepref.stages import Runner
from codepref.store import Shard, Store


def history(name, body):
    made = [
        Version(f"def f(x):\n    return {text}\n", n, "", (verdict,), "", None, None, None)
        for n, (text, verdict) in enumerate([(body, "failed"), ("x + 1", "passed")])
    ]
    return History(name, name, f"Write f ({name}).", "f", ("assert f(1) == 2",), tuple(made))


@pytest.fixture
def drawn(tmp_path):
    runner = Runner(Store(tmp_path / "run"), quiet=True)
    shard = pair_versions(
        None, RepairPairRule(), to_table([history("a", "x"), history("b", "y"), history("c", "z")], History)
    )
    return runner, runner.source("pairs", iter([Shard(shard.table)]), {}, 3)


def test_the_judge_decides_and_its_answer_stays(drawn, tmp_path):
    runner, stage = drawn
    ids = stage.read(0)["pair_id"].to_pylist()
    answers = ["They differ.\n\nKEEP", "Only names.\n**DROP**", "KEEP or DROP, who knows?"]
    script = tmp_path / "script.jsonl"
    script.write_text(
        "".join(
            json.dumps({"prompt_id": name, "purpose": "judge", "answers": [text]}) + "\n"
            for name, text in zip(ids, answers, strict=True)
        )
    )
    *_, opinions, last = judge_pairs(runner, Judge(Generation(script=str(script))), stage, 0)
    rows = list(from_table(last.read(0), RepairPair))
    assert [(row.prompt_id, row.judge) for row in rows] == [("a", answers[0])]
    assert [(item.prompt_id, item.kind, item.rule) for item in opinions.excluded()] == [
        ("b", "pair", "differs in format"),
        ("c", "pair", "judge unclear"),
    ]
    assert [row.answer for row in from_table(opinions.read(0), Opinion)] == answers[:2]


def test_the_judge_sees_both_programs(drawn):
    _, stage = drawn
    first = next(from_table(cases_of(None, stage.read(0)).table, Case))
    assert (first.prompt, first.chosen, first.rejected) == (
        "Write f (a).",
        "def f(x):\n    return x + 1\n",
        "def f(x):\n    return x\n",
    )


def test_pairs_keep_their_order(drawn):
    _, stage = drawn
    table = stage.read(0)
    opinions = [Opinion(name, f"said {n}", n != 1) for n, name in enumerate(table["pair_id"].to_pylist())]
    rows = list(from_table(kept(None, table, to_table(opinions[::-1], Opinion)).table, RepairPair))
    assert [(row.prompt_id, row.judge) for row in rows] == [("a", "said 0"), ("c", "said 2")]
