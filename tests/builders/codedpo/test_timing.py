import itertools
import math

import pytest

from builders.codedpo import timing
from builders.codedpo.timing import ProgramWorkload, Workload, compare_costs, spread
from codepref.sandbox import Limits, Sandbox
from codepref.stdin import StdinTest

pytestmark = pytest.mark.alone  # measures time

LINEAR = "def f(x):\n    return len(set(x)) != len(x)\n"
QUADRATIC = """def f(x):
    for i in range(len(x)):
        for j in range(i):
            if x[i] == x[j]:
                return True
    return False
"""
NUMBERS = list(range(150))


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox(Limits(cpu_s=5.0, screen_s=None), mode="official", lane="code") as sandbox:
        yield sandbox


def test_whole_programs_are_compared_by_their_processes(sandbox):
    quick = "n = int(input())\nprint(n * (n + 1) // 2)\n"
    slow = "n = int(input())\ntotal = 0\nfor i in range(n + 1):\n    total += i\nprint(total)\n"
    tests = tuple(StdinTest(f"{n}\n", (f"{n * (n + 1) // 2}\n",)).text for n in (10, 300_000))
    found = compare_costs(sandbox, ProgramWorkload(tests), [slow, "print(55)", quick])
    assert (found.fast, found.slow) == (2, 0)  # the second prints something else and takes no part
    assert found.speedup > max(3, found.noise)
    assert compare_costs(sandbox, ProgramWorkload(tests), [slow, "print(55)"]) is None


def test_linear_beats_quadratic(sandbox):
    found = compare_costs(sandbox, Workload("f", (f"f({NUMBERS})", "f([1, 1])")), [QUADRATIC, LINEAR])
    assert (found.fast, found.slow) == (1, 0)
    assert found.speedup > max(10, found.noise)
    assert found.rounds == timing.ROUNDS


def test_the_extremes_of_many_are_found(sandbox):
    codes = [f"def f(n):\n    for _ in range({k} * n):\n        pass\n" for k in (2, 9, 1, 4)]
    found = compare_costs(sandbox, Workload("f", ("f(500)",)), codes)
    assert (found.fast, found.slow) == (2, 1)
    assert 4 < found.speedup < 14


def measured_quietly(sandbox, work, codes):
    """A measurement with little noise: a busy machine gets five tries."""
    for _ in range(5):
        found = compare_costs(sandbox, work, codes)
        if found.noise < 1.15:
            return found
    pytest.skip("this machine is too busy to time programs that differ by half")


def test_half_as_much_work_again_is_seen(sandbox):
    codes = [f"def f(n):\n    t = 0\n    for i in range({k} * n):\n        t ^= i\n    return t\n" for k in (3, 2)]
    found = measured_quietly(sandbox, Workload("f", ("f(1000)",)), codes)
    assert found.fast == 1
    assert found.speedup > max(1.15, found.noise)
    assert found.rounds == 2 * timing.ROUNDS  # a close thing is measured for longer


def test_a_cache_of_an_earlier_run_does_not_help(sandbox):
    body = "    for _ in range(2000):\n        pass\n    return n\n"
    cached = f"import functools\n@functools.cache\ndef f(n):\n{body}"
    found = compare_costs(sandbox, Workload("f", ("f(1)",)), [cached, f"def f(n):\n{body}"])
    assert found.speedup < 1.3


def test_codes_that_do_not_end_well_take_no_part(sandbox):
    raises, leaves = "def f(n):\n    raise ValueError(n)\n", "import os\ndef f(n):\n    os._exit(0)\n"
    work = Workload("f", ("f([1])",))
    assert compare_costs(sandbox, work, [raises, LINEAR]) is None
    found = compare_costs(sandbox, work, [raises, QUADRATIC, leaves, LINEAR])
    assert {found.fast, found.slow} == {1, 3}


def test_a_code_may_name_things_as_it_likes(sandbox):
    code = "range = compile = exec = _b = _names = None\ndef f(x):\n    return x\n"
    assert compare_costs(sandbox, Workload("f", ("f(1)",)), [code, code + "# again\n"]) is not None


@pytest.mark.parametrize("half", [2, 3, 5])
def test_spread_is_the_99th_percentile_over_all_halvings(half):
    costs = [1.1**k for k in range(2 * half)]
    ratios = []
    for chosen in itertools.combinations(range(2 * half), half):
        rest = [k for k in range(2 * half) if k not in chosen]
        low = sorted((costs[chosen[0]], costs[rest[0]]))
        ratios.append(low[1] / low[0])
    above = max(ratio for ratio in ratios if sum(other >= ratio - 1e-12 for other in ratios) > 0.01 * len(ratios))
    assert math.isclose(spread(costs), above)


def test_equal_measurements_have_no_spread():
    assert spread([2.0] * 10) == 1.0
