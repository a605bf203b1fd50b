import os
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import codepref
from codepref.generate import Completion, GenerationError
from codepref.generate.cache import Cache, payload_key

ENV = {**os.environ, "PYTHONPATH": str(Path(codepref.__file__).parent.parent)}


def test_key_ignores_order_and_sees_every_value():
    assert payload_key({"a": 1, "b": [2]}) == payload_key({"b": [2], "a": 1})
    assert payload_key({"a": 1}) != payload_key({"a": "1"})
    assert len(payload_key({"text": "\ud800 half a pair"})) == 32
    with pytest.raises(ValueError):
        payload_key({"temperature": float("nan")})


def test_what_is_stored_comes_back_marked_and_survives_closing(tmp_path):
    choices = [Completion("one", 5, "stop", 7, 10), Completion("", 5, "length")]
    with Cache(tmp_path / "new" / "cache.sqlite") as cache:
        assert cache.get(b"k") is None
        cache.put(b"k", choices)
        cache.put(b"k", [Completion("later", 9)])  # the first answer stays
    with Cache(tmp_path / "new" / "cache.sqlite") as cache:
        assert cache.get(b"k") == [
            Completion("one", 5, "stop", 7, 10, cached=True),
            Completion("", 5, "length", cached=True),
        ]
        assert (cache.hits, cache.misses) == (1, 0)


@settings(max_examples=50, deadline=None)
@given(text=st.text(), reason=st.text(max_size=5))
def test_any_text_round_trips(tmp_path_factory, text, reason):
    with Cache(tmp_path_factory.mktemp("cache") / "c") as cache:
        cache.put(b"k", [Completion(text, 0, reason)])
        assert cache.get(b"k") == [Completion(text, 0, reason, cached=True)]


def test_an_answer_is_stored_whole_or_not_at_all(tmp_path):
    with Cache(tmp_path / "c") as cache:
        with pytest.raises(GenerationError, match="NOT NULL"):
            cache.put(b"k", [Completion("fits", 0), Completion(None, 0)])
        assert cache.get(b"k") is None
        cache.put(b"k", [Completion("good", 0)])
        assert len(cache.get(b"k")) == 1
        assert (tmp_path / "c-wal").exists()


def test_threads_share_one_cache(tmp_path):
    with Cache(tmp_path / "c") as cache:

        def work(thread: int) -> None:
            for i in range(50):
                cache.put(b"%d" % i, [Completion(f"{thread}", thread), Completion(f"{thread}", thread)])

        threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for i in range(50):
            answer = cache.get(b"%d" % i)
            assert answer is not None
            assert len(answer) == 2
            assert answer[0].seed == answer[1].seed  # never a mix of two answers
        assert cache.hits == 50


def test_processes_open_and_write_one_new_file_at_once(tmp_path):
    code = """
import sys
from codepref.generate import Completion
from codepref.generate.cache import Cache
sys.stdin.read()
with Cache(sys.argv[1]) as cache:
    for i in range(100):
        cache.put(b"%d" % i, [Completion(sys.argv[2], 0)])
"""
    children = [
        subprocess.Popen([sys.executable, "-c", code, tmp_path / "c", str(i)], stdin=subprocess.PIPE, env=ENV)
        for i in range(4)
    ]
    for child in children:
        child.stdin.close()
    assert [child.wait(60) for child in children] == [0, 0, 0, 0]
    with Cache(tmp_path / "c") as cache:
        assert all(len(cache.get(b"%d" % i)) == 1 for i in range(100))


def test_kill_loses_nothing_that_was_put(tmp_path):
    code = """
import sys, time
from codepref.generate import Completion
from codepref.generate.cache import Cache
cache = Cache(sys.argv[1])
for i in range(200):
    cache.put(b"%d" % i, [Completion("x" * 1000, i)])
print("stored", flush=True)
time.sleep(60)
"""
    child = subprocess.Popen([sys.executable, "-c", code, tmp_path / "c"], stdout=subprocess.PIPE, env=ENV)
    assert child.stdout.readline() == b"stored\n"
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    with Cache(tmp_path / "c") as cache:
        assert all(cache.get(b"%d" % i) for i in range(200))


def test_foreign_files_are_refused_and_left_alone(tmp_path):
    text = tmp_path / "notes.txt"
    text.write_text("not a database, but long enough to look like a page " * 100)
    other = tmp_path / "other.sqlite"
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE mine (x)")
    connection.close()
    for path in (text, other):
        before = path.read_bytes()
        with pytest.raises(GenerationError, match=f"{path.name}.*request cache.*name a") as caught:
            Cache(path)
        assert "\n" not in str(caught.value)
        assert path.read_bytes() == before
    with pytest.raises(GenerationError, match="request cache not usable"):
        Cache(tmp_path)
    with pytest.raises(GenerationError, match="request cache not usable"):
        Cache(text / "below" / "cache")


def test_full_disk_is_one_clear_line(tmp_path):
    with Cache(tmp_path / "c") as cache:
        cache._connection.execute("PRAGMA max_page_count = 4")
        with pytest.raises(GenerationError, match="full"):
            for i in range(100):
                cache.put(b"%d" % i, [Completion("x" * 4000, i)])


def test_thoughts_are_kept_and_a_cache_of_before_is_one_still(tmp_path):
    path = tmp_path / "c.sqlite"
    with Cache(path) as cache:
        cache.put(b"old", [Completion("a", 1)])
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TABLE thoughts")
    with Cache(path) as cache:
        cache.put(b"new", [Completion("a", 1, thought="hmm"), Completion("b", 2)])
        assert [choice.thought for choice in cache.get(b"new")] == ["hmm", ""]
        assert [choice.thought for choice in cache.get(b"old")] == [""]
