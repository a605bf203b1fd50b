"""A bar that follows samples and tokens."""

import io

from tqdm import tqdm

from codepref.generate import Completion, Request
from codepref.generate.base import Stats
from codepref.generate.progress import counting


def test_samples_and_tokens_count_before_their_request_is_complete():
    stats = Stats()
    with tqdm(total=5, file=io.StringIO(), mininterval=0) as bar:
        count = counting(bar, stats)
        with stats.clock():
            stats.write(120)
            assert bar.n == 0
            assert "tokens/s" in bar.postfix
            stats.partial = 2
            stats.write(60)
            assert bar.n == 2
            stats.partial = 0
            count(Request("p", "code", "x", n=3), [Completion("", 0)] * 3)
        assert bar.n == 3


def test_a_server_without_tokens_shows_none():
    with tqdm(total=1, file=io.StringIO()) as bar:
        counting(bar, Stats())(Request("p", "code", "x"), [Completion("", 0)])
        assert (bar.n, bar.postfix) == (1, "")
