from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from builders.chain.evidence import NOTHING, read_examples, read_stacks
from codepref.records import Outcomes, to_table
from codepref.sandbox import execute
from codepref.sandbox.base import Job
from codepref.sandbox.value import fingerprint

P, F, U = "passed", "failed", "unjudged"
ONE, TWO, ERROR = fingerprint("0x1"), fingerprint("0x2"), fingerprint("ValueError")


def outcome(name, verdicts, prints):
    modes = tuple(tuple("plain" for _ in line) for line in verdicts)
    return Outcomes(name, tuple(map(tuple, verdicts)), modes, tuple(map(tuple, prints)))


TABLE = to_table(
    [
        outcome("a", [[P, F], [F, P]], [[ONE, TWO], [TWO, ""]]),
        outcome("b", [[P], [F], [F]], [[ONE], [ERROR], [ONE]]),
        outcome("c", [[P, P], [U, F]], [[ONE, ONE], ["", TWO]]),
        outcome("d", [[F, F], [P, P]], [[ERROR, ONE], [TWO, TWO]]),
    ],
    Outcomes,
)


@pytest.mark.parametrize("chunked", [False, True])
def test_prompts_are_grouped_by_shape(chunked):
    table = TABLE
    if chunked:
        table = pa.concat_tables([TABLE.slice(k, 1) for k in range(4)])
    groups = {tuple(group.rows.tolist()): group for group in read_stacks(table)}
    assert set(groups) == {(0, 3), (2,), (1,)}
    both = groups[0, 3]
    assert both.kept.tolist() == [True, True]
    assert both.evidence.passed.tolist() == [[[True, False], [False, True]], [[False, False], [True, True]]]
    first, last = both.evidence.outputs
    assert first[0, 1] == first[1, 0] != first[0, 0] >= 0
    assert first[1, 1] == NOTHING
    assert last[0, 0] == NOTHING != last[0, 1]
    assert last[1, 0] == last[1, 1]


def test_codes_with_unjudged_cells_are_left_out():
    (group,) = [group for group in read_stacks(TABLE) if group.rows.tolist() == [2]]
    assert group.kept.tolist() == [True, False]
    assert group.evidence.passed.tolist() == [[[True, True]]]


def test_a_slice_and_an_empty_table():
    (group,) = read_stacks(TABLE.slice(1, 1))
    assert group.rows.tolist() == [0]
    assert group.evidence.passed.tolist() == [[[True], [False], [False]]]
    assert list(read_stacks(TABLE.slice(0, 0))) == []
    assert list(read_stacks(to_table([], Outcomes))) == []


def stack(*lines):
    """What examples say of one prompt's codes, a text a code: + passed, - failed, ? not judged."""
    signs = np.array([list(line) for line in lines])[None]
    found = read_examples(signs == "+", signs != "?")
    return found.failed[0].tolist(), found.behind[0].tolist()


def test_a_code_that_fails_an_example_comes_after_the_others():
    assert stack("++", "+-", "--", "++") == ([False, True, True, False], [False, True, True, False])


def test_an_example_that_every_code_fails_decides_nothing():
    assert stack("-+", "--", "-+") == ([True] * 3, [False, True, False])
    assert stack("-", "-") == ([True] * 2, [False] * 2)


def test_examples_that_contradict_each_other_decide_nothing():
    assert stack("+-", "-+", "--") == ([True] * 3, [False] * 3)


def test_an_example_that_was_not_judged_everywhere_says_nothing():
    assert stack("?+", "-+", "++") == ([False] * 3, [False] * 3)


def test_examples_of_some_prompts():
    told = replace(outcome("e", [[P, P], [P, U], [F, P]], [[ONE] * 2] * 3), example_verdicts=((F,), (P,), (P,)))
    plain = [replace(outcome(name, [[P, P]] * 3, [[ONE] * 2] * 3), example_verdicts=((),) * 3) for name in "xy"]
    groups = {
        tuple(group.rows.tolist()): group for group in read_stacks(to_table([plain[0], told, plain[1]], Outcomes))
    }
    assert groups[0, 2].evidence.examples is None
    examples = groups[1,].evidence.examples  # of the codes that are left: the second has an unjudged cell
    assert (examples.failed.tolist(), examples.behind.tolist()) == ([[True, False]], [[True, False]])
    together = to_table([replace(told, verdicts=((P, P),) * 3), *plain], Outcomes)
    (group,) = read_stacks(together)
    assert group.evidence.examples.behind.tolist() == [[True, False, False], [False] * 3, [False] * 3]
    assert group.evidence.of([1, 0]).examples.failed.tolist() == [[False] * 3, [True, False, False]]
    (group,) = read_stacks(together.drop_columns(["example_verdicts"]))  # of a run before there were examples
    assert group.evidence.examples is None


def test_what_the_sandbox_gives():
    codes = ("def f(x): return x", "def f(x): return float(x)", "def f(x): raise ValueError(x)", "def f(x: return")
    (matrix,) = execute([Job("p", codes, ("assert f(1) == 2", "assert f(2) == 2"), "f")])
    verdicts = [[cell.verdict for cell in line] for line in matrix.cells]
    prints = [[cell.fingerprint for cell in line] for line in matrix.cells]
    table = to_table([outcome("p", verdicts, prints)], Outcomes)
    (group,) = read_stacks(table)
    assert group.evidence.passed[0].tolist() == [[False, True], [False, True], [False, False], [False, False]]
    outputs = group.evidence.outputs[0]
    assert (outputs[0] == outputs[1]).all()
    assert (outputs[:2] >= 0).all()
    assert np.all(outputs[2:] == NOTHING)
