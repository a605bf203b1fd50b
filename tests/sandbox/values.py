"""Strategies that make plain data and values of the table of constructors."""

import datetime
import math
import uuid
from collections import Counter, OrderedDict, defaultdict, deque
from decimal import Decimal
from fractions import Fraction
from ipaddress import IPv4Address
from pathlib import PurePosixPath

from hypothesis import strategies as st

scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(), st.binary(),
    st.complex_numbers(allow_nan=False), st.just(...),
)  # fmt: skip
hashable = st.recursive(scalars, lambda inner: st.one_of(st.tuples(inner, inner), st.frozensets(inner)), max_leaves=6)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner), st.tuples(inner, inner), st.sets(hashable), st.dictionaries(hashable, inner)
    ),
    max_leaves=20,
)
zones = st.none() | st.integers(-1000, 1000).map(lambda minutes: datetime.timezone(datetime.timedelta(minutes=minutes)))
texts = st.text("ab.-", min_size=1, max_size=5)
counts = st.dictionaries(texts, st.integers(-2, 2), max_size=4)
made = st.one_of(
    st.decimals(allow_nan=False), st.fractions(), st.dates(), st.times(), st.datetimes(), st.timedeltas(),
    st.builds(lambda moment, zone: moment.replace(tzinfo=zone), st.datetimes(), zones),
    st.integers(0, 2**128 - 1).map(lambda number: uuid.UUID(int=number)), counts.map(Counter), counts.map(OrderedDict),
    counts.map(lambda items: defaultdict(list, items)), st.lists(st.integers()).map(lambda items: deque(items, 9)),
    st.binary().map(bytearray), st.builds(range, st.integers(-9, 9), st.integers(-9, 9), st.sampled_from([-2, 1, 3])),
    st.integers(0, 2**32 - 1).map(IPv4Address), texts.map(PurePosixPath), st.builds(slice, st.integers(), st.none()),
    st.sampled_from([int, str, ValueError, Decimal, Fraction, dict, type(None)]),
)  # fmt: skip
"""Values of the table that compare equal to their copies."""


def same(left: object, right: object) -> bool:
    """True for equal values of one type, at every level."""
    if type(left) is not type(right):
        return False
    if isinstance(left, (list, tuple, deque)):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict):
        return list(map(same, left, right)) == [True] * len(right) and all(map(same, left.values(), right.values()))
    if isinstance(left, float) and math.isnan(left):
        return math.isnan(right)
    return left == right
