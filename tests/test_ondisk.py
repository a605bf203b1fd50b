import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codepref import ondisk

KEYS = st.lists(st.integers(0, 12) | st.integers(2**64 - 4, 2**64 - 1), max_size=80)


def blocks(items, size):
    return (np.array(items[start : start + size], np.uint64) for start in range(0, len(items), size))


@given(KEYS, st.integers(1, 30), st.integers(1, 20))
@settings(max_examples=80, deadline=None)
def test_equal_keys_are_found_whatever_the_buckets(items, size, bucket):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ondisk, "BUCKET", bucket)
        first = ondisk.first_equal(blocks(items, size), len(items)).tolist()
        found = [
            row for part in ondisk.equal(blocks(items, size), len(items)) for row in zip(*map(list, part), strict=True)
        ]
    assert first == [items.index(key) if items.index(key) < n else -1 for n, key in enumerate(items)]
    expected = [
        (n, max(k for k in range(n) if items[k] == key), items.index(key))
        for n, key in enumerate(items)
        if key in items[:n]
    ]
    assert sorted(found) == expected


@given(st.lists(st.tuples(st.text(max_size=3), st.integers(0, 5)), max_size=40))
@settings(max_examples=60, deadline=None)
def test_rows_come_by_key_and_number(keys):
    rows = ondisk.Rows()
    for at, (key, number) in enumerate(keys):
        rows.add(key, number, (key, number, at))
    assert len(rows) == len(keys)
    assert [row[:2] for row in rows] == sorted(keys)
    assert sorted(rows) == sorted((*key, at) for at, key in enumerate(keys))
    for key, _ in keys:
        assert rows.first(key) == min(number for other, number in keys if other == key)
    assert rows.first("not there") is None


@given(st.lists(st.lists(st.text(st.characters(codec=None), max_size=5), max_size=5)))
@settings(max_examples=60, deadline=None)
def test_texts_by_number(parts):
    with ondisk.Texts() as texts:
        for part in parts:
            texts.add(part)
        whole = [text for part in parts for text in part]
        assert [texts[n] for n in reversed(range(len(whole)))] == whole[::-1]


def test_nothing_is_left_on_disk(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    with ondisk.Texts() as texts:
        texts.add(["a" * 100_000])
        ondisk.first_equal(blocks([1, 2, 1], 2), 3)
        assert list(tmp_path.iterdir()) == []
