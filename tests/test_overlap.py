import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codepref import ondisk, overlap

ONE = 'import os\nfrom typing import List\n\ndef pick_best(xs: List[int]):\n    """Pick the best  one\n    of all."""\n'
OTHER = "def choose(xs: List[int]):\n  # PICK the best\n  # one of all"


def test_words_do_not_see_layout_imports_or_the_name_of_the_function():
    assert overlap.words(ONE, "pick_best") == overlap.words(OTHER, "choose")
    assert overlap.words(ONE, "pick_best")[:3] == ["def", "f", "xs"]
    assert overlap.words("pick_best2 pick_best", "pick_best") == ["pick", "best2", "f"]


def test_grams_are_those_of_the_runs():
    items = ["a", "b", "c", "d", "a", "b", "c"]
    found = overlap.grams(items, 3)
    assert len(found) == 5
    assert found[0] == found[4]
    assert len(set(found.tolist())) == 4
    assert overlap.grams(["b", "c", "d"], 3)[0] == found[1]
    assert overlap.grams(["c", "b", "d"], 3)[0] != found[1]
    assert len(overlap.grams(items, 8)) == 0


def test_runs_of_numbers_do_not_count():
    items = ["1", "2", "3", "4", "x", "y"]
    assert len(overlap.grams(items, 4, letters=2)) == 1
    np.testing.assert_array_equal(overlap.grams(items, 4, letters=2), overlap.grams(items, 4)[2:])


WORDS = st.lists(st.sampled_from("abcdefghijklmnop"), min_size=5, max_size=40)


@given(WORDS, WORDS)
@settings(max_examples=60)
def test_signatures_estimate_the_overlap_of_shingles(one, other):
    sets = [{tuple(items[i : i + 3]) for i in range(len(items) - 2)} for items in (one, other)]
    truth = len(sets[0] & sets[1]) / len(sets[0] | sets[1])
    estimate = (overlap.signature(one) == overlap.signature(other)).mean()
    assert abs(estimate - truth) < 0.25  # more than 5 standard errors


def texts(count, rng):
    return [[f"w{n}" for n in rng.integers(0, 3000, 60)] for _ in range(count)]


def test_near_duplicates_point_to_an_earlier_text():
    rng = np.random.default_rng(3)
    items = texts(200, rng)
    copies = {40: 7, 90: 40, 150: 12, 199: 0}
    for later, before in copies.items():
        items[later] = [*items[before][:30], "changed", *items[before][31:]]
    found = near_duplicates(np.stack([overlap.signature(text) for text in items]), 0.7)
    assert set(np.flatnonzero(found >= 0)) == set(copies)
    assert found[150] == 12
    assert found[90] in (7, 40)  # both say nearly the same


def test_the_first_of_a_group_stays():
    signatures = np.stack([overlap.signature(["the", "same", "words", "again", "and", "again"])] * 5)
    assert near_duplicates(signatures, 1.0).tolist()[0] == -1
    assert (near_duplicates(signatures, 1.0)[1:] >= 0).all()
    assert near_duplicates(signatures[:0], 0.7).tolist() == []


def near_duplicates(signatures, threshold, block=64):
    blocks = (signatures[start : start + block] for start in range(0, len(signatures), block))
    return overlap.near_duplicates(blocks, len(signatures), threshold)


def defined(signatures, threshold):
    """The definition, text by text: the first band that has an earlier text that is alike; of that band the one just
    before, else the first."""
    bands = [[band.tobytes() for band in np.split(row, overlap.BANDS)] for row in signatures]
    found = []
    for n, mine in enumerate(bands):
        here = [[k for k in range(n) if bands[k][b] == mine[b]] for b in range(overlap.BANDS)]
        near = [place for equal in here if equal for place in (equal[-1], equal[0])]
        alike = (place for place in near if (signatures[n] == signatures[place]).mean() >= threshold)
        found.append(next(alike, -1))
    return found


@given(st.integers(0, 10_000), st.sampled_from([0.3, 0.5, 0.7, 1.0]), st.sampled_from([1, 7, 64]), st.integers(1, 40))
@settings(max_examples=25, deadline=None)
def test_near_duplicates_are_those_of_the_definition(seed, threshold, block, bucket):
    rng = np.random.default_rng(seed)
    families = rng.integers(0, 2**32, (4, overlap.SIGNATURE), np.uint32)
    signatures = families[rng.integers(0, 4, 40)]
    changed = rng.random(signatures.shape) < rng.choice([0, 0.1, 0.3, 0.5], (40, 1))
    signatures = np.where(changed, rng.integers(0, 2**32, signatures.shape, np.uint32), signatures)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ondisk, "BUCKET", bucket)
        patch.setattr(overlap, "_COMPARED", 5)
        assert near_duplicates(signatures, threshold, block).tolist() == defined(signatures, threshold)


def test_a_text_of_one_word_has_a_signature():
    assert (overlap.signature(["one"]) == overlap.signature(["one"])).all()
    assert (overlap.signature(["one"]) != overlap.signature(["two"])).any()
    assert overlap.signature([]).shape == (overlap.SIGNATURE,)
