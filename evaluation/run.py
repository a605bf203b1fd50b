"""Runs a benchmark: samples in (or a model), verdicts and scores out.

    python -m evaluation.run humaneval_plus,mbpp_plus --samples FILE --out DIR
    codepref evaluate humaneval_plus --model ORG/NAME --out DIR

Every benchmark gets a folder in DIR. References are graded first, in the same interpreter, and nothing is reported
when too few of them pass. A run that was interrupted goes on with the problems it has no verdicts for.
"""

import collections
import dataclasses
import datetime
import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from codepref import __version__
from codepref.errors import CodeprefError
from codepref.sandbox import Profile, layers
from evaluation import contamination, leaderboard, notes, results
from evaluation.ask import AskedModel, draw_samples
from evaluation.benchmark import CACHE, Benchmark, Graded, Problem, Settings, dataset_hash, digest_of
from evaluation.grade import environment
from evaluation.grade.spread import grade_spread
from evaluation.results import Row
from evaluation.samples import (
    EXTRACTOR,
    GradedSample,
    check_saved_texts,
    json_text,
    read_samples,
    write_samples,
    write_text,
)
from evaluation.score import usual_ks
from evaluation.taskids import task_ids
from evaluation.window import Window

if TYPE_CHECKING:  # Ray's part is loaded where Ray grades
    from codepref.cluster import Cluster


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
    ks: tuple[int, ...] = ()
    """The k of pass@k; empty: 1 and the largest usual one that the samples allow."""
    workers: int = 1
    python: str | None = None
    cache: Path = CACHE
    trained_on: Path | None = None
    """Manifest or card of the data the model was trained on."""
    allow_unisolated: bool = False
    profile: Profile = "function"
    quiet: bool = False
    cluster: "Cluster | None" = None
    """Ray, to grade on instead of this machine."""
    window: Window | None = None
    """Grade only tasks published in these days: a score of its own, not a part of the benchmark's."""


@dataclass(frozen=True)
class _Run:
    """One run of one benchmark: what is graded, how, and where its results go."""

    benchmark: Benchmark
    options: Options
    settings: Settings

    @property
    def folder(self) -> Path:
        """The folder of its results."""
        return self.options.out / self.benchmark.name


def run_benchmark(benchmark: Benchmark, options: Options) -> dict[str, Any]:
    """Grades one benchmark and writes its folder; returns the content of `results.json`.

    Raises `CodeprefError` for bad input, a missing environment, or references that fail.
    """
    run = _Run(benchmark, options, _settings(benchmark, options))
    _check_files(run)
    every = _load(run)
    whole = every if options.window is None else options.window.chosen(every, benchmark.name)
    problems = select_problems(whole, options, benchmark.name)
    answers = _answers(run, problems, every)
    answered = {sample.task_id for sample in answers}
    used = [problem for problem in problems if problem.task_id in answered]
    ks = _ks(options, answers)
    contaminated = contamination.contamination_notes(benchmark, used, options.trained_on)
    mark = _fingerprint(run, problems)
    gate = _references(run, used, mark)
    write_samples(run.folder, "samples", answers)
    rows = _grade(run, used, answers, mark["id"])
    part = _part(options, used, _whole(run, whole, problems))
    found = results.result(benchmark.name, used, rows, ks, _facts(mark, gate, options) | part | _cut(answers))
    distance = [] if found["partial"] else leaderboard.distance_notes(found)
    hints = notes.sample_notes(benchmark, answers, rows, options.clean or options.model is not None)
    found["task_hashes"] = {problem.task_id: problem.digest for problem in used}
    found["notes"] = [*distance, *contaminated, *notes.flaw_notes(used), *hints]
    results.write_results(run.folder, found)
    results.submission(run.folder, answers, rows, found)
    return found


def _check_files(run: _Run) -> None:
    """Raises `CodeprefError` for a file that can not be used, before anything is loaded from the Hub or asked."""
    options = run.options
    if options.samples is not None and options.data is None:
        check_saved_texts(options.samples)
    if options.ids is not None:
        _listed_ids(options.ids)
    if options.python is not None and shutil.which(options.python) is None:
        raise CodeprefError(f"--python {options.python}: no interpreter is there; give its path")
    contamination.contamination_notes(run.benchmark, [], options.trained_on)
    results.refuse_overwriting(run.folder, (options.samples, options.data, options.ids, options.trained_on))


def _load(run: _Run) -> list[Problem]:
    """All problems of the benchmark."""
    data = run.options.data
    try:
        return run.benchmark.load(data)
    except CodeprefError as error:
        if data is None:
            raise
        place = "" if str(data) in str(error) else f"{data}: "
        raise CodeprefError(f"--data {place}{error}") from None


def _whole(run: _Run, every: list[Problem], problems: list[Problem]) -> int:
    """How many problems a whole run has; of a local copy of all tasks, `--ids` names those of the hard set."""
    hard = run.benchmark.name.endswith("_hard") and run.options.data is not None and run.options.limit is None
    return len(problems) if hard else len(every)


def _part(options: Options, used: Sequence[Problem], whole: int) -> dict[str, Any]:
    """The mark of a run that did not grade the whole benchmark: how many, of how many, which, and why."""
    facts: dict[str, Any] = {"problems_of_benchmark": whole, "partial": None}
    if len(used) == whole:
        return facts
    reasons = [f"--limit {options.limit}"] if options.limit is not None else []
    reasons += [f"--ids {options.ids}"] if options.ids is not None else []
    why = " and ".join(reasons) or "the samples are of no others"
    tasks = [problem.task_id for problem in used]
    return facts | {"partial": {"problems": len(used), "of": whole, "why": why, "task_ids": tasks}}


def _cut(answers: Sequence[GradedSample]) -> dict[str, Any]:
    """How many answers ended at the token limit; None where a file of samples does not say."""
    known = [sample.cut for sample in answers if sample.cut is not None]
    return {"cut_answers": sum(known) if known else None}


def _ks(options: Options, answers: Sequence[GradedSample]) -> tuple[int, ...]:
    """The k of pass@k, 1 always among them. Raises `CodeprefError` where a problem has fewer samples."""
    counted = collections.Counter(sample.task_id for sample in answers)
    task, least = min(counted.items(), key=lambda item: item[1])
    if not options.ks:
        return usual_ks(least)
    most = max(options.ks)
    if most > least:
        more = f"--n {most}" if options.model is not None else "more samples or a smaller --k"
        raise CodeprefError(f"--k {most} needs {most} samples of every problem, {task} has {least}; give {more}")
    return tuple(sorted({1, *options.ks}))


def _settings(benchmark: Benchmark, options: Options) -> Settings:
    python = options.python
    if python is None and benchmark.environment:
        python = environment.python(benchmark.environment, options.cache)
    return Settings(
        workers=options.workers,
        python=python,
        cache=options.cache,
        allow_unisolated=options.allow_unisolated,
        profile=options.profile,
    )


def select_problems(problems: list[Problem], options: Options, name: str) -> list[Problem]:
    """The problems that are asked for; raises `CodeprefError` for ids the benchmark does not have."""
    if options.ids is not None:
        known = task_ids(name, [problem.task_id for problem in problems])
        wanted = set[str]()
        for text in _listed_ids(options.ids):
            task_id = known.find(text)
            if task_id is None:
                raise CodeprefError(f"--ids {options.ids}: {known.refusal(text)}; correct or remove it")
            wanted.add(task_id)
        problems = [problem for problem in problems if problem.task_id in wanted]
    return problems[: options.limit]


def _listed_ids(path: Path) -> list[str]:
    """The texts and numbers of a JSON list."""
    try:
        found = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        reason = getattr(error, "strerror", None) or error
        raise CodeprefError(f"--ids {path}: not a JSON list of task ids ({reason}); write one") from None
    if not isinstance(found, list) or not found or not all(type(value) in (str, int) for value in found):
        raise CodeprefError(f'--ids {path}: not a JSON list of task ids; write one like ["HumanEval/0", "HumanEval/1"]')
    return list(map(str, found))


def _answers(run: _Run, problems: list[Problem], every: list[Problem]) -> list[GradedSample]:
    """The answers to be graded: saved ones, of which those to other tasks are passed over, or a model's."""
    options = run.options
    if options.samples is not None:
        return read_samples(options.samples, run.benchmark, problems, options.clean, every, run.settings)
    if options.model is None:
        raise CodeprefError("give --samples FILE or --model ID_OR_PATH")
    return draw_samples(run.benchmark, problems, options.model, run.folder, run.settings, options.quiet)


def _fingerprint(run: _Run, problems: Sequence[Problem]) -> dict[str, Any]:
    """Everything a score depends on, and one id for all of it."""
    benchmark, settings, options = run.benchmark, run.settings, run.options
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
        "max_tokens": (options.model.max_tokens if options.model else None) or benchmark.max_tokens,
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


def _references(run: _Run, problems: list[Problem], mark: dict[str, Any]) -> dict[str, Any]:
    """How many references pass; raises `CodeprefError` where too few do. Kept by what it depends on, if enough did."""
    benchmark = run.benchmark
    if benchmark.reference is None:
        return {"run": 0, "passed": 0, "failed": [], "excused": {}}
    parts = {key: mark[key] for key in ("benchmark", "limits", "libraries", "sandbox")}
    digest = digest_of([parts, dataset_hash(problems)])
    path = run.options.cache / "references" / f"{digest}.json"
    if path.exists():
        return dict(json.loads(path.read_text(encoding="utf-8")))
    work = [(problem, [benchmark.reference(problem)]) for problem in problems]
    title = f"{benchmark.name} references"
    failed = dict[str, Graded]()
    with _bar(run, len(problems), title) as bar:
        graded = grade_spread(benchmark, work, run.settings, run.options.cluster)
        for problem, (found,) in zip(problems, graded, strict=True):
            if found.verdict != "passed":
                failed[problem.task_id] = found
            bar.update()
    gate: dict[str, Any] = {
        "run": len(problems), "passed": len(problems) - len(failed),
        "failed": [task for task in failed if task not in benchmark.excused],
        "excused": {task: benchmark.excused[task] for task in failed if task in benchmark.excused},
        "errors": {task: f"{found.verdict}: {found.error}"[:200] for task, found in failed.items()},
    }  # fmt: skip
    _refuse_too_many_failures(benchmark, gate)
    if not any(found.verdict == "unjudged" for found in failed.values()):
        write_text(path, json.dumps(gate, indent=2) + "\n")
    return gate


def _refuse_too_many_failures(benchmark: Benchmark, gate: dict[str, Any]) -> None:
    failed, counted = gate["failed"], gate["run"] - len(gate["excused"])
    if not counted or (counted - len(failed)) / counted >= benchmark.threshold:
        return
    listed = ", ".join(f"{task} ({gate['errors'][task]})" for task in failed[:5])
    more = f" and {len(failed) - 5} more" if len(failed) > 5 else ""
    raise CodeprefError(
        f"{benchmark.name}: {len(failed)} of {counted} reference solutions fail here, so no score is "
        f"reported: {listed}{more}; mend the environment or the data file"
    )


def _bar(run: _Run, total: int, title: str) -> "tqdm[Any]":
    """Progress on stderr: problems a second and the time left."""
    return tqdm(total=total, desc=title, unit="problem", file=sys.stderr, disable=run.options.quiet)


_Key = tuple[str, int]
"""Task id and number of the sample."""


def _grade(run: _Run, problems: Sequence[Problem], answers: Sequence[GradedSample], mark: str) -> list[Row]:
    """Verdicts of all samples in order. Kept ones are used where program and fingerprint are the same."""
    path = run.folder / "verdicts.jsonl"
    digests = {_key(sample): digest_of([mark, sample.program]) for sample in answers}
    kept = _kept(path, digests)
    by_task: dict[str, list[GradedSample]] = {}
    for sample in answers:
        by_task.setdefault(sample.task_id, []).append(sample)
    todo = [problem for problem in problems if any(_key(sample) not in kept for sample in by_task[problem.task_id])]
    write_text(path, json_text(kept.values()))
    with path.open("a", encoding="utf-8") as file, _bar(run, len(todo), run.benchmark.name) as bar:
        work = ((problem, _programs(by_task[problem.task_id])) for problem in todo)
        graded = grade_spread(run.benchmark, work, run.settings, run.options.cluster)
        for problem, found in zip(todo, graded, strict=True):
            for sample, verdict in zip(by_task[problem.task_id], found, strict=True):
                final = notes.explained(problem, sample, _again_if_unjudged(run, problem, sample, verdict))
                row = results.verdict_row(sample, final, digests[_key(sample)])
                kept[_key(sample)] = row
                file.write(json_text([row]))
            file.flush()
            bar.update()
    rows = [kept[_key(sample)] for sample in answers]
    write_text(path, json_text(rows))
    return rows


def _key(sample: GradedSample) -> _Key:
    return sample.task_id, sample.index


def _programs(samples: Sequence[GradedSample]) -> list[str]:
    return [sample.program for sample in samples]


def _kept(path: Path, digests: Mapping[_Key, str]) -> dict[_Key, Row]:
    """The verdicts of an earlier run that still hold; what could not be judged is tried again."""
    kept = dict[_Key, Row]()
    for row in results.read_verdicts(path):
        key = row["task_id"], row["sample"]
        if row["program"] == digests.get(key) and row["verdict"] != "unjudged":
            kept[key] = row
    return kept


def _again_if_unjudged(run: _Run, problem: Problem, sample: GradedSample, graded: Graded) -> Graded:
    """The verdict; a program that could not be judged is run once more, alone."""
    if graded.verdict != "unjudged":
        return graded
    alone = dataclasses.replace(run.settings, workers=1)
    ((again,),) = run.benchmark.grade([(problem, [sample.program])], alone)
    return again


def _told(model: AskedModel) -> dict[str, Any]:
    """How the model was asked; where its servers are is nobody's business, and no answer depends on its company."""
    return {key: value for key, value in dataclasses.asdict(model).items() if key not in ("base_url", "batch_size")}


def _facts(mark: dict[str, Any], gate: dict[str, Any], options: Options) -> dict[str, Any]:
    model = options.model
    return {
        "model": model.name if model else None,
        "adapter": model.adapter if model else None,
        "generation": _told(model) if model else None,
        "references": {key: gate[key] for key in ("run", "passed", "failed", "excused")},
        "window": dataclasses.asdict(options.window) if options.window else None,
        "fingerprint": mark,
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d"),
    }


if __name__ == "__main__":
    from codepref.cli import main

    sys.exit(main(["evaluate", *sys.argv[1:]]))
