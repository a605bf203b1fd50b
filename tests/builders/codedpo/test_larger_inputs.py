import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders.codedpo.larger_inputs import FACTORS, RULES, Call, call_of, grown, grown_call, scaled
from codepref.sandbox import Limits, Sandbox


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox(Limits(cpu_s=0.25, screen_s=None)) as sandbox:
        yield sandbox


@pytest.mark.parametrize(
    ("test", "call"),
    [
        ("assert f([1, 2], k=-3) == 'a'", "f([1, 2], k=-3)"),
        ("assert f({'a': (1,)}) is True", "f({'a': (1,)})"),
        ("assert f(x) == 1", None),
        ("assert f(*[1]) == 1", None),
        ("assert f(**{'a': 1}) == 1", None),
        ("assert f(1) == None", None),
        ("assert f(1) is None", None),
        ("assert f(1)", None),
        ("assert not f(1)", None),
        ("assert f(1) == g(1)", None),
        ("assert g(1) == 1", None),
        ("assert len(f(1)) == 1", None),
        ("assert 0 < f(1) < 2", None),
        ("x = 1\nassert f(1) == 1", None),
        ("assert f(", None),
    ],
)
def test_only_a_call_on_literals_compared_with_a_literal_counts(test, call):
    found = call_of(test, "f")
    assert (None if found is None else str(found)) == call


def test_lists_of_integers_keep_their_order_and_repeat_nothing():
    assert grown([3, 1, 5], 3, "extended") == [3, 1, 5, 8, 6, 10, 13, 11, 15]
    assert grown([1, 1], 2, "extended") == [1, 1, 2, 2]
    assert grown((2, 4), 2, "extended") == (2, 4, 5, 7)
    assert grown([1, 2], 2, "repeated") == [1, 2, 1, 2]


def test_other_values_are_repeated_multiplied_or_left_alone():
    assert grown(["a", "b"], 2, "extended") == ["a", "b", "a", "b"]
    assert grown("ab", 3, "extended") == "ababab"
    assert (grown(7, 8, "repeated"), grown(0.5, 8, "repeated")) == (56, 4.0)
    for value in (True, None, {"a": 1}, {1, 2}, 1j, []):
        assert grown(value, 8, "extended") == value


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.tuples(inner) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=8,
)


@given(values, st.sampled_from(FACTORS), st.sampled_from(RULES))
def test_types_are_kept(value, factor, rule):
    larger = grown(value, factor, rule)
    assert type(larger) is type(value)
    if isinstance(value, list | tuple | str):
        assert len(larger) == factor * len(value)


def test_what_does_not_grow_or_grows_too_long_is_left_out():
    assert grown_call(Call("f", ({"a": 1}, True), ()), 8, "extended") is None
    assert grown_call(Call("f", ("a" * 10_000,), ()), 512, "extended") is None
    assert str(grown_call(Call("f", ([1],), (("k", 2),)), 2, "extended")) == "f([1, 2], k=4)"


CALLS = [Call("f", ([1, 2, n],), ()) for n in (5, 6, 7)]


def test_inputs_grow_as_far_as_they_take_long_enough(sandbox):
    codes = ["def f(x):\n    return sum(x)\n", "def f(x):\n    return sum(max(x[i:i + 1]) for i in range(len(x)))\n"]
    found = scaled(sandbox, codes, CALLS, 3)
    assert (found.rule, found.factor, len(found.work.calls)) == ("extended", 512, 3)


def test_codes_that_disagree_on_larger_inputs_stop_the_growth(sandbox):
    codes = ["def f(x):\n    return len(x)\n", "def f(x):\n    return min(len(x), 100)\n"]
    assert scaled(sandbox, codes, CALLS, 3).factor == 8


def test_a_code_that_raises_on_larger_inputs_stops_the_growth(sandbox):
    recursive = "def f(x):\n    return 1 + f(x[1:]) if x else 0\n"
    assert scaled(sandbox, ["def f(x):\n    return len(x)\n", recursive], CALLS, 3).factor == 64


def test_where_shifted_items_are_refused_repeated_ones_may_do(sandbox):
    table = "def f(x):\n    return sum([0, 1, 2, 3, 4, 5, 6, 7][v] for v in x)\n"
    assert scaled(sandbox, [table, table + "# same\n"], CALLS, 3).rule == "repeated"


def test_none_if_too_few_calls_can_grow(sandbox):
    codes = ["def f(x):\n    return 1\n", "def f(x):\n    return 1 if len(x) < 4 else 2\n"]
    assert scaled(sandbox, codes, CALLS, 3) is None
    assert scaled(sandbox, codes, [Call("f", ({},), ())] * 3, 1) is None
