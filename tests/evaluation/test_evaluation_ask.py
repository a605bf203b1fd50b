import dataclasses
import json

import pytest
from generate.fake_server import FakeServer, Fault, prompt_of

from codepref.errors import CodeprefError
from evaluation.ask import AskedModel, draw_samples
from evaluation.benchmark import Problem
from evaluation.catalogue import benchmark
from evaluation.samples import read_samples, write_samples

PROBLEM = Problem("HumanEval/0", 'def f(a):\n    """Doc."""\n', "", "f")
TASK = "Please provide a self-contained Python script that solves the following problem in a markdown code block:"


def answer(prompt, seed, choice):
    return (
        "    return a\n\ndef g():\n    pass\n"
        if prompt.startswith("def")
        else "```python\ndef f(a):\n    return a\n```\nDone."
    )


def test_a_served_chat_model_sees_the_official_prompt(tmp_path):
    with FakeServer(text=answer) as server:
        model = AskedModel("m", "server", base_url=server.base_url)
        found = draw_samples(benchmark("humaneval_plus"), [PROBLEM], model, tmp_path)
        (seen,) = server.seen
    assert seen.body["messages"] == [{"role": "user", "content": f'{TASK}\n```python\ndef f(a):\n    """Doc."""\n```'}]
    assert (seen.body["temperature"], seen.body["max_tokens"]) == (0.0, 768)
    assert [(s.program, s.raw) for s in found] == [("def f(a):\n    return a\n", answer("", 0, 0))]


def test_a_served_base_model_goes_on_after_the_prompt(tmp_path):
    with FakeServer(text=answer) as server:
        model = AskedModel("m", "server", base_url=server.base_url, chat=False, n=3, temperature=0.8)
        found = draw_samples(benchmark("humaneval_plus"), [PROBLEM], model, tmp_path)
        prompts = {prompt_of(seen.body) for seen in server.seen}
        again = draw_samples(benchmark("humaneval_plus"), [PROBLEM], model, tmp_path)
        assert len(server.seen) == 3
    assert prompts == {PROBLEM.prompt}
    assert [s.program for s in found] == ['def f(a):\n    """Doc."""\n    return a\n'] * 3
    assert again == found


def test_a_base_model_is_not_asked_in_words(tmp_path):
    with pytest.raises(CodeprefError, match="take the complete split"):
        problem = dataclasses.replace(PROBLEM, row={"instruct_prompt": "Do it."})
        draw_samples(benchmark("bigcodebench", "instruct"), [problem], AskedModel("m", "server", chat=False), tmp_path)


def test_a_local_chat_model_has_its_answer_begun(tmp_path):
    pytest.importorskip("transformers")
    from generate.tiny_model import make_model

    from codepref.generate.local.prefill import prefilled, template

    folder = make_model(tmp_path / "model")
    assert template(folder)
    (text,) = prefilled(folder, None, [(None, "question", "answer:\n```python\n")])
    assert text == "<|user|>question<|end|><|assistant|>answer:\n```python\n"
    kind = dataclasses.replace(benchmark("humaneval_plus"), max_tokens=8)
    (sample,) = draw_samples(kind, [PROBLEM], AskedModel(folder), tmp_path)
    assert sample.task_id == "HumanEval/0"
    from codepref.generate.local import release

    release()


def test_longer_answers_may_be_asked_for_and_cut_ones_are_marked(tmp_path):
    def cut(prompt, seed, choice):
        return "```python\ndef f(a):\n    return a"

    with FakeServer(lambda k, body: Fault(finish_reason="length"), text=cut) as server:
        model = AskedModel("m", "server", base_url=server.base_url, max_tokens=2000)
        (found,) = draw_samples(benchmark("humaneval_plus"), [PROBLEM], model, tmp_path)
        assert [seen.body["max_tokens"] for seen in server.seen] == [2000]
    assert found.cut is True


def test_thoughts_are_kept_apart_and_those_without_an_end_are_counted(tmp_path):
    """Of a benchmark whose answers are taken as they are, too."""

    def remade(good):
        good["choices"][0]["message"]["reasoning_content"] = "hmm"
        return json.dumps(good).encode()

    problems = [Problem(name, "", "", row={"starter": "", "called": ""}) for name in ("1_A", "1_B")]
    problems = [dataclasses.replace(problem, prompt=f"Task {problem.task_id}.") for problem in problems]

    def answer(prompt, seed, choice):
        return "<think>on and on" if "1_B" in prompt else "```python\nprint(1)\n```"

    with FakeServer(lambda k, body: Fault(remake=remade), text=answer) as server:
        found = draw_samples(
            benchmark("livecodebench"), problems, AskedModel("m", "server", base_url=server.base_url), tmp_path
        )
    assert [sample.rule for sample in found] == ["", "unfinished thought"]
    assert [sample.thought for sample in found] == ["hmm", "hmm"]
    write_samples(tmp_path, "samples", found)
    (row, _) = map(json.loads, (tmp_path / "samples.raw.jsonl").read_text().splitlines())
    assert row == {"task_id": "1_A", "solution": "```python\nprint(1)\n```", "thought": "hmm"}
    (saved, _) = read_samples(tmp_path / "samples.raw.jsonl", benchmark("livecodebench"), problems)
    assert saved.program == found[0].program
