from dataclasses import replace

from builders.chain.matrix import Execution, Selection, run_matrices, select_candidates, stub_of
from codepref.records import Candidates, Costs, Outcomes, Sample, Samples, from_table, to_table
from codepref.sandbox import VERDICTS, Limits

CODES = (
    "def f(x):\n    return x\n",
    "def f(x",
    "",
    "def g(x):\n    return x\n",
    "def f(x):\n    return x\n",
    "def f(x): return -x\n",
)
TESTS = ("assert f(1) == 1", "assert f(1) == 1", "assert f(0) == 0\nassert f(2) == 2", "assert g(1)", "assert (")


def shard(codes=CODES, tests=TESTS):
    row = Samples(
        "p", "Write f.", "f", tuple(Sample(t, seed=n) for n, t in enumerate(codes)), tuple(map(Sample, tests))
    )
    return to_table([row], Samples)


def run(config, table):
    done = select_candidates(config, table)
    return next(from_table(done.table, Candidates), None), [(e.kind, e.rule, e.item) for e in done.excluded]


def test_what_is_taken_and_what_is_left_out():
    row, excluded = run(Selection(), shard())
    assert [code.sample for code in row.codes] == [0, 4, 5]
    assert [code.seed for code in row.codes] == [0, 4, 5]
    assert row.codes[0].code_id == row.codes[1].code_id != row.codes[2].code_id
    assert [test.test for test in row.tests] == ["assert f(1) == 1", "assert f(0) == 0", "assert f(2) == 2"]
    assert excluded == [
        ("code", "unparseable", 1),
        ("code", "empty", 2),
        ("code", "no entry point", 3),
        ("test", "duplicate", 1),
        ("test", "no call", 3),
        ("test", "unparseable", 4),
    ]


def test_the_first_usable_ones_are_taken():
    row, excluded = run(Selection(codes=2, tests=2), shard())
    assert [code.sample for code in row.codes] == [0, 4]
    assert len(row.tests) == 2
    assert ("test", "no call", 3) not in excluded


def test_a_stub_does_nothing():
    assert stub_of("f") == "def f(*args, **kwargs):\n    return None\n"
    assert stub_of("f", "{} = 1\n") == "f = 1\n"
    compile(stub_of(""), "stub", "exec")
    assert "print" not in stub_of("")


def test_distinct_codes():
    row, excluded = run(Selection(distinct_codes=True), shard())
    assert [code.sample for code in row.codes] == [0, 5]
    assert ("code", "duplicate", 4) in excluded


def test_repeated_tests_may_stay():
    row, _ = run(Selection(distinct_tests=False), shard())
    assert len(row.tests) == 4


def test_prompts_that_cannot_be_ranked():
    row, excluded = run(Selection(), shard(codes=CODES[:2]))
    assert row is None
    assert excluded[-1] == ("prompt", "fewer than 2 codes", None)
    row, excluded = run(Selection(), shard(tests=("assert 1",)))
    assert row is None
    assert excluded[-1] == ("prompt", "no tests", None)


def test_examples_are_run_beside_the_tests():
    prompt = 'def f(x):\n    """Leave x as it is.\n\n    >>> f(3)\n    3\n    """\n'
    samples = Samples(
        "p",
        prompt,
        "f",
        (Sample(CODES[0]), Sample(CODES[5])),
        tuple(map(Sample, TESTS)),
        examples=("assert f(4) == 4",),
    )
    table = to_table([samples], Samples)
    row, _ = run(Selection(), table)
    assert row.examples == ("assert f(4) == 4",)  # those of the line always count
    row, _ = run(Selection(prompt_examples=True), table)
    assert row.examples == ("assert f(4) == 4", "assert f(3) == 3")
    ran = {
        read: next(from_table(run_matrices(Execution(Limits(cpu_s=0.5)), chosen).table, Outcomes))
        for read in (True, False)
        for chosen in [to_table([row if read else replace(row, examples=())], Candidates)]
    }
    assert ran[True].example_verdicts == (("passed", "passed"), ("failed", "failed"))
    assert replace(ran[True], example_verdicts=((),) * 2) == ran[False]


def test_the_matrix_has_a_cell_for_every_code_and_test():
    table = select_candidates(Selection(), shard()).table
    done = run_matrices(Execution(Limits(cpu_s=0.5)), table)
    row = next(from_table(done.table, Outcomes))
    assert row.verdicts == (("passed",) * 3, ("passed",) * 3, ("failed", "passed", "failed"))
    assert {verdict for verdicts in row.verdicts for verdict in verdicts} <= set(VERDICTS)
    costs = next(from_table(done.measured, Costs))
    assert [len(cells) for cells in costs.cpu_s] == [3, 3, 3]
    assert costs.layers
    assert row.fingerprints[0] == row.fingerprints[1] != row.fingerprints[2]
    assert set(sum(row.modes, ())) == {"plain"}
