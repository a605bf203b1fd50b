"""What moves a score: HumanEval+ asked with one thing changed at a time, paired with the official way.

    codepref evaluate humaneval_plus --model MODEL --out OUT/official
    python -m benchmarks.score_moves MODEL OUT [--problems 48] [--data FILE] [--only NAME ...]

Every change is asked about the first problems only and compared with the official way on the same problems. What was
asked is kept in OUT: an interrupted run goes on. A chat model is needed: most changes are to its template.
"""

import argparse
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from codepref.commands.options import cores
from evaluation.ask import AskedModel
from evaluation.benchmark import Asked, Benchmark, Problem
from evaluation.catalogue import benchmark
from evaluation.compare import compare_runs
from evaluation.run import Options, run_benchmark

NAME = "humaneval_plus"


@dataclass(frozen=True)
class Change:
    """One thing that is done otherwise."""

    words: str
    question: Callable[[Asked], Asked] = lambda asked: asked
    chat: bool | None = None
    max_tokens: int | None = None


def _begin(begin: str) -> Callable[[Asked], Asked]:
    return lambda asked: replace(asked, begin=begin)


CHANGES: Mapping[str, Change] = {
    "no_begin": Change("the answer is not begun for the model", _begin("")),
    "no_newline": Change("the begun answer without its last newline", lambda a: replace(a, begin=a.begin.rstrip("\n"))),
    "system": Change(
        "a system text of ours in place of the template's own",
        lambda asked: replace(asked, system="You are a careful Python programmer."),
    ),
    "blank_line": Change("a blank line after the question", lambda asked: replace(asked, text=f"{asked.text}\n\n")),
    "bare_task": Change(
        "the task alone, without the sentence round it", lambda asked: replace(asked, text=_task(asked))
    ),
    "base": Change("asked as a base model, without the chat template", chat=False),
    "short": Change("at most 256 tokens an answer", max_tokens=256),
}


def _task(asked: Asked) -> str:
    """The question without the instruction before its code block."""
    _, fence, rest = asked.text.partition("```")
    return fence + rest


def changed(official: Benchmark, change: Change) -> Benchmark:
    """The benchmark, asked with one thing changed."""

    def ask(problem: Problem, chat: bool, begun: bool) -> Asked:
        return change.question(official.ask(problem, chat, begun))

    return replace(official, ask=ask)


def _official_part(arguments: argparse.Namespace) -> Path:
    """The official way on the same problems: its answers are there already."""
    part: Path = arguments.out / "official_part"
    (part / NAME).mkdir(parents=True, exist_ok=True)
    shutil.copy(arguments.out / "official" / NAME / "requests.sqlite", part / NAME)
    asked = AskedModel(arguments.model, batch_size=64)
    options = Options(part, arguments.data, model=asked, limit=arguments.problems, workers=cores(), quiet=True)
    run_benchmark(benchmark(NAME), options)
    return part


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("model", help="a folder, or an id on the Hub")
    parser.add_argument("out", type=Path, help="holds `official`, the finished evaluation")
    parser.add_argument("--problems", type=int, default=48, help="how many (%(default)s)")
    parser.add_argument("--data", type=Path, help="a local copy of HumanEval+")
    parser.add_argument(
        "--only", nargs="+", choices=CHANGES, default=list(CHANGES), metavar="NAME", help="some changes"
    )
    arguments = parser.parse_args()
    official = _official_part(arguments) / NAME
    print("| changed | pass@1 before | after | difference | won | lost |\n|---|---|---|---|---|---|")
    for name in arguments.only:
        change = CHANGES[name]
        asked = AskedModel(arguments.model, chat=change.chat, max_tokens=change.max_tokens, batch_size=64)
        options = Options(
            arguments.out / name, arguments.data, model=asked, limit=arguments.problems, workers=cores(), quiet=True
        )
        run_benchmark(changed(benchmark(NAME), change), options)
        found = compare_runs(official, arguments.out / name / NAME)
        before, after = found["pass@1"]
        span = f"{found['difference']:+.1f} [{found['low']:+.1f}, {found['high']:+.1f}]"
        print(
            f"| {change.words} | {before:.1f} | {after:.1f} | {span} | {len(found['wins'])} | {len(found['losses'])} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
