import hashlib
from dataclasses import replace

import numpy as np
import pytest

from builders.chain.scoring import Ranking, score_matrices
from builders.dstc import pairs as selection
from builders.dstc.answers import AnswerPair
from builders.dstc.pairs import AnswerPairRule, pair_answers
from codepref.records import Candidate, Candidates, Outcomes, Test, content_id, from_table, to_table

P, F, U = "passed", "failed", "unjudged"
RULE = AnswerPairRule("Solve {{ prompt }} as {{ entry_point }} ({{ prompt_id }}).")


def tables(verdicts, codes=None, tests=None, ranking="pass_count"):
    codes = codes or [f"def f(x):\n    return {n}\n" for n in range(len(verdicts))]
    tests = tests or [f"assert f({n})" for n in range(len(verdicts[0]))]
    candidates = Candidates(
        "p",
        "Write f.",
        "f",
        tuple(
            Candidate(content_id("p", code), code, n, 100 + n, len(code.split()) * (2 if "long" in code else 1))
            for n, code in enumerate(codes)
        ),
        tuple(Test(content_id("p", test), test, n, 200 + n) for n, test in enumerate(tests)),
        "a model",
    )
    lines = tuple(map(tuple, verdicts))
    ready = to_table([candidates], Candidates)
    ran = to_table([Outcomes("p", lines, (("plain",) * len(tests),) * len(codes), lines)], Outcomes)
    return ready, ran, score_matrices(Ranking(name=ranking), ready, ran).table


def run(rule, *given):
    shard = pair_answers(rule, *given)
    rows = list(from_table(shard.table, AnswerPair))
    return (rows[0] if rows else None), [item.rule for item in shard.excluded]


FIRST = [[P, P, P, F], [P, P, F, F], [P, F, F, F], [F, F, F, P]]


def test_a_row_holds_all_that_its_picks_rest_on():
    row, _ = run(replace(RULE, round=2, temperature=0.5, timeout_s=0.3), *tables(FIRST))
    assert row.prompt == "Solve Write f. as f (p)."
    assert row.chosen == "```python\ndef f(x):\n    return 0\n```\n\n```python\nassert f(2)\n```"
    assert row.rejected == "```python\ndef f(x):\n    return 3\n```\n\n```python\nassert f(0)\n```"
    assert (row.chosen_code_index, row.chosen_test_index, row.rejected_code_index, row.rejected_test_index) == (
        0,
        2,
        3,
        0,
    )
    assert row.matrix == (
        (True, True, True, False),
        (True, True, False, False),
        (True,) + (False,) * 3,
        (False,) * 3 + (True,),
    )
    assert (row.code_passes, row.test_passes) == ((3, 2, 1, 1), (3, 2, 1, 1))
    assert (row.code_seeds[0], row.test_seeds[0]) == (100, 200)
    assert (row.round, row.temperature, row.timeout_s, row.generator) == (2, 0.5, 0.3, "a model")
    assert (row.verdict_counts.passed, row.verdict_counts.failed) == (7, 9)


def test_code_only_rows():
    row, _ = run(replace(RULE, concatenate=False), *tables(FIRST))
    assert row.chosen == "```python\ndef f(x):\n    return 0\n```"
    assert row.rejected == "```python\ndef f(x):\n    return 3\n```"


def test_an_unjudged_cell_is_never_a_label():
    row, rules = run(RULE, *tables([[P, P, F], [U, P, P], [F, P, F], [P, F, F]]))
    assert len(row.codes) == 3
    assert row.codes[0].endswith("return 0\n")
    assert row.codes[1].endswith("return 2\n")
    assert row.test_passes == (2, 2, 0)
    assert rules == []
    assert row.verdict_counts.unjudged == 0


SAME = [[P, F], [F, P]]


def test_the_same_code_on_both_sides():
    # the shorter text is the chosen code, the shorter test the rejected one
    given = tables(SAME, ["def f(x): pass", "def f(x): return 1"], ["assert f(100)", "assert f(2)"])
    row, _ = run(RULE, *given)
    assert row.same_code
    assert (row.chosen_test_index, row.rejected_test_index) == (0, 1)
    assert run(replace(RULE, same_code="drop"), *given) == (None, ["same code on both sides"])


@pytest.mark.parametrize(("verdict", "reason"), [(P, "every code passes every test"), (F, "no code passes a test")])
def test_a_matrix_without_a_pair(verdict, reason):
    for kind in ("minimax", "random"):
        assert run(replace(RULE, selection=kind), *tables([[verdict] * 2] * 2)) == (None, [reason])


def test_the_guard_counts_different_codes():
    hard = [[P, P, P], [P, P, F], [P, F, F]]
    assert run(RULE, *tables(hard))[0].chosen_test_index == 2
    assert run(replace(RULE, min_passing=2), *tables(hard))[0].chosen_test_index == 1
    assert run(replace(RULE, min_passing=3), *tables(hard))[0].chosen_test_index == 0
    assert run(replace(RULE, min_passing=4), *tables(hard)) == (None, ["no test passed by enough codes"])
    twice = tables([[P, P, F], [P, P, F], [P, F, F]], ["def f(): pass", "def f(): pass", "def f(): return 1"])
    assert run(replace(RULE, min_passing=2), *twice)[0].chosen_test_index == 0


def test_ties_to_the_shorter_text_then_to_a_seeded_lot():
    codes = ["def f(x): return 1", "def f(x): 1", "def f(x): 2", "def f(x): 33", "def f(x): 44", "def f(x): 5"]
    given = tables([[P], [P], [P], [F], [F], [F]], codes)
    chosen = {run(replace(RULE, seed=seed), *given)[0].chosen_code_index for seed in range(20)}
    rejected = {run(replace(RULE, seed=seed), *given)[0].rejected_code_index for seed in range(20)}
    assert (chosen, rejected) == ({1, 2}, {5})
    row, _ = run(RULE, *given)
    assert row.equals == (3, 1, 3, 1)


def test_ties_to_the_median_length():
    codes = ["a b c d e", "a b c", "a b c ", "a", "a b c d", "a b c d e f g"]
    given = tables([[P], [P], [P], [F], [F], [F]], codes)
    rule = replace(RULE, ties="median")
    rows = [run(replace(rule, seed=seed), *given)[0] for seed in range(20)]
    assert {row.chosen_code_index for row in rows} == {1, 2}
    assert {row.rejected_code_index for row in rows} == {4}  # nearest in length


def test_ranked_codes_come_before_tests():
    # code 0 passes most tests, alone; codes 1 and 2 agree with each other on every test
    verdicts = [[P, P, P, F], [P, F, F, F], [P, F, F, F], [F, F, F, F]]
    plain, ranked = tables(verdicts), tables(verdicts, ranking="output_consensus")
    assert run(RULE, *plain)[0].chosen_code_index == 0
    row, _ = run(replace(RULE, selection="ranked"), *ranked)
    assert row.chosen_code_index in (1, 2)
    assert row.chosen_test_index == 0
    assert max(row.code_scores) == row.code_scores[row.chosen_code_index] > row.code_passes[0]


def test_random_picks_are_seeded_and_reach_every_cell():
    given = tables([[P, P, F], [P, F, F]])
    rule = replace(RULE, selection="random")
    rows = [run(replace(rule, seed=seed), *given)[0] for seed in range(60)]
    assert {(row.chosen_code_index, row.chosen_test_index) for row in rows} == {(0, 0), (0, 1), (1, 0)}
    assert {(row.rejected_code_index, row.rejected_test_index) for row in rows} == {(0, 2), (1, 1), (1, 2)}
    assert run(rule, *given)[0] == run(rule, *given)[0]


def test_random_does_not_depend_on_this_machine():
    codes = (Candidate("a", "x", 0, None, 1), Candidate("b", "y", 1, None, 1))
    tests = (Test("c", "t", 0, None), Test("d", "u", 1, None))
    picks = selection.select_picks(
        AnswerPairRule("", "random", seed=5), tests, codes, np.array([[True, True], [True, False]]), [0, 0]
    )
    lots = {
        cell: hashlib.sha256(f"5:{'ab'[cell[0]]}:{'cd'[cell[1]]}".encode()).digest()[:6]
        for cell in [(0, 0), (0, 1), (1, 0)]
    }
    assert (picks.chosen_code, picks.chosen_test) == min(lots, key=lots.get)
