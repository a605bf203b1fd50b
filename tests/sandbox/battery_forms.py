"""Conformance battery, forms of tests: runners of their own, tests beside the candidate, tests that say nothing."""

from battery import ECHO, INCREMENT, cells, one, verdicts

from codepref.sandbox import Job, Sandbox


def check_test_functions(sandbox: Sandbox) -> None:
    test = "def check(candidate):\n    for n in range({}):\n        assert candidate(n) == n + 1\ncheck(f)"
    good, bad = cells(sandbox, INCREMENT, test.format(5), test.format(5).replace("n + 1", "n"))
    assert (good.verdict, bad.verdict) == ("passed", "failed")
    assert good.mode == "plain"


def check_unittest(sandbox: Sandbox) -> None:
    test = (
        "import unittest\nclass T(unittest.TestCase):\n    def test_f(self):\n        self.assertEqual(f(1), {})\n"
        "suite = unittest.defaultTestLoader.loadTestsFromTestCase(T)\nassert suite.countTestCases() == 1\nT('test_f').debug()\n"
    )
    good, bad = cells(sandbox, INCREMENT, test.format(2), test.format(3))
    assert (good.verdict, bad.verdict) == ("passed", "failed")
    assert good.mode == "plain"


def check_official_for_own_classes(sandbox: Sandbox) -> None:
    code = "class P:\n    def __init__(self, x):\n        self.x = x\n    def __eq__(self, o):\n        return self.x == o.x\n"
    good, bad = cells(sandbox, code + "def f(x):\n    return P(x)\n", "assert f(1) == P(1)", "assert f(1) == P(2)")
    assert (good.verdict, bad.verdict) == ("passed", "failed")
    assert good.mode == "official"


def check_expected_exceptions(sandbox: Sandbox) -> None:
    test = "try:\n    f({})\nexcept TypeError:\n    pass\nelse:\n    assert False"
    assert verdicts(sandbox, INCREMENT, test.format("'x'"), test.format("1")) == ["passed", "failed"]


def check_official_for_what_touches_the_process(sandbox: Sandbox) -> None:
    """Also where the code replaces a builtin that the test uses."""
    code = "import random, builtins\nbuiltins.sorted = lambda x: 5\ndef f(x):\n    return [random.randint(0, x), 3]\n"
    test = "import random\nrandom.seed(1)\nwant = random.randint(0, 9)\nrandom.seed(1)\nassert sorted(f(9)) == sorted([want, {}])"
    good, bad = cells(sandbox, code, test.format(3), test.format(4))
    assert (good.verdict, bad.verdict, good.mode) == ("passed", "failed", "official")


def check_blind_tests_are_left_out(sandbox: Sandbox) -> None:
    tests = ("f(1)", "assert f(1) == 2", "def f(x):\n    return 3\nassert f(1) == 3", "")
    matrix = sandbox.run(Job("blind", (INCREMENT, ECHO), tests, "f"))
    assert matrix.blind == (0, 2, 3)
    assert [[cell.verdict for cell in row] for row in matrix.cells] == [
        ["unjudged", verdict, "unjudged", "unjudged"] for verdict in ("passed", "failed")
    ]


def check_tests_of_absent_packages_are_left_out(sandbox: Sandbox) -> None:
    cell = one(sandbox, INCREMENT, "import a_package_that_nobody_has\nassert f(1) == 2")
    assert cell.verdict == "unjudged"
    assert "a_package_that_nobody_has" in cell.error


CHECKS = tuple(value for name, value in list(globals().items()) if name.startswith("check_"))
