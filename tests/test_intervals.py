import numpy as np
import pytest

from codepref.intervals import bootstrap


def test_an_interval_holds_its_mean():
    mean, low, high = bootstrap([1.0, 0.0, 0.0, -1.0, 1.0] * 20)
    assert mean == pytest.approx(0.2)
    assert low < mean < high
    assert bootstrap([1.0, 0.0, 0.0, -1.0, 1.0] * 20) == (mean, low, high)


def test_without_spread_or_values():
    assert bootstrap([0.5] * 10) == (0.5, 0.5, 0.5)
    assert bootstrap([]) == (0.0, 0.0, 0.0)


def test_it_is_about_as_wide_as_a_normal_interval():
    values = np.random.default_rng(1).random(400) < 0.3
    _, low, high = bootstrap(values)
    assert high - low == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.15)
