import itertools
import math
from decimal import Decimal

import pytest

from codepref.sandbox.calls import OPAQUE, pack
from codepref.sandbox.value import decode
from codepref.sandbox.worker.writing import encode
from evaluation.grade.tolerance import PRELUDE, near

NUMBERS = [0, 1, True, -3, 1 << 60, 0.0, 1.0, 1.0 + 5e-7, 1.0 + 5e-6, -1e-7, 1e300, math.inf, -math.inf, math.nan]
VALUES = [
    *NUMBERS, None, "", "1", b"1", 1j, [], (), [1.0], (1.0,), [1.0 + 1e-7], [1.0, 2], [1, 2], [1.0, math.nan],
    [1.0, math.inf], [[1.0]], [[1.0 + 1e-7]], ["a"], ["b"], {1: 1.0}, {1: 1.0 + 1e-8}, {1}, {1.0}, {1.0 + 1e-9},
]  # fmt: skip


@pytest.mark.parametrize("atol", [0, 1e-6, 1e-4])
def test_the_answer_is_that_of_numpy_wherever_one_is_given(atol):
    names: dict = {}
    exec(PRELUDE, names)  # the rule as the referee has it
    given = 0
    for out, exp in itertools.product(VALUES, VALUES):
        try:
            right = names["close"](decode(pack(out)), decode(pack(exp)), atol)
        except Exception:  # the referee: a comparison that raises does not hold
            right = False
        found = near(pack(out), pack(exp), atol)
        given += found is not None
        assert found in (None, right), (out, exp)
    assert given > 0.9 * len(VALUES) ** 2


def test_what_only_the_referee_can_tell():
    large = pack(list(range(2000)))
    rebuilt = encode(Decimal(1))
    assert near(large, large, 0) is None
    assert near(rebuilt, pack(1), 0) is None
    assert near(b"not a value", pack(1), 0) is None


def test_an_object_of_the_programs_own_class_equals_nothing():
    assert near(OPAQUE, OPAQUE, 0) is False
    assert near(OPAQUE, pack(1), 1e-6) is False
