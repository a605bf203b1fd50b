"""Runs a benchmark: samples in (or a model), verdicts and scores out.

    python -m evaluation.run humaneval_plus,mbpp_plus --samples FILE --out DIR
    codepref evaluate humaneval_plus --model ORG/NAME --out DIR

Every benchmark gets a folder in DIR. References are graded first, in the same interpreter, and nothing is reported
when too few of them pass. A run that was interrupted goes on with the problems it has no verdicts for.
"""

import dataclasses
import datetime
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from codepref import __version__
from codepref.cluster import Cluster
from codepref.errors import CodeprefError
from codepref.sandbox import Profile, layers
from evaluation import contamination, leaderboard, results
from evaluation.ask import AskedModel, draw_samples
from evaluation.benchmark import CACHE, Benchmark, Graded, Problem, Settings, dataset_hash, digest_of
from evaluation.grade import environment
from evaluation.grade.spread import grade_spread
from evaluation.results import Row
from evaluation.samples import EXTRACTOR, GradedSample, read_samples, write_samples, write_text


@dataclass(frozen=True)
class Options:
    """What a run of one benchmark is told."""

    out: Path
    data: Path | None = None
    """A local copy of the benchmark; None loads it from the Hub."""
    samples: Path | None = None
    clean: bool = False
    """Take the program out of each saved text first."""
    model: AskedModel | None = None
    ids: Path | None = None
    """A JSON list of task ids, to grade only those."""
    limit: int | None = None
    workers: int = 1
    python: str | None = None
    cache: Path = CACHE
    trained_on: Path | None = None
    """Manifest or card of the data the model was trained on."""
    allow_unisolated: bool = False
    profile: Profile = "function"
    quiet: bool = False
    cluster: Cluster | None = None
    """Ray, to grade on instead of this machine."""


def run_benchmark(benchmark: Benchmark, options: Options) -> dict[str, Any]:
    """Grades one benchmark and writes its folder; returns the content of `results.json`.

    Raises `CodeprefError` for bad input, a missing environment, or references that fail.
    """
    python = options.python or (
        environment.python(benchmark.environment, options.cache) if benchmark.environment else None
    )
    settings = Settings(
        workers=options.workers,
        python=python,
        cache=options.cache,
        allow_unisolated=options.allow_unisolated,
        profile=options.profile,
    )
    problems = select_problems(benchmark.load(options.data), options)
    folder = options.out / benchmark.name
    answers = _answers(benchmark, problems, options, folder, settings)
    used = [problem for problem in problems if problem.task_id in {sample.task_id for sample in answers}]
    contaminated = contamination.contamination_notes(benchmark, used, options.trained_on)
    mark = _fingerprint(benchmark, problems, settings, options)
    gate = _references(benchmark, used, settings, mark, options)
    write_samples(folder, "samples", answers)
    rows = _grade(benchmark, used, answers, settings, folder, mark, options)
    found = results.result(benchmark.name, problems, rows, _facts(mark, gate, options))
    found["notes"] = [*leaderboard.distance_notes(found), *contaminated]
    results.write_results(folder, found)
    results.submission(folder, answers, rows, found)
    return found


def select_problems(problems: list[Problem], options: Options) -> list[Problem]:
    """The problems that are asked for; raises `CodeprefError` for ids the benchmark does not have."""
    if options.ids is not None:
        try:
            wanted = json.loads(options.ids.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise CodeprefError(f"{options.ids}: not a JSON list of task ids ({error})") from None
        unknown = set(map(str, wanted)) - {problem.task_id for problem in problems}
        if unknown:
            raise CodeprefError(f"{options.ids}: {min(unknown)!r} is no task of this benchmark; remove it")
        problems = [problem for problem in problems if problem.task_id in set(map(str, wanted))]
    return problems[: options.limit]


def _answers(
    benchmark: Benchmark, problems: list[Problem], options: Options, folder: Path, settings: Settings
) -> list[GradedSample]:
    if options.samples is not None:
        some = options.ids is not None or options.limit is not None
        return read_samples(options.samples, benchmark, problems, options.clean, skip_unknown=some, settings=settings)
    if options.model is None:
        raise CodeprefError("give --samples FILE or --model ID_OR_PATH")
    return draw_samples(benchmark, problems, options.model, folder, settings)


def _fingerprint(
    benchmark: Benchmark, problems: Sequence[Problem], settings: Settings, options: Options
) -> dict[str, Any]:
    """Everything a score depends on, and one id for all of it."""
    names = environment.pinned(benchmark.environment) if benchmark.environment else ["numpy"]
    chat = options.model is not None and options.model.chat is not False
    example = benchmark.ask(problems[0], chat, False) if problems else None
    parts: dict[str, Any] = {
        "benchmark": benchmark.name,
        "paper": benchmark.paper,
        "dataset": dataset_hash(problems),
        "prompt": digest_of([example.text, example.begin, example.system]) if example else "",
        "stop": list(example.stop) if example else [],
        "chat_template": _template(options.model),
        "max_tokens": benchmark.max_tokens,
        "extractor": EXTRACTOR if options.clean or options.model else "none",
        "limits": {
            "cpu_s": settings.cpu_s,
            "factor": settings.factor,
            "memory_mb": settings.memory_mb,
            "profile": settings.profile,
        },
        "libraries": environment.libraries(settings.python, names),
        "sandbox": list(layers(settings.python)) if not settings.allow_unisolated else ["as available"],
        "codepref": __version__,
    }
    return {"id": digest_of([parts]), **parts}


def _template(model: AskedModel | None) -> str | None:
    if model is None or model.backend != "local":
        return "the server's" if model is not None and model.backend == "server" else None
    from codepref.generate.local.prefill import template

    text = template(model.name, model.adapter)
    return digest_of([text]) if text else None


def _references(
    benchmark: Benchmark, problems: list[Problem], settings: Settings, mark: dict[str, Any], options: Options
) -> dict[str, Any]:
    """How many references pass; raises `CodeprefError` where too few do. Kept by what it depends on, if enough did."""
    parts = {key: mark[key] for key in ("benchmark", "limits", "libraries", "sandbox")}
    digest = digest_of([parts, dataset_hash(problems)])
    path = options.cache / "references" / f"{digest}.json"
    if path.exists():
        return dict(json.loads(path.read_text(encoding="utf-8")))
    work = [(problem, [benchmark.reference(problem)]) for problem in problems]
    graded = _shown(
        grade_spread(benchmark, work, settings, options.cluster), len(work), f"{benchmark.name} references", options
    )
    failed = {p.task_id: found[0] for p, found in zip(problems, graded, strict=True) if found[0].verdict != "passed"}
    gate: dict[str, Any] = {
        "run": len(problems), "passed": len(problems) - len(failed),
        "failed": [task for task in failed if task not in benchmark.excused],
        "excused": {task: benchmark.excused[task] for task in failed if task in benchmark.excused},
        "errors": {task: f"{found.verdict}: {found.error}"[:200] for task, found in failed.items()},
    }  # fmt: skip
    counted = gate["run"] - len(gate["excused"])
    if counted and (counted - len(gate["failed"])) / counted < benchmark.threshold:
        listed = ", ".join(f"{task} ({gate['errors'][task]})" for task in gate["failed"][:5])
        more = f" and {len(gate['failed']) - 5} more" if len(gate["failed"]) > 5 else ""
        raise CodeprefError(
            f"{benchmark.name}: {len(gate['failed'])} of {counted} reference solutions fail here, so no score is "
            f"reported: {listed}{more}; mend the environment or the data file"
        )
    if not any(found.verdict == "unjudged" for found in failed.values()):
        write_text(path, json.dumps(gate, indent=2) + "\n")
    return gate


def _shown(graded: Iterator[list[Graded]], total: int, title: str, options: Options) -> list[list[Graded]]:
    """The verdicts, with progress on stderr: problems a second and the time left."""
    return list(tqdm(graded, total=total, desc=title, unit="problem", file=sys.stderr, disable=options.quiet))


def _grade(
    benchmark: Benchmark,
    problems: Sequence[Problem],
    answers: Sequence[GradedSample],
    settings: Settings,
    folder: Path,
    mark: dict[str, Any],
    options: Options,
) -> list[Row]:
    """Verdicts of all samples in order. Kept ones are used where program and fingerprint are the same."""
    path = folder / "verdicts.jsonl"
    digests = {(s.task_id, s.index): digest_of([mark["id"], s.program]) for s in answers}
    kept = {(row["task_id"], row["sample"]): row for row in results.read_verdicts(path)}
    kept = {
        key: row for key, row in kept.items() if row["program"] == digests.get(key) and row["verdict"] != "unjudged"
    }
    by_task: dict[str, list[GradedSample]] = {}
    for sample in answers:
        by_task.setdefault(sample.task_id, []).append(sample)
    todo = [p for p in problems if any((s.task_id, s.index) not in kept for s in by_task[p.task_id])]
    work = ((problem, [sample.program for sample in by_task[problem.task_id]]) for problem in todo)
    write_text(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in kept.values()))
    with path.open("a", encoding="utf-8") as file:
        graded = grade_spread(benchmark, work, settings, options.cluster)
        progress = tqdm(total=len(todo), desc=benchmark.name, unit="problem", file=sys.stderr, disable=options.quiet)
        for problem, found in zip(todo, graded, strict=True):
            for sample, verdict in zip(
                by_task[problem.task_id], _retried(benchmark, problem, by_task, found, settings), strict=True
            ):
                row = results.verdict_row(sample, verdict, digests[sample.task_id, sample.index])
                kept[sample.task_id, sample.index] = row
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
            file.flush()
            progress.update()
        progress.close()
    rows = [kept[sample.task_id, sample.index] for sample in answers]
    write_text(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    return rows


def _retried(
    benchmark: Benchmark,
    problem: Problem,
    by_task: dict[str, list[GradedSample]],
    found: list[Graded],
    settings: Settings,
) -> list[Graded]:
    """The verdicts, with every unjudged program run once more, alone."""
    return [
        verdict
        if verdict.verdict != "unjudged"
        else next(benchmark.grade([(problem, [sample.program])], dataclasses.replace(settings, workers=1)))[0]
        for sample, verdict in zip(by_task[problem.task_id], found, strict=True)
    ]


def _told(model: AskedModel) -> dict[str, Any]:
    """How the model was asked; where its servers are is nobody's business."""
    return {key: value for key, value in dataclasses.asdict(model).items() if key != "base_url"}


def _facts(mark: dict[str, Any], gate: dict[str, Any], options: Options) -> dict[str, Any]:
    model = options.model
    return {
        "model": model.name if model else None,
        "adapter": model.adapter if model else None,
        "generation": _told(model) if model else None,
        "references": {key: gate[key] for key in ("run", "passed", "failed", "excused")},
        "fingerprint": mark,
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d"),
    }


if __name__ == "__main__":
    from codepref.cli import main

    sys.exit(main(["evaluate", *sys.argv[1:]]))
