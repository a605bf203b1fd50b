from dataclasses import replace

import pytest

from codepref.sandbox.base import Limits
from codepref.sandbox.calls import OPAQUE, Caller, Calls, Comparison, callers, is_digest, pack

LIMITS = Limits(memory_mb=512, output_bytes=4 << 20)


def calls(*groups, name="f"):
    return Calls(name, tuple(map(pack, groups)), tuple(map(len, groups)), 0.5, 2.0)


@pytest.fixture(scope="module")
def caller():
    with Caller(LIMITS) as it:
        yield it


def test_values_come_back_in_order_group_by_group(caller):
    first, second = caller.call("def f(a, b):\n    return a + b\n", calls([[1, 2]], [["x", "y"], [1, 0.5]]))
    assert first.values == (pack(3),)
    assert second.values == (pack("xy"), pack(1.5))
    assert first.ended is second.ended is None
    assert len(second.cpu_s) == 2


def test_groups_do_not_see_each_other_and_calls_of_a_group_do(caller):
    code = "seen = []\ndef f(a):\n    seen.append(a)\n    return len(seen)\n"
    first, second = caller.call(code, calls([[1], [2]], [[3]]))
    assert first.values == (pack(1), pack(2))
    assert second.values == (pack(1),)


@pytest.mark.parametrize(
    ("code", "verdict"),
    [
        ("def f(a):\n    raise ValueError('no')\n", "failed"),
        ("def f(a):\n    import sys; sys.exit(0)\n", "failed"),
        ("def f(a):\n    import os; os._exit(0)\n", "crashed"),
        ("import os\nos._exit(0)\ndef f(a):\n    return 1\n", "crashed"),
        ("def f(a):\n    while True: pass\n", "timeout"),
        ("def f(a):\n    return [0] * 10**10\n", "memory"),
        ("def f(a):\n    return 'x' * (5 << 20)\n", "output"),
        ("def f(a) return 1", "failed"),
        ("def g(a):\n    return 1\n", "failed"),
        ("def f(a):\n    return open('/etc/passwd').read()\n", "failed"),
    ],
)
def test_trouble_has_a_verdict(caller, code, verdict):
    (group,) = caller.call(code, calls([[1], [2]]))
    assert (group.ended, group.values) == (verdict, ())


def test_what_was_finished_before_the_trouble_is_kept(caller):
    (group,) = caller.call("def f(a):\n    return 1 // a\n", calls([[1], [0], [1]]))
    assert group.values == (pack(1),)
    assert group.error.startswith("ZeroDivisionError")


def test_all_calls_together_have_a_limit(caller):
    code = "import time\ndef f(a):\n    end = time.process_time() + 0.3\n    while time.process_time() < end: pass\n"
    (group,) = caller.call(code, calls([[1]] * 40))
    assert group.ended == "timeout"
    assert 0 < len(group.values) < 40


def test_an_object_of_the_programs_own_class_is_no_value(caller):
    code = "class E:\n    def __eq__(self, other): return True\ndef f(a):\n    return E()\n"
    (group,) = caller.call(code, calls([[1]]))
    assert group.values == (OPAQUE,)


def test_large_values_come_as_digests_unless_whole(caller):
    code = "def f(n):\n    return list(range(n))\n"
    (short,) = caller.call(code, calls([[40_000]]))
    (whole,) = caller.call(code, calls([[40_000]]), whole=True)
    assert is_digest(short.values[0])
    assert whole.values[0] == pack(list(range(40_000)))
    (other,) = caller.call("def f(n):\n    return list(range(n - 1)) + [0]\n", calls([[40_000]]))
    assert is_digest(other.values[0])
    assert other.values != short.values


def test_comparisons_hold_only_if_they_are_true(caller):
    prelude = "import numpy as np"
    found = caller.compare(
        [
            Comparison(prelude, "_v(0) == _v(1)", (pack(1), pack(1.0))),
            Comparison(prelude, "_v(0) == _v(1)", (pack([1]), pack((1,)))),
            Comparison(prelude, "bool(np.allclose(_v(0), _v(1)))", (pack([1.0]), pack([1.0 + 1e-12]))),
            Comparison(prelude, "1 // 0", (pack(1),)),
            Comparison(prelude, "_v(0) in _v(2)[0]", (pack(1), pack(1), pack([[1, 2]]))),
        ]
    )
    assert found == [True, False, True, False, True]


def test_a_look_gives_every_group_a_fresh_module(caller):
    code = "seen = []\ndef f(a):\n    seen.append(a)\n    return len(seen)\n"
    found = caller.look(code, calls([[1], [2]], [[3]]))
    assert [group.values for group in found] == [(pack(1), pack(2)), (pack(1),)]
    assert [group.ended for group in found] == [None, None]


@pytest.mark.parametrize(
    ("line", "ends"),
    [
        ("raise ValueError('no')", ["failed", "failed"]),
        ("while True: pass", ["unjudged", "unjudged"]),
        ("import os; os._exit(0)", ["unjudged", "unjudged"]),
        ("return [0] * 10**10", ["unjudged", "unjudged"]),
        ("return 'x' * (5 << 20)", ["unjudged", "unjudged"]),
        ("import time; time.sleep(60)", ["unjudged", "unjudged"]),
        ("return 1 if a < 2 else 1 // 0", [None, "failed"]),
    ],
)
def test_a_look_says_only_what_it_knows(caller, line, ends):
    quick = replace(calls([[1]], [[1], [2]]), cpu_s=0.05, group_s=0.2)
    assert [group.ended for group in caller.look(f"def f(a):\n    {line}\n", quick)] == ends


def test_a_look_stops_a_group_that_takes_long_and_goes_on_with_the_next(caller):
    code = "import time\ndef f(s):\n    end = time.process_time() + s\n    while time.process_time() < end: pass\n"
    quick = replace(calls([[0.1]] * 9, [[0.001]] * 3), group_s=0.15)
    slow, fast = caller.look(code, quick)
    assert (slow.ended, len(slow.values) < 9) == ("unjudged", True)
    assert (fast.ended, len(fast.values)) == (None, 3)


def test_a_look_allows_no_child_processes(caller):
    code = "import os\ndef f(a):\n    return os.fork()\n"
    (group,) = caller.look(code, calls([[1]]))
    assert group.error.startswith("PermissionError")


def test_callers_keep_the_order_with_several_workers():
    def body(caller, number):
        return caller.call("def f(a):\n    return a\n", calls([[number]]))[0].values[0]

    assert list(callers(range(20), body, LIMITS, workers=2)) == [pack(n) for n in range(20)]
    with pytest.raises(ValueError, match="workers must be at least 1"):
        next(callers([1], body, LIMITS, workers=0))
