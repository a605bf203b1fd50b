import hashlib

from codepref.lots import fraction, index, lot


def test_a_lot_is_the_hash_of_its_parts():
    assert lot(3, "a") == hashlib.sha256(b"3:a").digest()
    assert lot("a") == hashlib.sha256(b"a").digest()


def test_lots_spread_evenly_and_depend_on_the_seed():
    numbers = [fraction(seed, name) for seed in range(20) for name in range(100)]
    assert 0 <= min(numbers) < 0.01 and 0.99 < max(numbers) < 1
    assert abs(sum(numbers) / len(numbers) - 0.5) < 0.03
    assert {index(7, seed, "x") for seed in range(100)} == set(range(7))
