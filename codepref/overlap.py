"""Text that says the same: near-duplicates, and runs of words that two texts share.

Texts are compared as words: lower-case runs of letters and digits, so that layout, punctuation and comment signs do not
matter; the entry point is replaced by a fixed word, so that a renamed function is still the same task; import lines are
left out, because they say nothing about a task. Runs of n words are kept as 64-bit hashes, never as text.
"""

import os
import re
import tempfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from typing import IO

import numpy as np
from numpy.typing import NDArray

from codepref import ondisk

Hashes = NDArray[np.uint64]

_IMPORTS = re.compile(r"^[ \t]*(?:from[ \t]+\S+[ \t]+import|import)[ \t].*$", re.MULTILINE)
_WORD = re.compile(r"[a-z0-9]+")
_MASK = " f "
_FACTOR = np.uint64(0x9E3779B97F4A7C15)

SIGNATURE = 128
"""Minima a signature holds; the similarity read from two of them has a standard error of at most 0.045."""
BANDS = 32
"""Groups of 4 minima. Texts of similarity 0.7 agree in at least one group with probability 0.9998, of 0.3 with 0.23."""
SHINGLE = 3
"""Words a shingle: the median task has 14 (MBPP) to 239 words (BigCodeBench), the shortest 7."""
_COMPARED = 4096
"""Pairs of texts that are compared at once."""
_random = np.random.Generator(np.random.PCG64(20241105))
_MULTIPLIERS = _random.integers(0, 2**64, SIGNATURE, dtype=np.uint64) | np.uint64(1)
_OFFSETS = _random.integers(0, 2**64, SIGNATURE, dtype=np.uint64)


def words(text: str, entry_point: str = "") -> list[str]:
    """The words of a text (module docstring), in order."""
    text = _IMPORTS.sub(" ", text)
    if entry_point:
        text = re.sub(rf"\b{re.escape(entry_point)}\b", _MASK, text)
    return _WORD.findall(text.lower())


def content(items: Sequence[str]) -> Hashes:
    """Distinct hashes of the words that carry meaning: letters only, three or more."""
    return np.unique(_hashes([word for word in items if len(word) > 2 and word.isalpha()]))


def grams(items: Sequence[str], n: int, letters: int = 0) -> Hashes:
    """Hashes of all runs of n words, in order.

    Args:
        items: Words.
        n: Length of a run; fewer words than that give none.
        letters: Leave out runs in which fewer words than this begin with a letter: any two texts with a list of numbers
            share some.
    """
    count = len(items) - n + 1
    if count < 1:
        return np.empty(0, np.uint64)
    single = _hashes(items)
    runs = np.zeros(count, np.uint64)
    for place in range(n):
        runs = _mixed(runs * _FACTOR + single[place : place + count])
    if not letters:
        return runs
    lettered = np.cumsum([0, *(word[0].isalpha() for word in items)])
    enough: NDArray[np.bool_] = lettered[n:] - lettered[:-n] >= letters
    return runs[enough]


def _hashes(items: Sequence[str]) -> Hashes:
    return np.fromiter((zlib.crc32(word.encode()) for word in items), np.uint64, len(items))


def _mixed(values: Hashes) -> Hashes:
    """Every bit of the input changes half of the output's bits (the finaliser of splitmix64)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def signature(items: Sequence[str]) -> NDArray[np.uint32]:
    """MinHash of a text's shingles (Broder 1997): two signatures agree in about as many places as the sets overlap."""
    shingles = np.unique(grams(items, min(SHINGLE, max(len(items), 1))))
    if not len(shingles):
        return np.zeros(SIGNATURE, np.uint32)
    values = shingles[:, None] * _MULTIPLIERS + _OFFSETS
    minima: Hashes = values.min(axis=0)
    return (minima >> np.uint64(32)).astype(np.uint32)


def near_duplicates(signatures: Iterable[NDArray[np.uint32]], total: int, threshold: float) -> ondisk.Places:
    """For every text the position of an earlier one that says nearly the same, or -1.

    Locality-sensitive hashing: only texts that share a band are compared, each with the text of that band just before
    it and with the first one; of all that are alike, the one of the first band counts. The first of a group of
    duplicates is never marked, so something of it always stays. Signatures and bands lie on disk (0.8 KB a text).

    Args:
        signatures: texts x SIGNATURE, in blocks.
        total: Number of texts.
        threshold: Least share of equal minima, the estimate of the Jaccard similarity of the shingle sets.
    """
    earlier = np.full(total, -1, np.int32)
    with ExitStack() as open_:
        texts, *bands = [open_.enter_context(tempfile.TemporaryFile()) for _ in range(1 + BANDS)]
        for block in signatures:
            texts.write(block.tobytes())
            for file, keys in zip(bands, _band_keys(block).T, strict=True):
                file.write(keys.tobytes())
        texts.flush()
        for file in bands:
            for later, previous, first in ondisk.equal(_blocks(file), total):
                for before in (previous, first):
                    _mark(earlier, later, before, texts.fileno(), threshold)
    return earlier


def _band_keys(signatures: NDArray[np.uint32]) -> Hashes:
    """One hash a band, shape (texts, BANDS)."""
    minima = signatures.reshape(len(signatures), BANDS, -1)
    keys = np.zeros((len(signatures), BANDS), np.uint64)
    for place in range(minima.shape[2]):
        keys = _mixed(keys * _FACTOR + minima[:, :, place])
    return keys


def _blocks(file: IO[bytes]) -> Iterator[Hashes]:
    file.seek(0)
    while block := file.read(8 * ondisk.BUCKET):
        yield np.frombuffer(block, np.uint64)


def _mark(
    earlier: ondisk.Places, later: ondisk.Places, before: ondisk.Places, signatures: int, threshold: float
) -> None:
    """Writes down the texts that are like one before them, unless that is known already."""
    for start in range(0, len(later), _COMPARED):
        those, others = (places[start : start + _COMPARED] for places in (later, before))
        new = earlier[those] < 0
        those, others = those[new], others[new]
        alike = (_read(signatures, those) == _read(signatures, others)).mean(axis=1) >= threshold
        earlier[those[alike]] = others[alike]


def _read(file: int, places: ondisk.Places) -> NDArray[np.uint32]:
    size = 4 * SIGNATURE
    data = b"".join([os.pread(file, size, size * place) for place in places.tolist()])
    return np.frombuffer(data, np.uint32).reshape(-1, SIGNATURE)
