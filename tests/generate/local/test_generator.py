import os
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from dataclasses import replace

import pytest

from codepref.generate import GenerationError, Request, Sampling, sample_seed
from codepref.generate.cache import Cache
from codepref.generate.local import LocalConfig, LocalGenerator, release

from generate.tiny_model import change_config, make_adapter, make_model, make_tokenizer  # isort: skip

REQUESTS = [Request(f"p{i}", "code", "def f" + "x" * (7 * i % 5) + "(y):", n=3) for i in range(4)]
SAMPLING = Sampling(temperature=1.0, max_tokens=12)


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    """Threads that wait for each other make a tiny model slow on a busy machine."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
    release()


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return make_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def adapter(model, tmp_path_factory):
    return make_adapter(model, tmp_path_factory.mktemp("adapter"))


@pytest.fixture
def cache(tmp_path):
    with Cache(tmp_path / "requests.sqlite") as cache:
        yield cache


@pytest.fixture
def fresh(tmp_path):
    """A function that gives caches in which nothing lies yet."""
    opened = []

    def cache():
        opened.append(Cache(tmp_path / f"{len(opened)}.sqlite"))
        return opened[-1]

    yield cache
    for item in opened:
        item.close()


def ask(model, cache, requests=REQUESTS, sampling=SAMPLING, run_seed=0, **config):
    return LocalGenerator(LocalConfig(model, **config), sampling, cache, run_seed).generate(requests)


def texts(results):
    return [[completion.text for completion in row] for row in results]


def flat(results):
    return [completion for row in results for completion in row]


def test_greedy_is_what_transformers_says_without_padding(model, cache):
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(model)
    reference = transformers.AutoModelForCausalLM.from_pretrained(model)
    requests = [replace(request, n=1) for request in REQUESTS]
    found = ask(model, cache, requests, Sampling(temperature=0, max_tokens=12), batch_size=4, chat=False)
    for request, (completion,) in zip(requests, found, strict=True):
        encoded = tokenizer(request.prompt, return_tensors="pt")
        output = reference.generate(**encoded, do_sample=False, max_new_tokens=12)[0, encoded.input_ids.shape[1] :]
        assert completion.text == tokenizer.decode(output, skip_special_tokens=True)
        assert completion.prompt_tokens == encoded.input_ids.shape[1]
        assert completion.completion_tokens == len(output)


def test_a_sample_depends_neither_on_its_batch_nor_on_the_order(model, fresh):
    # float32 on a CPU: no random number of this test lies so near to a boundary that the last bits decide
    alone = ask(model, fresh(), batch_size=1)
    together = ask(model, fresh(), batch_size=12)
    back = ask(model, fresh(), REQUESTS[::-1], batch_size=5)
    assert alone == together == back[::-1]
    assert [c.seed for c in alone[1]] == [sample_seed(0, "p1", "code", i) for i in range(3)]
    assert len({completion.text for completion in flat(alone)}) == 12
    assert texts(ask(model, fresh(), run_seed=1)) != texts(alone)


def test_requests_are_told_apart_when_they_are_done(model, cache):
    done = []
    generator = LocalGenerator(LocalConfig(model, batch_size=2), SAMPLING, cache)
    results = generator.generate(REQUESTS, on_done=lambda request, row: done.append((request.prompt_id, list(row))))
    assert dict(done) == {request.prompt_id: row for request, row in zip(REQUESTS, results, strict=True)}
    assert len(done) == 4
    assert generator.stats.answers == 12
    assert generator.stats.completion_tokens == sum(c.completion_tokens for row in results for c in row)


def test_what_was_answered_is_not_asked_again(model, cache):
    first = ask(model, cache)
    release()
    again = LocalGenerator(LocalConfig(model, batch_size=3), SAMPLING, cache)
    assert texts(again.generate(REQUESTS)) == texts(first)
    assert (again.stats.answers, again.stats.cached) == (0, 12)
    more = LocalGenerator(LocalConfig(model), SAMPLING, cache)
    more.generate([replace(REQUESTS[0], n=5)])
    assert (more.stats.answers, more.stats.cached) == (2, 3)


def test_another_model_another_setting_other_answers(model, adapter, cache, tmp_path):
    first = texts(ask(model, cache))
    assert texts(ask(model, cache, adapter=adapter)) != first
    other = make_model(tmp_path / "other", seed=3)
    assert texts(ask(other, cache)) != first
    generator = LocalGenerator(LocalConfig(model, dtype="bfloat16"), SAMPLING, cache)
    generator.generate(REQUESTS)
    assert generator.stats.cached == 0


def test_weights_that_changed_in_place_are_another_model(tmp_path, cache):
    model = make_model(tmp_path / "m")
    first = texts(ask(model, cache))
    make_model(tmp_path / "m", seed=9)
    assert texts(ask(model, cache)) != first


def test_names_hold_no_paths(model, adapter, cache, tmp_path):
    generator = LocalGenerator(LocalConfig(str(tmp_path), adapter="ORG/adapter"), SAMPLING, cache)
    assert generator.name == f"{tmp_path.name} + ORG/adapter"


CHILD = """
import sys
from codepref.generate import Request, Sampling
from codepref.generate.cache import Cache
from codepref.generate.local import LocalConfig, LocalGenerator
model, path = sys.argv[1:]
requests = [Request(f"p{i}", "code", "def f" + "x" * (7 * i % 5) + "(y):", n=3) for i in range(4)]
with Cache(path) as cache:
    generator = LocalGenerator(LocalConfig(model, batch_size=2), Sampling(temperature=1.0, max_tokens=12), cache)
    generator.generate(requests, on_done=lambda request, row: (print("done", flush=True), sys.stdin.readline()))
"""


def test_kill_9_in_the_middle_generates_nothing_twice(model, fresh, tmp_path, root):
    path = tmp_path / "killed.sqlite"
    words = [sys.executable, "-c", CHILD, model, str(path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    child = subprocess.Popen(words, cwd=root, **pipes, text=True)
    assert child.stdout.readline() == "done\n"
    os.kill(child.pid, signal.SIGKILL)
    child.communicate()
    kept = sqlite3.connect(path).execute("SELECT count(*) FROM answers").fetchone()[0]
    assert 3 <= kept < 12
    with Cache(path) as cache:
        generator = LocalGenerator(LocalConfig(model, batch_size=2), SAMPLING, cache)
        results = generator.generate(REQUESTS)
    assert (generator.stats.cached, generator.stats.answers) == (kept, 12 - kept)
    assert texts(results) == texts(ask(model, fresh()))


def test_stop_texts_end_a_sample_before_them(model, fresh):
    whole = ask(model, fresh(), sampling=Sampling(max_tokens=40))
    stop = ("assert ", "->")
    cut = ask(model, fresh(), sampling=Sampling(max_tokens=40, stop=stop))
    stopped = 0
    for before, after in zip(flat(whole), flat(cut), strict=True):
        place = min((before.text.find(item) for item in stop if item in before.text), default=None)
        assert after.text == before.text[:place]
        if place is not None:
            stopped += 1
            assert after.finish_reason == "stop"
    assert stopped > 0
    assert max(c.completion_tokens for c in flat(cut)) <= 40
    assert cut == ask(model, fresh(), sampling=Sampling(max_tokens=40, stop=stop), batch_size=1)


def test_the_end_of_sequence_ends_a_sample(model, cache):
    results = ask(model, cache, sampling=Sampling(temperature=2.0, max_tokens=100))
    reasons = Counter(c.finish_reason for row in results for c in row)
    assert set(reasons) == {"stop", "length"}
    for row in results:
        for completion in row:
            assert (completion.completion_tokens == 100) == (completion.finish_reason == "length")
            assert "<|" not in completion.text


def test_chat_template_is_used_where_there_is_one(model, tmp_path, fresh):
    auto = ask(model, fresh())
    assert texts(auto) == texts(ask(model, fresh(), chat=True))
    plain = ask(model, fresh(), chat=False)
    assert texts(plain) != texts(auto)
    assert auto[0][0].prompt_tokens == plain[0][0].prompt_tokens + 3
    with_system = ask(model, fresh(), [replace(REQUESTS[0], system="be brief")])
    assert with_system[0][0].prompt_tokens > auto[0][0].prompt_tokens
    bare = make_model(tmp_path / "bare", chat=False)
    assert texts(ask(bare, fresh())) == texts(ask(bare, fresh(), chat=False))
    for chat in (None, False):
        with pytest.raises(ValueError, match="put it into the prompt"):
            ask(bare, fresh(), [replace(REQUESTS[0], system="be brief")], chat=chat)
    with pytest.raises(GenerationError, match="no chat template"):
        ask(bare, fresh(), chat=True)


def test_an_adapter_brings_its_tokenizer(tmp_path, cache):
    model = make_model(tmp_path / "m", chat=False)
    adapter = make_adapter(model, tmp_path / "a")
    plain = ask(model, cache, adapter=adapter)
    make_tokenizer(chat=True).save_pretrained(adapter)
    release()
    chat = ask(model, cache, adapter=adapter)
    assert chat[0][0].prompt_tokens == plain[0][0].prompt_tokens + 3


def test_a_prompt_too_long_is_named(model, cache):
    with pytest.raises(GenerationError, match=r"prompt 'long': 60\d tokens and max_tokens 12 are more than the 512"):
        ask(model, cache, [*REQUESTS, Request("long", "code", "x" * 600)])


def one_line(error):
    assert len(str(error.value).splitlines()) == 1
    return str(error.value)


def test_a_missing_model_is_named(tmp_path, cache):
    for where in (str(tmp_path / "nowhere"), "nobody/nothing", "a/b/c"):
        with pytest.raises(GenerationError, match="no such folder, and not to be had from the Hub") as error:
            ask(where, cache)
        assert one_line(error).startswith(where)
    with pytest.raises(GenerationError, match=r"no config\.json in this folder"):
        ask(str(tmp_path), cache)


def test_a_damaged_model_is_named(tmp_path, cache):
    model = make_model(tmp_path / "m")
    weights = tmp_path / "m" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(GenerationError, match="can not be loaded") as error:
        ask(model, cache)
    assert str(tmp_path / "m") in one_line(error)
    change_config(tmp_path / "m", model_type="unheard_of")
    with pytest.raises(GenerationError, match="can not be loaded") as error:
        ask(model, cache)
    one_line(error)


def test_an_adapter_of_another_model_is_named(model, adapter, tmp_path, cache):
    with pytest.raises(GenerationError, match=r"no adapter_config\.json"):
        ask(model, cache, adapter=model)
    config = tmp_path / "a" / "adapter_config.json"
    make_adapter(model, tmp_path / "a")
    config.write_text(config.read_text().replace("q_proj", "query"))
    change = config.read_text().replace('"down_proj"', '"elsewhere"').replace('"v_proj"', '"nowhere"')
    config.write_text(change)
    with pytest.raises(GenerationError, match="can not be loaded") as error:
        ask(model, cache, adapter=str(tmp_path / "a"))
    one_line(error)


def test_missing_libraries_are_named(model, cache, monkeypatch):
    release()
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(GenerationError, match=r'pip install "codepref\[local\]"') as error:
        ask(model, cache)
    one_line(error)


SCARCE = """
import resource, sys
import torch
torch.set_num_threads(1)
from codepref.generate import GenerationError, Request, Sampling
from codepref.generate.cache import Cache
from codepref.generate.local import LocalConfig, LocalGenerator

def leave(megabytes):
    used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + (megabytes << 20), resource.RLIM_INFINITY))

model, path = sys.argv[1:]
with Cache(path) as cache:
    generator = LocalGenerator(LocalConfig(model, batch_size=64), Sampling(max_tokens=1), cache)
    generator.generate([Request("warm", "code", "up")])
    leave(16)  # enough for the words, not for the model
    try:
        generator.generate([Request("q", "code", "x" * 20000)])
    except GenerationError as error:
        print(error)
    leave(120)
    generator.batch_size = 64
    answers = generator.generate([Request(f"p{i}", "code", chr(97 + i % 26) * (1500 - i)) for i in range(64)])
    print(len(answers), generator.batch_size)
"""


def test_a_batch_too_large_for_memory_is_halved(tmp_path, root):
    model = make_model(tmp_path / "m", context=32768)
    words = [sys.executable, "-c", SCARCE, model, str(tmp_path / "c.sqlite")]
    environment = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "131072"}  # what is freed goes back at once
    result = subprocess.run(words, cwd=root, capture_output=True, text=True, env=environment)
    assert result.returncode == 0, result.stderr
    error, numbers = result.stdout.splitlines()
    count, size = map(int, numbers.split())
    assert count == 64
    assert size < 64
    assert "m: out of memory with 64 sequences; going on with batch_size 32" in result.stderr
    assert error.startswith("m: out of memory with a single prompt of 20,003 tokens and max_tokens 1; lower max_tokens")


@pytest.mark.parametrize("where", ["draw", "advance", "join"])
def test_memory_that_ends_anywhere_costs_no_text(model, fresh, monkeypatch, where, capsys):
    import torch

    from codepref.generate.local.batch import Batch

    whole = ask(model, fresh(), batch_size=12)
    calls, usual = [], getattr(Batch, where)

    def fails_once(batch, *rest):
        calls.append(where)
        if len(calls) == (1 if where == "join" else 4):
            raise torch.OutOfMemoryError("out of memory")
        return usual(batch, *rest)

    monkeypatch.setattr(Batch, where, fails_once)
    generator = LocalGenerator(LocalConfig(model, batch_size=12), SAMPLING, fresh())
    assert texts(generator.generate(REQUESTS)) == texts(whole)
    assert generator.batch_size < 12
    assert "out of memory with" in capsys.readouterr().err
    assert (generator.stats.written, generator.stats.partial) == (0, 0)
