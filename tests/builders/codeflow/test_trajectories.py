import pytest

from builders.codeflow.trajectories import (
    History,
    Running,
    Trajectory,
    Version,
    begun,
    cumulative,
    failing,
    joined,
    keep_informative,
    trajectories,
    verify_versions,
)
from codepref.records import Sample, Samples, from_table, to_table
from codepref.sandbox import Limits

QUICK = Running(Limits(cpu_s=0.3))
TESTS = ("assert f(0) == 1", "assert f(1) == 2")
RIGHT, WRONG, HALF = (f"def f(x):\n    return {body}\n" for body in ("x + 1", "x", "1"))


def version(code=RIGHT, verdicts=(), number=0, problem=""):
    return Version(code, number, problem, verdicts, "", None, None, None)


def row(*versions, tests=TESTS, prompt_id="p"):
    return History(prompt_id, f"{prompt_id}!", "Write f.", "f", tests, versions)


def run(function, config, *rows):
    shard = function(config, to_table(rows, History))
    return list(from_table(shard.table, History)), shard.excluded


@pytest.mark.parametrize(
    ("verdicts", "state"),
    [
        ((), "new"),
        (("passed", "passed"), "passed"),
        (("passed", "failed"), "failed"),
        (("passed", "timeout"), "failed"),
        (("passed", "unjudged"), "unjudged"),
        (("failed", "unjudged"), "failed"),
    ],
)
def test_trouble_of_ours_is_no_failure(verdicts, state):
    assert version(verdicts=verdicts).state == state
    assert version(problem="empty").state == "failed"


def test_versions_are_run_up_to_the_first_that_passes():
    (found,), excluded = run(verify_versions, QUICK, row(*map(version, (WRONG, HALF, RIGHT, WRONG))))
    assert [item.verdicts for item in found.versions] == [
        ("failed", "failed"),
        ("passed", "failed"),
        ("passed", "passed"),
    ]
    assert found.state == "passed"
    assert found.versions[0].error.endswith("f(0) gives 0")
    assert found.versions[1].error.endswith("f(1) gives 1")
    assert found.versions[2].error == ""
    assert not excluded


def test_what_was_run_is_not_run_again_and_what_is_no_program_never():
    old = version(WRONG, ("passed", "failed"))  # not what running it would give
    (found,), _ = run(verify_versions, QUICK, row(old, version("text", problem="empty"), version(HALF, number=2)))
    assert [item.verdicts for item in found.versions] == [("passed", "failed"), (), ("passed", "failed")]
    assert failing(found) == [found.versions[0], found.versions[2]]


def test_recorded_answers_become_versions():
    answers = ("```python\n" + WRONG + "print(f(3))\n```", "no program at all", "    return x + 1\n", RIGHT)
    samples = Samples("p", "def f(x):\n", "f", tuple(map(Sample, answers)), tuple(map(Sample, TESTS)), "m", "s", "MIT")
    shard = begun(None, to_table([samples], Samples))
    (found,) = from_table(shard.table, History)
    assert [item.problem for item in found.versions] == ["", "unparseable", "no entry point", ""]  # no completions
    assert found.versions[0].code == WRONG
    assert found.versions[1].code == answers[1]
    assert [item.round for item in found.versions] == [0, 1, 2, 3]
    assert "holds no program that defines f" in found.versions[1].error
    assert (found.tests, found.generator, found.source, found.licence) == (TESTS, "m", "s", "MIT")
    shard = begun(None, to_table([Samples("p", "", "f", tuple(map(Sample, answers)), (Sample("none"),))], Samples))
    assert shard.table.num_rows == 0
    assert [(item.stage, item.rule) for item in shard.excluded] == [
        ("versions", "no assert"),
        ("versions", "no tests"),
    ]


def test_tests_that_nothing_passes_are_left_out():
    vacuous = "assert not f(3)"
    (found,), excluded = run(
        keep_informative,
        QUICK,
        row(version(), tests=(vacuous, *TESTS)),
        row(version(), tests=(vacuous,), prompt_id="q"),
    )
    assert found.tests == TESTS
    assert [(item.prompt_id, item.kind, item.rule) for item in excluded] == [
        ("p", "test", "vacuous"),
        ("q", "test", "vacuous"),
        ("q", "prompt", "no tests"),
    ]


def test_the_last_state_of_each_trajectory():
    first = to_table([row(version(WRONG), prompt_id="a"), row(version(), prompt_id="b")], History)
    second = to_table([row(version(WRONG), version(number=1), prompt_id="a")], History)
    found = list(from_table(joined(None, first, second).table, History))
    assert [(item.prompt_id, len(item.versions)) for item in found] == [("a", 2), ("b", 1)]
    rows = list(from_table(trajectories(None, to_table(found, History)).table, Trajectory))
    assert [item.solved for item in rows] == [False, False]  # nothing was run


def test_yields_are_cumulative():
    P, F = ("passed",), ("failed",)
    rows = [
        row(version(verdicts=P)),
        row(version(verdicts=F), version(verdicts=F, number=1), version(verdicts=P, number=2)),
        row(version(verdicts=F), version(verdicts=P, number=1)),
        row(version(verdicts=F), version(verdicts=F, number=1)),
    ]
    assert cumulative(rows) == (4, [1, 2, 3])
    assert cumulative([]) == (0, [])
