"""Many servers of one model: real ones on loopback, some of them slow, full, gone or killed."""

import contextlib
import json
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from fake_server import FakeServer, Fault, prompt_of, text_of

from codepref.generate import GenerationError, Price, Request, Sampling, Stats, sample_seed
from codepref.generate.base import Served
from codepref.generate.cache import Cache
from codepref.generate.server import ServerConfig, ServerGenerator

pytestmark = pytest.mark.alone  # measures time

QUICK = {"retry-after-ms": "1"}
REQUESTS = [Request(f"p{i}", "code", f"prompt {i}", n=4) for i in range(30)]
EXPECTED = [
    [text_of(request.prompt, sample_seed(0, request.prompt_id, "code", i)) for i in range(4)] for request in REQUESTS
]


@pytest.fixture
def cache(tmp_path):
    with Cache(tmp_path / "cache") as opened:
        yield opened


@pytest.fixture
def servers():
    """Makes servers; all are closed at the end."""
    with contextlib.ExitStack() as stack:
        yield lambda *args, **kwargs: stack.enter_context(FakeServer(*args, **kwargs))


def generator(urls, cache, price=None, max_cost=None, say=lambda line: None, **config):
    urls = tuple(getattr(one, "base_url", one) for one in urls)
    config = {"model": "m", "base_url": urls, "concurrency": 4, "max_retries": 3, **config}
    return ServerGenerator(ServerConfig(**config), Sampling(), cache, 0, price, max_cost, say)


def texts(results):
    return [[c.text for c in completions] for completions in results]


def gone():
    """An address where nobody listens."""
    with FakeServer() as server:
        pass
    return server.base_url


def test_load_is_shared_and_every_server_is_kept_busy(servers, cache):
    four = [servers(delay_s=0.02, wait_for=4) for _ in range(4)]
    running = generator(four, cache)
    assert texts(running.generate(REQUESTS)) == EXPECTED
    counts = [len(server.paid) for server in four]
    assert sum(counts) == 120
    assert min(counts) >= 20
    assert [server.most_in_flight for server in four] == [4] * 4
    assert [one.requests for one in running.stats.servers] == counts
    assert sum(one.completion_tokens for one in running.stats.servers) == running.stats.completion_tokens == 600


def test_a_slow_server_gets_less(servers, cache):
    slow, fast = servers(delay_s=1.5), servers(delay_s=0.01)
    assert texts(generator([slow, fast], cache).generate(REQUESTS)) == EXPECTED
    assert len(slow.paid) < len(fast.paid) / 3
    assert slow.most_in_flight == 4


def test_a_server_that_is_killed_loses_nothing_and_is_asked_twice_for_what_it_held(servers, cache):
    program = Path(__file__).parent / "fake_server.py"
    child = subprocess.Popen([sys.executable, program, "0.15"], stdout=subprocess.PIPE, text=True)
    url = child.stdout.readline().strip()

    def kill(request, _):
        if request.prompt_id == "p8":
            child.kill()

    said = []
    others = [servers(delay_s=0.15), servers(delay_s=0.15)]
    running = generator([url, *others], cache, say=said.append)
    assert texts(running.generate(REQUESTS, kill)) == EXPECTED
    rest = child.communicate()[0].splitlines()
    answered = Counter(tuple(json.loads(line)) for line in rest)
    answered.update(sample for server in others for sample in server.paid)
    assert len(answered) == 120
    assert 0 < len(rest) < 60
    assert sum(answered.values()) - 120 <= 4  # what the dead server was just answering, at most
    assert running.stats.servers[0].failures >= 1
    assert len(said) == 1
    assert said[0].startswith(f"{url} is set aside for 1 s: ")
    assert said[0].endswith("2 of 3 servers go on")
    assert "2 of 3 servers" in running.stats.progress(0)
    assert f"{url}  " in str(running.stats)
    assert "set aside" in str(running.stats)


def test_a_server_that_comes_late_or_back_takes_part(servers, cache):
    url = gone()
    said = []
    first = servers(delay_s=0.03)
    late = []

    def start(request, _):
        if said and not late:
            late.append(servers(delay_s=0.03, port=int(url.split(":")[2].split("/")[0])))

    assert texts(generator([url, first], cache, say=said.append, concurrency=1).generate(REQUESTS, start)) == EXPECTED
    assert len(late[0].paid) > 5
    assert [line.split(" ", 1)[1][:12] for line in said] == ["is set aside", "answers agai"]


@pytest.mark.parametrize("status", [500, 503, 429])
def test_a_broken_server_is_asked_less_and_less(servers, cache, status):
    broken = servers(lambda k, body: Fault(status=status))
    good = servers(delay_s=0.02)
    running = generator([broken, good], cache)
    assert texts(running.generate(REQUESTS)) == EXPECTED
    assert len(good.paid) == 120
    # four at once, then one after half a second, after another second, after two more
    assert 4 <= len(broken.seen) <= 4 + 5
    assert running.stats.servers[0].failures == len(broken.seen)


def test_retry_after_of_one_server_does_not_stall_the_others(servers, cache):
    full = servers(lambda k, body: Fault(status=429, headers={"retry-after": "60"}) if k >= 2 else None)
    good = servers(delay_s=0.01)
    begun = time.monotonic()
    assert texts(generator([full, good], cache).generate(REQUESTS)) == EXPECTED
    assert time.monotonic() - begun < 20
    assert len(full.seen) <= 2 + 4
    assert len(full.paid) == 2


def test_a_rate_limit_halves_what_is_in_flight_and_is_lived_with(servers, cache):
    """A server that takes two requests at once and refuses the rest, as hosted services do."""

    def plan(k, body):
        return Fault(status=429, headers={"retry-after-ms": "20"}) if server.in_flight > 2 else None

    server = servers(plan, delay_s=0.01)
    assert texts(generator([server], cache, concurrency=16).generate(REQUESTS)) == EXPECTED
    assert len(server.paid) == 120


def test_a_request_that_is_told_to_wait_again_and_again_gets_its_turn(servers, cache):
    """Far more often than `max_retries`, but never without others being answered in between."""

    def plan(k, body):
        told = sum(seen.status == 429 for seen in server.seen)
        return Fault(status=429, headers=QUICK) if body["seed"] == first and told < 12 else None

    first = sample_seed(0, "p0", "code", 0)

    server = servers(plan, delay_s=0.01)
    assert texts(generator([server], cache, max_retries=2, concurrency=2).generate(REQUESTS)) == EXPECTED


def test_a_quota_that_is_used_up_ends_the_run(servers, cache):
    server = servers(lambda k, body: Fault(status=429, headers=QUICK, message="quota used up") if k > 5 else None)
    # 4, and as many more as were under way when the fourth was refused
    with pytest.raises(GenerationError, match=r"no answer after [4-9] tries \(HTTP 429 \(quota used up\)\)"):
        generator([server], cache).generate(REQUESTS)


def test_all_down_is_waited_for(servers, cache):
    down = [True]
    two = [servers(lambda k, body: Fault(status=503, headers=QUICK) if down[0] else None) for _ in range(2)]

    def say(line):
        if "no other server answers" in line:
            down[0] = False

    assert texts(generator(two, cache, say=say).generate(REQUESTS)) == EXPECTED


def test_one_server_that_is_dead_is_told_once(cache):
    said = []
    away = gone()
    with pytest.raises(GenerationError, match=rf"^{away}: no answer after 4 tries .*; see whether the server runs"):
        generator([away], cache, max_retries=3, say=said.append).generate(REQUESTS)
    (line,) = said
    assert line.startswith(f"{away} gives no answer: ")
    assert line.endswith("; it is asked again until 4 tries have failed; see whether the server runs")


def test_all_down_for_good_ends_with_one_line_and_loses_nothing(servers, cache):
    # one answers all it will ever answer, then both are gone
    dying = servers(lambda k, body: Fault(status=503, headers=QUICK) if k >= 10 else None)
    away = gone()
    with pytest.raises(GenerationError) as caught:
        generator([dying, away], cache, max_retries=1).generate(REQUESTS)
    said = str(caught.value)
    assert said.startswith(("none of the 2 servers answers any more: ", dying.base_url))
    assert "\n" not in said
    assert "kept" in said
    dying.plan = lambda k, body: None
    assert texts(generator([dying], cache).generate(REQUESTS)) == EXPECTED
    assert len(dying.paid) == len(set(dying.paid)) == 120


def test_a_generator_recovers_from_a_run_that_ended(servers, cache):
    server = servers(lambda k, body: Fault(status=503, headers=QUICK))
    running = generator([server], cache)
    with pytest.raises(GenerationError, match="HTTP 503"):
        running.generate(REQUESTS)
    tried = set()

    def once(k, body):
        new = body["seed"] not in tried
        tried.add(body["seed"])
        return Fault(status=503, headers=QUICK) if new and body["seed"] % 4 == 0 else None

    server.plan = once
    assert texts(running.generate(REQUESTS)) == EXPECTED


def test_a_server_without_the_model_is_named_with_what_it_has(servers, cache):
    right, silent = servers(models=["m", "x"], delay_s=0.05), servers(models=None, delay_s=0.05)
    wrong = servers(models=["other/model", "another"])
    with pytest.raises(
        GenerationError,
        match=f"^{wrong.base_url} does not serve 'm' but 'other/model', 'another'; .*--served-model-name",
    ):
        generator([right, silent, wrong], cache).generate(REQUESTS)
    assert wrong.seen == []
    assert texts(generator([right, silent], cache).generate(REQUESTS)) == EXPECTED
    assert texts(generator([right, silent], cache).generate(REQUESTS)) == EXPECTED


def test_one_server_alone_is_asked_under_any_name(servers, cache):
    server = servers(models=["file.gguf"])
    assert texts(generator([server], cache).generate(REQUESTS)) == EXPECTED


def test_a_refused_prompt_is_not_the_servers_fault(servers, cache):
    two = [servers(lambda k, body: Fault(status=400) if prompt_of(body) == "prompt 3" else None) for _ in range(2)]
    running = generator(two, cache)
    results = running.generate(REQUESTS)
    assert [sample.finish_reason for sample in results[3]] == ["error: HTTP 400 (injected)"] * 4
    assert texts(results) == [[""] * 4 if i == 3 else row for i, row in enumerate(EXPECTED)]
    assert [one.failures for one in running.stats.servers] == [0, 0]
    assert sum(len(server.paid) for server in two) == 29 * 4


def test_each_server_gets_its_own_key_and_no_other(servers, cache, monkeypatch):
    monkeypatch.setenv("KEY_A", "secret-a")
    monkeypatch.setenv("KEY_B", "secret-b")
    a = servers(delay_s=0.01)
    b = servers(lambda k, body: Fault(status=401, message="secret-b is bad") if k > 5 else None, delay_s=0.01)
    running = generator([a, b], cache, api_key_env=("KEY_A", "KEY_B"))
    with pytest.raises(GenerationError, match=r"HTTP 401 \(\*\*\* is bad\); put a valid key into .* KEY_B$"):
        running.generate(REQUESTS)
    assert {seen.authorization for seen in a.seen} == {"Bearer secret-a"}
    assert {seen.authorization for seen in b.seen} == {"Bearer secret-b"}
    assert "secret" not in repr(running.config) + repr(running._fleet.servers) + str(running.stats)


PRICE = Price(prompt=1e6, completion=1e5)  # an answer of the fake server costs 7 + 0.5


def test_max_cost_stops_and_more_money_goes_on(servers, cache):
    server = servers(delay_s=0.005)
    running = generator([server], cache, PRICE, max_cost=75.0)
    with pytest.raises(GenerationError, match=r"max_cost is reached: 9?[0-9.]+ of 75.00 spent\. .* kept: .*larger"):
        running.generate(REQUESTS)
    paid = len(server.paid)
    assert 10 <= paid <= 10 + 3  # three were in flight
    assert running.stats.cost == paid * 7.5
    with pytest.raises(GenerationError, match="max_cost is reached"):
        generator([server], cache, PRICE, max_cost=75.0).generate(REQUESTS)
    assert len(server.paid) == paid  # what was spent before counts
    again = generator([server], cache, PRICE, max_cost=1000.0)
    assert texts(again.generate(REQUESTS)) == EXPECTED
    assert len(server.paid) == 120
    assert again.stats.cost == 120 * 7.5
    assert "cost 825.00, 900.00 with all before" in str(again.stats) or paid != 10
    # all is in the cache: nothing more to pay
    assert texts(generator([server], cache, PRICE, max_cost=1.0).generate(REQUESTS)) == EXPECTED


def test_max_cost_needs_prices_and_counts(servers, cache):
    with pytest.raises(ValueError, match="max_cost needs price_per_million"):
        generator(["http://x/v1"], cache, max_cost=1.0)
    with pytest.raises(ValueError, match="negative"):
        Price(-1.0, 0.0)
    server = servers(lambda k, body: Fault(raw=b'{"choices": [{"message": {"content": "x"}}]}'))
    with pytest.raises(GenerationError, match="the server counts no tokens"):
        generator([server], cache, PRICE, max_cost=1000.0, concurrency=1).generate(REQUESTS)
    assert len(server.seen) == 1


def test_what_is_shown():
    stats = Stats(price=PRICE, servers=[Served("http://a/v1"), Served("http://b/v1", aside=True)], spent_before=10.0)
    with stats.clock():
        time.sleep(0.01)
    stats.answers = stats.samples = 4
    stats.prompt_tokens, stats.completion_tokens = 28, 20
    stats._seconds = 2.0
    stats.servers[0].requests, stats.servers[0].completion_tokens, stats.servers[1].failures = 4, 20, 3
    assert stats.progress(8) == "10 tokens/s, 1 of 2 servers, cost 40.00, about 100.00 in all"
    assert str(stats).splitlines() == [
        "4 answers, 0 completions from cache, 0 empty, 0 repeated; 28 prompt + 20 completion tokens; "
        "cost 30.00, 40.00 with all before",
        "  http://a/v1  4 answers (100%), 10 tokens/s, 0 failures",
        "  http://b/v1  0 answers (0%), 0 tokens/s, 3 failures, set aside",
    ]
    assert Stats().progress(5) == ""
