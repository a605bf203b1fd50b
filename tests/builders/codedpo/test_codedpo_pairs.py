"""Which codes make pairs: best over worst, then the same among those that are left."""

import math

from hypothesis import given
from hypothesis import strategies as st

from builders.codedpo.pairs import extremes
from codepref.records import Candidate, Candidates, Scores


def row(texts):
    codes = tuple(Candidate(f"id{n}", text, n, None, len(text)) for n, text in enumerate(texts))
    return Candidates("p", "Write f.", "f", codes, ())


def test_best_over_worst_until_none_differ():
    found = extremes(0, row("abcdef"), Scores("p", (5.0, 1.0, 3.0, 2.0, 2.0, math.nan), ()), 9)
    assert found == [(0, 1), (2, 3)] or found == [(0, 1), (2, 4)]


def test_the_first_pair_does_not_depend_on_how_many_there_are():
    scores = Scores("p", (3.0, 3.0, 1.0, 0.0, 0.0, 2.0), ())
    assert extremes(7, row("abcdef"), scores) == extremes(7, row("abcdef"), scores, 3)[:1]


def test_equal_texts_are_in_one_pair_only():
    assert extremes(0, row(["a", "a", "b", "b"]), Scores("p", (2.0, 2.0, 1.0, 1.0), ()), 4) in (
        [(0, 2)],
        [(0, 3)],
        [(1, 2)],
        [(1, 3)],
    )


@given(st.lists(st.integers(0, 4), min_size=1, max_size=12), st.integers(1, 6), st.integers(0, 3))
def test_every_pair_goes_down_and_no_code_stands_in_two(values, most, seed):
    scores = tuple(map(float, values))
    found = extremes(seed, row([chr(97 + n) for n in range(len(values))]), Scores("p", scores, ()), most)
    assert len(found) <= most
    assert all(scores[chosen] > scores[rejected] for chosen, rejected in found)
    used = [place for pair in found for place in pair]
    assert len(set(used)) == len(used)
    gaps = [scores[chosen] - scores[rejected] for chosen, rejected in found]
    assert gaps == sorted(gaps, reverse=True)
    if len(found) < most:
        left = {scores[n] for n in range(len(values)) if n not in used}
        assert len(left) <= 1
