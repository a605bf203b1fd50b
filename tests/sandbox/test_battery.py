"""The conformance battery against the real engine: every lane, both profiles."""

import sys
from collections.abc import Callable, Iterator
from functools import partial
from itertools import product
from pathlib import Path

import pytest

from codepref.sandbox import Job, Limits, Sandbox

sys.path.insert(0, str(Path(__file__).parent))
import battery
import battery_forms
import battery_values

LIMITS = Limits(cpu_s=0.5, load_s=1.0, wall_s=1.5, memory_mb=512)
COMBINATIONS = list(product(["function", "library"], ["fast", "code", "strict"]))
CHECKS = (*battery.CHECKS, *battery_forms.CHECKS, *battery_values.CHECKS)


@pytest.fixture(scope="module", params=COMBINATIONS, ids="-".join)
def sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    profile, lane = request.param
    with Sandbox(LIMITS, profile=profile, lane=lane) as sandbox:
        yield sandbox


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__.removeprefix("check_"))
def test_check(check: Callable[[Sandbox], None], sandbox: Sandbox) -> None:
    check(sandbox)


@pytest.mark.parametrize("check", battery.FACTORY_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize(("profile", "lane"), [("function", "fast"), ("library", "strict")])
def test_factory_check(check: Callable[[battery.Factory], None], profile: str, lane: str) -> None:
    check(partial(Sandbox, profile=profile, lane=lane))


def test_lanes_and_profiles_agree() -> None:
    """Verdict, mode and fingerprint of a cell do not depend on how its process was shared."""
    codes = (
        battery.INCREMENT,
        battery.ECHO,
        battery.CRASH,
        "import math\nmath.pi = 3\ndef f(x):\n    return math.pi\n",
        "n = 0\ndef f(x):\n    global n\n    n += x\n    return n\n",
        "class A(int):\n    pass\ndef f(x):\n    return A(x)\n",
        "def f(x):\n    raise ValueError(x)\n",
        "def f(x):\n    yield x\n",
        "def f(x:\n",
    )
    tests = (
        "assert f(1) == 2",
        "assert f(1) == 1",
        "assert list(f(1)) == [1]",
        "f(1)\nassert f(1) == 2",
        "assert f(1) < 3.1",
        "assert abs(f(2) - 2) < 0.1",
        "assert nobody == 1",
    )
    job = Job("agree", codes, tests, "f")
    found = []
    for profile, lane in COMBINATIONS:
        with Sandbox(LIMITS, profile=profile, lane=lane) as sandbox:
            found.append([[(c.verdict, c.mode, c.fingerprint) for c in row] for row in sandbox.run(job).cells])
    assert all(cells == found[0] for cells in found)


def test_battery_is_complete() -> None:
    assert len(CHECKS) + len(battery.FACTORY_CHECKS) >= 40
    assert len({check.__name__ for check in CHECKS}) == len(CHECKS)
