"""Every server quirk of `quirks.py`, sent by a real server on loopback."""

import json

import pytest
from fake_server import FakeServer, Fault, prompt_of, text_of
from quirks import ANSWERS, LOG_IN, OWN_EMPTIES, PASSING, STREAMS, UNKNOWN

from codepref.generate import GenerationError, Request, Sampling, sample_seed
from codepref.generate.cache import Cache
from codepref.generate.gathered import EMPTY_LIMIT
from codepref.generate.server import FRUITLESS_LIMIT, ServerConfig, ServerGenerator

ONE = [Request("p", "code", "x")]
THOUGHTS = {"a part with thoughts": "hmm" * 3, "reasoning_content": "hmm", "reasoning": "hmm", "thinking": "hmm"}
"""What is kept apart of an answer, by quirk."""
QUICK = {"retry-after-ms": "1"}
GOOD = text_of("x", sample_seed(0, "p", "code", 0))


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch):
    monkeypatch.setattr("codepref.generate.server.SECOND_LOOK_S", 0.001)


@pytest.fixture
def cache(tmp_path):
    with Cache(tmp_path / "cache") as opened:
        yield opened


def generator(server, cache, say=lambda line: None, **config):
    config = {"model": "m", "base_url": server.base_url, "max_retries": 3, **config}
    return ServerGenerator(ServerConfig(**config), Sampling(), cache, say=say)


def once(fault):
    return lambda k, body: fault if k == 0 else None


@pytest.mark.parametrize("name", [*ANSWERS, *STREAMS])
def test_an_answer_in_another_shape_is_paid_once_and_holds_no_thoughts(cache, name):
    fault = Fault(
        remake={**ANSWERS, **STREAMS}[name],
        content_type="text/event-stream" if name == "stream" else "application/json",
    )
    with FakeServer(lambda k, body: fault) as server:
        running = generator(server, cache)
        ((sample,),) = running.generate(ONE)
        assert generator(server, cache).generate(ONE)[0][0].cached
    assert (sample.text, sample.finish_reason) == (GOOD, "stop")
    assert sample.thought == ("hmm" if name in STREAMS else THOUGHTS.get(name, ""))
    assert sample.completion_tokens == (0 if name == "usage is missing" else 5)
    assert len(server.seen) == 1


def test_a_stream_holds_all_choices(cache):
    with FakeServer(lambda k, body: Fault(remake=STREAMS["stream"])) as server:
        (samples,) = generator(server, cache, batch_choices=True).generate([Request("p", "code", "x", n=3)])
    assert [sample.text for sample in samples] == [GOOD[:-1] + str(i) for i in range(3)]


@pytest.mark.parametrize("name", OWN_EMPTIES)
def test_what_the_model_means_as_its_answer_is_an_empty_sample_and_never_drawn_again(cache, name):
    raw, reason = OWN_EMPTIES[name]
    said = []
    with FakeServer(lambda k, body: Fault(raw=raw) if prompt_of(body) == "bad" else None) as server:
        requests = [Request("b", "code", "bad"), *ONE]
        (bad,), (good,) = generator(server, cache, said.append).generate(requests)
        generator(server, cache).generate(requests)
    assert (bad.text, bad.finish_reason, good.text) == ("", reason, GOOD)
    assert len(server.seen) == 2
    assert said[0].startswith(f"m: 1 of 2 samples are without an answer (1 {reason.partition(':')[0]})")


@pytest.mark.parametrize("name", PASSING)
def test_passing_trouble_with_status_200_is_asked_again_with_the_same_seed(cache, name):
    with FakeServer(once(Fault(raw=PASSING[name], headers=QUICK))) as server:
        running = generator(server, cache)
        assert running.generate(ONE)[0][0].text == GOOD
    assert [seen.body["seed"] for seen in server.seen] == [sample_seed(0, "p", "code", 0)] * 2
    assert running.stats.servers[0].failures == 1


@pytest.mark.parametrize("name", UNKNOWN)
def test_trouble_of_unknown_meaning_is_asked_again_then_quoted(cache, name):
    with FakeServer(once(Fault(raw=UNKNOWN[name]))) as server:
        assert generator(server, cache).generate(ONE)[0][0].text == GOOD
    with (
        FakeServer(lambda k, body: Fault(raw=UNKNOWN[name])) as server,
        pytest.raises(GenerationError, match=r"'o': HTTP 200 with an error: .*; see what answers") as caught,
    ):
        generator(server, cache).generate([Request("o", "code", "y")])
    assert len(server.seen) == FRUITLESS_LIMIT
    assert "\n" not in str(caught.value)
    assert "<" not in str(caught.value)


def test_a_log_in_page_is_named_and_quoted_without_its_markup(cache):
    with (
        FakeServer(lambda k, body: Fault(raw=LOG_IN, content_type="text/html")) as server,
        pytest.raises(GenerationError, match="a log-in page instead of an answer: Sign in Please log in to «Acme»;"),
    ):
        generator(server, cache).generate(ONE)


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b'{"error": {"message": "Incorrect API key provided"}}', "put a valid key into"),
        (b'{"error": {"message": "The model `m` does not exist", "code": "model_not_found"}}', "and model"),
        (b'{"error": {"message": "no", "code": "insufficient_quota"}}', "pay for more"),
    ],
)
def test_what_no_other_request_mends_stops_at_once(cache, raw, words):
    with FakeServer(lambda k, body: Fault(raw=raw)) as server, pytest.raises(GenerationError, match=words):
        generator(server, cache, concurrency=1).generate([Request(f"p{i}", "code", "x") for i in range(30)])
    assert len(server.seen) == 1


def test_an_empty_account_is_not_waited_for(cache):
    raw = b'{"error": {"message": "You exceeded your current quota", "code": "insufficient_quota"}}'
    with (
        FakeServer(lambda k, body: Fault(status=429, raw=raw)) as server,
        pytest.raises(GenerationError, match=r"HTTP 402 \(You exceeded your current quota\); pay for more"),
    ):
        generator(server, cache).generate(ONE)
    assert len(server.seen) == 1


REFUSALS = {
    "OpenAI": {"error": {"message": "Unsupported parameter: '{}' is not supported.", "param": "{}"}},
    "param alone": {"error": {"message": "Unsupported parameter", "param": "{}"}},
    "pydantic": {"detail": [{"loc": ["body", "{}"], "msg": "Extra inputs are not permitted"}]},
    "Groq": {"error": {"message": "'{}' : number must be at most 1"}},
}


@pytest.mark.parametrize("field", ["n", "seed"])
@pytest.mark.parametrize("status", [200, 400, 422])
@pytest.mark.parametrize("dialect", REFUSALS)
def test_a_server_that_refuses_a_field_is_asked_without_it(cache, dialect, status, field):
    raw = json.dumps(REFUSALS[dialect]).replace("{}", field).encode()
    said = []
    with FakeServer(lambda k, body: Fault(status=status, raw=raw) if field in body else None) as server:
        requests = [Request(f"p{i}", "code", f"x{i}", n=3) for i in range(5)]
        running = generator(server, cache, said.append, concurrency=2, batch_choices=field == "n")
        results = running.generate(requests)
        asked = len(server.seen)
        assert generator(server, cache, batch_choices=field == "n").generate(requests)[0][0].cached
        assert len(server.seen) == asked
    assert all(sample.text for samples in results for sample in samples)
    assert asked <= 15 + 2  # refused once by each of the two that asked at the same time
    assert len(said) == 1
    assert f"refuses '{field}', which is left out from now on" in said[0]


def test_a_server_that_refuses_both_fields(cache):
    def plan(k, body):
        name = next((name for name in ("n", "seed") if name in body), None)
        return Fault(status=400, message=f"unknown field '{name}'") if name else None

    said = []
    with FakeServer(plan) as server:
        assert generator(server, cache, said.append).generate(ONE)[0][0].text
    assert len(said) == 2


def test_a_prompt_that_is_refused_for_another_reason_keeps_the_fields(cache):
    def plan(k, body):
        return Fault(status=400, message="a seed is invalid here") if prompt_of(body) == "bad" else None

    with FakeServer(plan) as server:
        (bad,), (good,) = generator(server, cache, concurrency=1).generate([Request("b", "code", "bad"), *ONE])
    assert (bad.text, good.text) == ("", GOOD)
    assert "seed" in server.seen[-1].body


def test_n_may_be_taken_away(cache):
    with FakeServer() as server:
        running = generator(server, cache, extra={"n": None}, batch_choices=True)
        (samples,) = running.generate([Request("p", "code", "x", n=3)])
    assert len({sample.text for sample in samples}) == 3
    assert not any("n" in seen.body for seen in server.seen)


@pytest.mark.parametrize("key", ["k", "none", "tokens"])
def test_short_keys_are_not_masked_in_other_words(cache, monkeypatch, key):
    monkeypatch.setenv("OPENAI_API_KEY", key)
    with (
        FakeServer(lambda k, body: Fault(status=400, message="max_tokens: none of the tokens, k")) as server,
        pytest.raises(GenerationError, match=r"max_tokens: none of the tokens, k\)"),
    ):
        generator(server, cache).generate(ONE)


def test_long_keys_are_masked_as_whole_words_only(cache, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "max_tokens")
    with (
        FakeServer(lambda k, body: Fault(raw=b'{"error": "max_tokens_limit, key max_tokens."}')) as server,
        pytest.raises(GenerationError, match=r"max_tokens_limit, key \*\*\*\."),
    ):
        generator(server, cache).generate(ONE)


def test_retry_after_may_be_a_date():
    from email.utils import formatdate
    from time import time

    from codepref.generate.fleet import _asked_wait

    assert 8 < _asked_wait({"retry-after": formatdate(time() + 10, usegmt=True)}) <= 10
    assert _asked_wait({"retry-after": "soon"}) is None


def test_two_hundred_samples_with_five_in_a_hundred_bad_end(cache):
    """Every twentieth request meets the next quirk of all there are."""
    bad = [raw for raw, _ in OWN_EMPTIES.values()] + list(PASSING.values()) + list(UNKNOWN.values())

    def plan(k, body):
        return Fault(raw=bad[k // 20 % len(bad)], headers=QUICK) if k % 20 == 7 else None

    with FakeServer(plan) as server:
        results = generator(server, cache).generate([Request(f"p{i}", "code", f"x{i}") for i in range(200)])
    texts = [samples[0].text for samples in results]
    assert len(texts) == 200
    assert texts.count("") == len(OWN_EMPTIES)


def test_prompts_that_break_the_server_whenever_they_are_asked_are_empty_samples(cache, monkeypatch):
    monkeypatch.setattr("codepref.generate.fleet.FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr("codepref.generate.fleet.LONGEST_OWN_PAUSE_S", 0.02)

    def plan(k, body):
        return Fault(status=500, message="out of memory") if int(prompt_of(body)) % 20 == 7 else None

    with FakeServer(plan) as server:
        results = generator(server, cache).generate([Request(f"p{i}", "code", f"{i}") for i in range(200)])
    lost = {i: samples[0].finish_reason for i, samples in enumerate(results) if not samples[0].text}
    assert lost == dict.fromkeys(range(7, 200, 20), "error: HTTP 500 (out of memory)")


def test_nothing_but_refusals_stop_the_run_and_running_again_gets_further(cache):
    raw, _ = OWN_EMPTIES["refusal"]
    requests = [Request(f"p{i}", "code", f"x{i}", n=2) for i in range(60)]
    for asked in (EMPTY_LIMIT, 2 * EMPTY_LIMIT):
        with (
            FakeServer(lambda k, body: Fault(raw=raw)) as server,
            pytest.raises(GenerationError, match=r"samples in a row without an answer, the first: .*refusal: I can"),
        ):
            generator(server, cache, concurrency=1).generate(requests)
        assert EMPTY_LIMIT <= len(server.seen) <= asked * 2


def test_one_prompt_that_is_refused_again_and_again_does_not_stop_the_others(cache):
    raw, _ = OWN_EMPTIES["refusal"]
    requests = [Request("p0", "code", "bad", n=3 * EMPTY_LIMIT), *ONE]
    with FakeServer(lambda k, body: Fault(raw=raw) if prompt_of(body) == "bad" else None) as server:
        bad, (good,) = generator(server, cache, concurrency=1).generate([*ONE, *requests[:1]])[::-1]
    assert good.text == GOOD
    assert {sample.text for sample in bad} == {""}
