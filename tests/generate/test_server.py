import asyncio
import logging
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest
from fake_server import FakeServer, Fault, prompt_of, text_of

import codepref
from codepref.generate import GenerationError, Request, Sampling, sample_seed
from codepref.generate.cache import Cache
from codepref.generate.fleet import shown
from codepref.generate.gathered import EMPTY_LIMIT
from codepref.generate.server import FRUITLESS_LIMIT, ServerConfig, ServerGenerator

from interrupts import started  # isort: skip

KEY = "sk-very-secret-0123456789"
ROOT = Path(codepref.__file__).parent.parent
QUICK = {"retry-after-ms": "1"}  # the SDK waits as long as the server says: keeps the tests short
REQUESTS = [Request(f"p{i}", "code", f"prompt {i}", n=3) for i in range(6)]


@pytest.fixture(autouse=True)
def key(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


@pytest.fixture
def cache(tmp_path):
    with Cache(tmp_path / "cache") as opened:
        yield opened


def generator(server, cache, run_seed=0, sampling=None, say=lambda line: None, **config):
    config = {"model": "m", "base_url": server.base_url, "max_retries": 3, **config}
    return ServerGenerator(ServerConfig(**config), sampling or Sampling(), cache, run_seed, say=say)


def texts(results):
    return [[c.text for c in completions] for completions in results]


def expected(request, run_seed=0):
    return [
        text_of(request.prompt, sample_seed(run_seed, request.prompt_id, request.purpose, i)) for i in range(request.n)
    ]


def test_every_sample_is_asked_with_its_own_seed_and_order_does_not_matter(tmp_path):
    with FakeServer() as server:
        results = []
        for name, concurrency in (("a", 1), ("b", 16)):
            with Cache(tmp_path / name) as cache:
                shuffled = random.Random(name).sample(REQUESTS, len(REQUESTS))
                answers = generator(server, cache, concurrency=concurrency).generate(shuffled)
                results.append({r.prompt_id: a for r, a in zip(shuffled, answers, strict=True)})
    assert results[0] == results[1]
    for request in REQUESTS:
        assert texts([results[0][request.prompt_id]]) == [expected(request)]
    assert max(Counter(server.paid).values()) == 2  # once for each of the two caches
    assert all(seen.body["n"] == 1 for seen in server.seen)


def test_what_is_sent_in_both_interfaces(cache):
    sampling = Sampling(temperature=0.7, top_p=0.9, max_tokens=99, stop=("\nclass",))
    with FakeServer() as server:
        generator(server, cache, sampling=sampling, extra={"top_k": 5, "max_tokens": None}).generate(
            [Request("p", "code", "hi", system="be brief")]
        )
        generator(server, cache, sampling=sampling, api="completions").generate([Request("p", "code", "hi")])
    chat, plain = server.seen
    seed = sample_seed(0, "p", "code", 0)
    common = {"model": "m", "temperature": 0.7, "top_p": 0.9, "seed": seed, "n": 1, "stop": ["\nclass"]}
    assert chat.path == "/v1/chat/completions"
    assert chat.body == common | {
        "top_k": 5,
        "messages": [{"role": "system", "content": "be brief"}, {"role": "user", "content": "hi"}],
    }
    assert plain.path == "/v1/completions"
    assert plain.body == common | {"max_tokens": 99, "prompt": "hi"}
    assert chat.authorization == plain.authorization == f"Bearer {KEY}"


def test_samples_stay_apart_when_the_server_takes_no_seed(cache):
    raws = iter(range(100))
    with FakeServer(lambda k, body: Fault(raw=b'{"choices": [{"text": "answer %d"}]}' % next(raws))) as server:
        results = generator(server, cache, api="completions", extra={"seed": None}).generate(REQUESTS[:1])
    assert not any("seed" in seen.body for seen in server.seen)
    assert sorted(texts(results)[0]) == ["answer 0", "answer 1", "answer 2"]


def test_more_choices_than_asked_for_are_cut_off(cache):
    with FakeServer(lambda k, body: Fault(choices=4)) as server:
        results = generator(server, cache, batch_choices=True).generate(REQUESTS)
    assert [len(row) for row in results] == [3] * 6


def test_second_run_asks_nothing_even_of_another_endpoint(cache):
    with FakeServer() as server:
        first = generator(server, cache).generate(REQUESTS)
    with FakeServer() as other:
        again = generator(other, cache)
        second = again.generate(REQUESTS)
        assert other.seen == []
        generator(other, cache, run_seed=1).generate(REQUESTS[:1])
        assert len(other.seen) == 3
    assert texts(first) == texts(second)
    assert not any(c.cached for row in first for c in row)
    assert all(c.cached for row in second for c in row)
    assert again.stats.cached == 18
    assert again.stats.answers == again.stats.completion_tokens == 0


def test_asking_for_more_samples_keeps_those_there_are(cache):
    with FakeServer() as server:
        generator(server, cache).generate([Request("p", "code", "x", n=3)])
        more = generator(server, cache).generate([Request("p", "code", "x", n=5)])
    assert len(server.seen) == 5
    assert [c.cached for c in more[0]] == [True, True, True, False, False]


def test_on_done_comes_once_per_request_with_all_samples(cache):
    done = {}
    with FakeServer() as server:
        results = generator(server, cache).generate(
            REQUESTS, lambda request, answers: done.update({request.prompt_id: (request, answers)})
        )
    assert done == {r.prompt_id: (r, a) for r, a in zip(REQUESTS, results, strict=True)}


def test_an_error_in_on_done_stops_the_run_and_keeps_answers(cache):
    def on_done(request, answers):
        raise RuntimeError("disk full")

    with FakeServer() as server:
        with pytest.raises(RuntimeError, match="disk full"):
            generator(server, cache, concurrency=1).generate(REQUESTS, on_done)
        assert len(server.seen) < 18
        generator(server, cache).generate(REQUESTS)
    assert max(Counter(server.paid).values()) == 1


def test_concurrency_is_reached_and_never_exceeded(cache):
    with FakeServer(wait_for=5) as server:
        generator(server, cache, concurrency=5).generate(REQUESTS)
    assert server.most_in_flight == 5


def test_token_counts_and_finish_reasons(cache):
    with FakeServer(lambda k, body: Fault(finish_reason="length")) as server:
        running = generator(server, cache)
        results = running.generate(REQUESTS)
    assert {c.finish_reason for row in results for c in row} == {"length"}
    assert {(c.prompt_tokens, c.completion_tokens) for row in results for c in row} == {(7, 5)}
    assert (running.stats.prompt_tokens, running.stats.completion_tokens, running.stats.answers) == (18 * 7, 18 * 5, 18)


@pytest.mark.parametrize(
    "fault",
    [
        Fault(status=408, headers=QUICK),
        Fault(status=409, headers=QUICK),
        Fault(status=429, headers=QUICK),
        Fault(status=500, headers=QUICK),
        Fault(status=503, headers=QUICK),
        Fault(cut_body=True),
    ],
    ids=lambda fault: "dropped in mid-body" if fault.cut_body else str(fault.status),
)
def test_passing_faults_are_retried_with_the_same_seed(cache, fault):
    with FakeServer(lambda k, body: fault if k in (0, 3) else None) as server:
        results = generator(server, cache, concurrency=2).generate(REQUESTS[:2])
    assert texts(results) == [expected(request) for request in REQUESTS[:2]]
    assert len(server.seen) == 8


def test_retry_after_is_honoured(cache):
    arrivals = []

    def plan(k, body):
        arrivals.append(time.monotonic())
        return Fault(status=429, headers={"retry-after": "1"}) if k == 0 else None

    with FakeServer(plan) as server:
        generator(server, cache).generate([Request("p", "code", "x")])
    assert arrivals[1] - arrivals[0] >= 1  # without the header the SDK waits half a second


def test_slow_answers_are_given_up_and_asked_again(cache):
    hold = threading.Event()
    with FakeServer(lambda k, body: Fault(hold=hold) if k == 0 else None) as server:
        results = generator(server, cache, timeout_s=0.3).generate([Request("p", "code", "x")])
        hold.set()
    assert texts(results) == [[text_of("x", sample_seed(0, "p", "code", 0))]]


@pytest.mark.parametrize(
    ("status", "remedy"),
    [
        (401, "put a valid key into the environment variable OPENAI_API_KEY"),
        (403, "may not use model 'm'"),
        (404, "base_url"),
    ],
)
def test_errors_that_no_retry_mends_stop_the_run(cache, status, remedy):
    with (
        FakeServer(lambda k, body: Fault(status=status, message=f"bad\n key {KEY}")) as server,
        pytest.raises(GenerationError) as caught,
    ):
        generator(server, cache, concurrency=2).generate(REQUESTS)
    assert len(server.seen) <= 2
    said = str(caught.value)
    assert said.startswith(f"{server.base_url}, prompt 'p0': HTTP {status} (bad key ***); ")
    assert remedy in said
    assert "\n" not in said
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_refused_prompt_does_not_stop_the_others(cache, status):
    def plan(k, body):
        return Fault(status=status, message="too long") if prompt_of(body) in ("prompt 1", "prompt 4") else None

    done, said = [], []
    with FakeServer(plan) as server:
        running = generator(server, cache, say=said.append, concurrency=1)
        results = running.generate(REQUESTS, lambda request, answers: done.append(request.prompt_id))
    assert done == [request.prompt_id for request in REQUESTS]
    assert texts(results) == [[""] * 3 if i in (1, 4) else expected(REQUESTS[i]) for i in range(6)]
    assert {sample.finish_reason for sample in results[1]} == {f"error: HTTP {status} (too long)"}
    assert said == [
        f"m: 6 of 18 samples are without an answer (6 error); e.g. error: HTTP {status} (too long)",
    ]
    assert len(server.seen) == 4 * 3 + 2  # the other samples of a refused prompt are not asked for


def test_when_all_prompts_are_refused_the_run_stops(cache):
    requests = [Request(f"p{i}", "code", f"prompt {i}") for i in range(100)]
    with (
        FakeServer(lambda k, body: Fault(status=400, message="no such field")) as server,
        pytest.raises(
            GenerationError, match=r"20 samples in a row without an answer, the first: .*'p0'.*no such field"
        ),
    ):
        generator(server, cache, concurrency=1).generate(requests)
    assert len(server.seen) == EMPTY_LIMIT


def test_server_that_stays_broken(cache):
    with FakeServer(lambda k, body: Fault(status=500, headers=QUICK) if k >= 4 else None) as server:
        with pytest.raises(GenerationError, match=r"HTTP 500 \(injected\); .*kept"):
            generator(server, cache, concurrency=1).generate(REQUESTS)
        assert len(server.seen) == 4 + 1 + 3
        server.plan = lambda k, body: None
        assert texts(generator(server, cache).generate(REQUESTS)) == [expected(request) for request in REQUESTS]
    assert max(Counter(server.paid).values()) == 1


def test_answers_in_flight_are_kept_when_another_request_fails(cache):
    release = threading.Event()

    def plan(k, body):
        return Fault(hold=release) if prompt_of(body) == "slow" else Fault(status=404)

    with FakeServer(plan) as server:
        threading.Thread(
            target=lambda: (server.wait_until(lambda: len(server.seen) == 1), release.set()), daemon=True
        ).start()
        with pytest.raises(GenerationError, match="404"):
            generator(server, cache, concurrency=2).generate(
                [Request("a", "code", "slow"), Request("b", "code", "fast")]
            )
        again = generator(server, cache).generate([Request("a", "code", "slow")])
    assert again[0][0].cached


def test_no_server_there(cache):
    with FakeServer() as server:
        pass
    with pytest.raises(GenerationError, match=r"no answer after 1 tries \(.+\); see whether the server runs") as caught:
        generator(server, cache, max_retries=0).generate(REQUESTS)
    assert "\n" not in str(caught.value)


BLANKS = [
    Fault(choices=0),
    Fault(blank=True),
    Fault(raw=b"{broken"),
    Fault(raw=b'{"\xff'),
    Fault(raw=b"[]"),
    Fault(raw=b'{"choices": null}'),
    Fault(raw=b'{"choices": [null]}'),
    Fault(raw=b'{"choices": [{"message": {"content": null}}], "usage": {"prompt_tokens": "?"}}'),
]


@pytest.mark.parametrize("fault", BLANKS, ids=range(len(BLANKS)))
def test_answers_without_text_are_asked_again_with_a_new_seed(cache, fault):
    with FakeServer(lambda k, body: fault if k < 2 else None) as server:
        running = generator(server, cache)
        results = running.generate([Request("p", "code", "x")])
        seed = sample_seed(0, "p", "code", 0, attempt=2)
        assert (results[0][0].text, results[0][0].seed) == (text_of("x", seed), seed)
        assert running.stats.empty == 2
        again = generator(server, cache).generate([Request("p", "code", "x")])
        assert again[0][0].cached
    assert [seen.body["seed"] for seen in server.seen] == [sample_seed(0, "p", "code", 0, attempt=i) for i in range(3)]


def test_a_prompt_that_never_gets_text_is_given_up_and_tried_further_next_time(cache):
    with FakeServer(lambda k, body: Fault(blank=True)) as server:
        for _ in range(2):
            with pytest.raises(
                GenerationError,
                match=rf"'p': {FRUITLESS_LIMIT} answers in a row without text \(finish_reason stop\); change the prompt",
            ):
                generator(server, cache).generate([Request("p", "code", "x")])
    assert len(server.seen) == 2 * FRUITLESS_LIMIT
    assert max(Counter(server.paid).values()) == 1


def test_batch_takes_all_choices_of_one_answer(cache):
    with FakeServer() as server:
        running = generator(server, cache, batch_choices=True)
        results = running.generate(REQUESTS)
        assert texts(generator(server, cache, batch_choices=True).generate(REQUESTS)) == texts(results)
    assert len(server.seen) == len(REQUESTS)
    for request, row in zip(REQUESTS, results, strict=True):
        seed = sample_seed(0, request.prompt_id, "code", 0)
        assert [c.text for c in row] == [text_of(request.prompt, seed, i) for i in range(3)]
    assert running.stats.repeated == 0
    assert running.stats.prompt_tokens == 6 * 7
    assert running.stats.completion_tokens == sum(c.completion_tokens for row in results for c in row) == 6 * 15


@pytest.mark.parametrize(("given", "asked_for"), [(1, [5, 4, 3, 2, 1]), (2, [5, 3, 1])])
def test_batch_tops_up_with_new_seeds_when_choices_are_missing(cache, given, asked_for):
    with FakeServer(lambda k, body: Fault(choices=given)) as server:
        results = generator(server, cache, batch_choices=True).generate([Request("p", "code", "x", n=5)])
        assert texts(generator(server, cache, batch_choices=True).generate([Request("p", "code", "x", n=5)])) == texts(
            results
        )
    assert [seen.body["n"] for seen in server.seen] == asked_for
    assert len({seen.body["seed"] for seen in server.seen}) == len(asked_for)
    assert len(set(texts(results)[0])) == 5


def test_samples_that_are_all_the_same_are_counted(cache):
    raw = b'{"choices": [{"text": "x"}]}'
    with FakeServer(lambda k, body: Fault(raw=raw)) as server:
        running = generator(server, cache, api="completions")
        running.generate(REQUESTS)
    assert running.stats.repeated == 12


@pytest.mark.parametrize(
    "raw", [b'{"error": {"message": "why"}}', b'{"message": "why"}', b'{"detail": "why"}', b'"why"', b"why"]
)
def test_what_the_server_said_is_shown_in_every_dialect(cache, raw):
    with (
        FakeServer(lambda k, body: Fault(status=400, raw=raw)) as server,
        pytest.raises(GenerationError, match=r"HTTP 400 \(\"?why\"?\);"),
    ):
        generator(server, cache).generate([Request("p", "code", "x")])


def test_half_surrogates_do_not_reach_the_cache_or_the_caller(cache):
    raw = b'{"choices": [{"message": {"content": "a\\ud800b\\u0000"}, "finish_reason": "stop"}]}'
    with FakeServer(lambda k, body: Fault(raw=raw)) as server:
        assert texts(generator(server, cache).generate([Request("p", "code", "x")])) == [["a?b\0"]]


def test_key_is_nowhere_but_in_the_header(cache, tmp_path, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    with FakeServer() as server:
        running = generator(server, cache)
        running.generate(REQUESTS)
        assert KEY not in repr(running.config) + repr(vars(running)) + running.name + str(running.stats)
    assert {seen.authorization for seen in server.seen} == {f"Bearer {KEY}"}
    cache.close()
    assert not any(KEY.encode() in path.read_bytes() for path in tmp_path.iterdir())
    assert KEY not in caplog.text + "".join(capfd.readouterr())
    assert not any(KEY in str(seen.body) for seen in server.seen)


def test_key_may_be_absent_or_unusable(cache, monkeypatch):
    with FakeServer() as server:
        monkeypatch.delenv("OPENAI_API_KEY")
        generator(server, cache).generate(REQUESTS[:1])
        assert KEY not in str(server.seen)
        monkeypatch.setenv("OPENAI_API_KEY", f"{KEY}\rx")
        with pytest.raises(GenerationError, match="key in OPENAI_API_KEY holds blanks") as caught:
            generator(server, cache).generate(REQUESTS)
    assert KEY not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"base_url": "localhost:8000"}, "no address"),
        ({"base_url": ("http://x/v1", "x")}, "'x' is no address"),
        ({"base_url": ()}, "at least one server"),
        ({"base_url": ("http://x/v1", "http://x/v1")}, "each of them once"),
        ({"api_key_env": ("A", "B")}, "lists 2 variables for 1 servers"),
        ({"api": "responses"}, "chat or completions"),
        ({"concurrency": 0}, "must be positive"),
        ({"extra": {"n": 3, "seed": 5}}, "must not set n, seed"),
    ],
)
def test_config_is_checked(changes, words):
    with pytest.raises(ValueError, match=words):
        ServerConfig(**{"model": "m", "base_url": "http://x/v1", **changes})


def test_shown_address_holds_no_password():
    assert shown("https://me:pw@host:8/v1?key=k") == "https://host:8/v1"
    assert shown("http://[::1]:8000/v1") == "http://[::1]:8000/v1"


def test_system_text_needs_chat(cache):
    with FakeServer() as server, pytest.raises(ValueError, match="no place for a system text"):
        generator(server, cache, api="completions").generate([Request("p", "code", "x", system="s")])


def test_works_inside_a_running_event_loop(cache):
    async def notebook(server):
        return generator(server, cache).generate(REQUESTS)

    with FakeServer() as server:
        assert texts(asyncio.run(notebook(server))) == [expected(request) for request in REQUESTS]


CLIENT = """
import asyncio, sys
from codepref.generate import Request, Sampling
from codepref.generate.cache import Cache
from codepref.generate.fleet import shown
from codepref.generate.server import ServerConfig, ServerGenerator
def run():
    with Cache(sys.argv[2]) as cache:
        config = ServerConfig("m", sys.argv[1], concurrency=4)
        requests = [Request(f"p{i}", "code", f"prompt {i}", n=3) for i in range(6)]
        for row in ServerGenerator(config, Sampling(), cache).generate(requests):
            print([c.text for c in row])
async def cell():
    run()
if "notebook" in sys.argv:  # a loop runs, and Ctrl-C raises KeyboardInterrupt in the main thread
    asyncio.new_event_loop().run_until_complete(cell())
else:
    run()
"""


def client(server, path, *more):
    return started(
        [sys.executable, "-c", CLIENT, server.base_url, path, *more],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize(
    ("sent", "more"),
    [(signal.SIGKILL, ()), (signal.SIGINT, ()), (signal.SIGINT, ("notebook",))],
    ids=["kill -9", "Ctrl-C", "Ctrl-C in a notebook"],
)
def test_stopped_in_the_middle_and_run_again_pays_for_nothing_twice(tmp_path, sent, more):
    hold = threading.Event()
    with FakeServer(lambda k, body: Fault(hold=hold) if k >= 7 else None) as server:
        child = client(server, tmp_path / "cache", *more)
        # Four requests hang, and a client with four places has put all seven answers away before it asked for these.
        server.wait_until(lambda: server.arrived == 11)
        child.send_signal(sent)
        out, err = child.communicate(timeout=20)
        assert child.returncode != 0
        assert out == ""
        assert sent == signal.SIGKILL or "KeyboardInterrupt" in err
        kept = list(server.seen)
        assert len(kept) == 7

        server.plan = lambda k, body: None
        again = client(server, tmp_path / "cache")
        out, err = again.communicate(timeout=60)
        assert again.returncode == 0, err
        asked_again = server.arrived - 11
        hold.set()
    assert out == "".join(f"{expected(request)}\n" for request in REQUESTS)
    assert asked_again == 18 - 7
