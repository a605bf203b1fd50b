"""A whole evaluation of a served model of whose answers some are none."""

import json

from evaluation_tiny import write_lines
from generate.fake_server import FakeServer, Fault
from generate.quirks import LOG_IN, OWN_EMPTIES, UNKNOWN

from evaluation.ask import AskedModel
from evaluation.catalogue import benchmark
from evaluation.results import read_verdicts
from evaluation.run import Options, run_benchmark

PROBLEMS = [
    {
        "task_id": f"HumanEval/{1000 + n}",
        "entry_point": f"add{n}",
        "prompt": f'def add{n}(a):\n    """The sum of a and {n}."""\n',
        "canonical_solution": f"    return a + {n}\n",
        "base_input": [[1]],
        "plus_input": [[5]],
        "atol": 0,
    }
    for n in range(200)
]
BAD = [
    OWN_EMPTIES["refusal"][0],
    OWN_EMPTIES["filter"][0],
    OWN_EMPTIES["length"][0],
    UNKNOWN["error"],
    LOG_IN,
    b'{"choices": []}',
]


def number(body):
    return int(body["messages"][-1]["content"].partition("def add")[2].partition("(")[0])


def plan(k, body):
    """Every twentieth problem never gets an answer, whatever the seed."""
    n = number(body)
    return Fault(raw=BAD[n // 20 % len(BAD)]) if n % 20 == 7 else None


def answer(prompt, seed, choice):
    n = prompt.partition("def add")[2].partition("(")[0]
    return f"```python\ndef add{n}(a):\n    return a + {n}\n```"


def test_ten_of_two_hundred_without_an_answer_fail_and_the_run_ends(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("codepref.generate.server.SECOND_LOOK_S", 0.001)
    data = write_lines(tmp_path / "data.jsonl", PROBLEMS)
    with FakeServer(plan, text=answer) as server:
        model = AskedModel("m", "server", base_url=server.base_url)
        options = Options(tmp_path / "out", data, model=model, cache=tmp_path / "cache", quiet=True)
        found = run_benchmark(benchmark("humaneval_plus"), options)
    assert (found["samples"], found["problems"]) == (200, 200)
    assert found["score"]["pass@1"]["value"] == 0.95
    rows = read_verdicts(tmp_path / "out" / "humaneval_plus" / "verdicts.jsonl")
    failed = {row["task_id"]: row["extraction"] for row in rows if row["verdict"] != "passed"}
    assert len(failed) == 10
    assert failed["HumanEval/1007"] == "no answer: refusal: I can't help with that."
    assert failed["HumanEval/1067"] == "no answer: error: HTTP 200 with an error: EngineCore met an issue"
    assert all(reason.startswith("no answer: ") for reason in failed.values())
    assert "10 of 200 samples are without an answer" in capsys.readouterr().err
    assert "no answer" in json.dumps(found["extraction"])
