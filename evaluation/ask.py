"""Samples from a model: the official prompts, asked of a server or of a model on this machine."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from codepref.errors import CodeprefError
from evaluation.benchmark import Asked, Benchmark, Problem, Settings
from evaluation.samples import MARK, GradedSample, cleaned, unfinished, writable

if TYPE_CHECKING:  # what asks a model is loaded when one is asked: saved answers are graded without it
    from codepref.generate import Completion
    from codepref.generate.backends import Backend

BACKENDS = ("local", "server", "tiny")


@dataclass(frozen=True)
class AskedModel:
    """Which model is asked, and how."""

    name: str
    """A folder, an id on the Hub, or the name a server knows it by."""
    backend: str = "local"
    adapter: str | None = None
    base_url: str = "http://localhost:8000/v1"
    chat: bool | None = None
    """Whether it is a chat model; None: a local one if its tokenizer has a template, a served one always."""
    n: int = 1
    temperature: float = 0.0
    seed: int = 0
    max_tokens: int | None = None
    """Longest answer in tokens; None: what the benchmark's authors allow."""
    batch_size: int | None = None
    """Answers that are written side by side, where the model runs here; None: the backend's default."""


def ask_questions(benchmark: Benchmark, problems: Sequence[Problem], model: AskedModel) -> tuple[list[Asked], bool]:
    """The questions as they are sent, and whether the model is asked as a chat model."""
    if model.backend == "server":
        chat = model.chat is not False
        return [benchmark.ask(problem, chat, False) for problem in problems], chat
    if model.backend == "tiny":
        return [benchmark.ask(problem, False, False) for problem in problems], False
    from codepref.generate.local.prefill import prefilled, template

    chat = bool(template(model.name, model.adapter)) if model.chat is None else model.chat
    questions = [benchmark.ask(problem, chat, chat) for problem in problems]
    if chat:
        texts = prefilled(model.name, model.adapter, [(q.system, q.text, q.begin) for q in questions])
        questions = [replace(q, text=text, system=None) for q, text in zip(questions, texts, strict=True)]
    return questions, chat


def draw_samples(
    benchmark: Benchmark,
    problems: Sequence[Problem],
    model: AskedModel,
    cache: Path,
    settings: Settings = Settings(),  # noqa: B008 - frozen
    quiet: bool = False,
) -> list[GradedSample]:
    """`n` samples a problem. What was asked before is taken from the request cache in `cache`.

    A sample without an answer is an empty program, which fails, and says why as its rule.

    Raises `CodeprefError` where the backend can not answer, or for an instruct task and a base model.
    """
    from codepref.generate import Request, Sampling
    from codepref.generate.backends import connected
    from codepref.generate.progress import counting
    from codepref.stages import progress

    questions, chat = ask_questions(benchmark, problems, model)
    if not chat and "instruct" in benchmark.name:
        raise CodeprefError(f"{benchmark.name}: a base model can not be asked in words; take the complete split")
    stop = questions[0].stop if questions else ()
    requests = [
        Request(problem.task_id, "code", question.text, question.system, model.n)
        for problem, question in zip(problems, questions, strict=True)
    ]
    top_p = 0.95 if model.temperature > 0 else 1.0
    sampling = Sampling(model.temperature, top_p, model.max_tokens or benchmark.max_tokens, stop)
    with connected(_backend(model, chat), sampling, cache / "requests.sqlite", model.seed, _say) as generator:
        total = sum(request.n for request in requests)
        with progress("answers", total, "sample", quiet=quiet) as bar:
            answers = generator.generate(requests, on_done=counting(bar, generator.stats))
    drawn = [
        _drawn(benchmark, problem, index, answer, stop, chat)
        for problem, found in zip(problems, answers, strict=True)
        for index, answer in enumerate(found)
    ]
    asked = {problem.task_id: problem for problem in problems}
    given = [(asked[sample.task_id], sample.raw) for sample in drawn]
    if benchmark.bare:
        programs = [(benchmark.program(problem, text), unfinished(text)) for problem, text in given]
    else:
        programs = cleaned(benchmark, given, settings)
    return [
        replace(sample, program=program, rule=sample.rule or rule)
        for sample, (program, rule) in zip(drawn, programs, strict=True)
    ]


def _drawn(
    benchmark: Benchmark, problem: Problem, index: int, answer: "Completion", stop: Sequence[str], chat: bool
) -> GradedSample:
    """An answer, before a program is taken from it."""
    given = writable(answer.text)
    shown = cut(given.removeprefix(MARK), stop)
    ended_early = answer.finish_reason.startswith("length") and not any(mark in given for mark in stop)
    raw = _raw(benchmark, problem, shown, chat)
    rule = "" if answer.text.strip() else f"no answer: {answer.finish_reason}"
    return GradedSample(
        problem.task_id,
        index,
        raw,
        "",
        rule,
        cut=ended_early,
        mended=given != answer.text,
        thought=writable(answer.thought),
    )


def _say(line: str) -> None:
    print(line, file=sys.stderr)


def _backend(model: AskedModel, chat: bool) -> "Backend":
    from codepref.generate.backends import Backend
    from codepref.generate.local import LocalConfig
    from codepref.generate.server import ServerConfig
    from codepref.generate.tiny.backend import TinyConfig

    if model.backend == "server":
        api: Literal["chat", "completions"] = "chat" if chat else "completions"
        return Backend(server=ServerConfig(model.name, tuple(model.base_url.split(",")), api=api))
    if model.backend == "tiny":
        return Backend(tiny=TinyConfig(model.name))
    # the chat template is filled in here already, with the begin of the answer
    local = LocalConfig(model.name, adapter=model.adapter, chat=False)
    return Backend(local=local if model.batch_size is None else replace(local, batch_size=model.batch_size))


def cut(text: str, stop: Sequence[str]) -> str:
    """The text before the first of the stop texts, for backends that leave it in."""
    ends = [text.index(mark) for mark in stop if mark in text]
    return text[: min(ends)] if ends else text


def _raw(benchmark: Benchmark, problem: Problem, text: str, chat: bool) -> str:
    """The answer as it is kept: a base model's completes the prompt."""
    return text if chat or benchmark.bare else problem.prompt.strip() + "\n" + text.replace("\t", "    ")
