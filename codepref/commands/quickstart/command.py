"""`codepref quickstart`: the whole chain on one machine, with the tiny model: datasets, training, evaluation, a page.

Every step is a command that can be typed alone. What was finished is kept: the same call goes on from there.
"""

import argparse
import dataclasses
import importlib
import importlib.util
import json
import shlex
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from codepref.commands.chain import Chain, Step, Way
from codepref.commands.experiment.file import Experiment
from codepref.commands.experiment.steps import SCORES, planned_steps, share_answers
from codepref.commands.options import cores, near, positive
from codepref.config import load
from codepref.errors import CodeprefError
from codepref.files import locked

EXPERIMENT = Path(__file__).parent / "experiment.yaml"
TRAININGS = ("dpo", "focal_dpo", "kto")
"""Adapters of the experiment; only the first without `--all`."""
LABELS_LOOKED_AT = 240
"""Pairs of each dataset that are compared with the hidden tests."""
MODELS = {"base": "before", "dpo": "after DPO", "focal_dpo": "after focal DPO", "kto": "after KTO"}
TEMPERATURE = 0.8
"""Of the sampled evaluation in the experiment's file."""
WAYS = ("greedy", "sampled")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("--out", type=Path, default=Path("runs/quickstart"), metavar="DIR", help="%(default)s")
    parser.add_argument("--all", action="store_true", help="also focal DPO on CodeFlow and KTO on DSTC")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of prompts and samples (%(default)s)")
    parser.add_argument("--prompts", type=positive, default=250, metavar="N", help="%(default)s")
    parser.add_argument("--checkpoint", type=Path, metavar="DIR", help="another tiny model (default: the shipped one)")
    parser.add_argument("--workers", type=positive, default=cores(), metavar="N", help="processes (%(default)s)")


def run(arguments: argparse.Namespace) -> int:
    """Exit code 0. Raises `CodeprefError` when a step fails; what was finished is kept."""
    from codepref.commands.experiment.outlay import parameters
    from codepref.commands.quickstart.page import write_page
    from codepref.generate.tiny.backend import CHECKPOINT, checkpoint_fingerprint

    _need("torch", "trl", "peft")
    checkpoint = Path(near(arguments.checkpoint or CHECKPOINT))
    model = f"tiny-{checkpoint_fingerprint(checkpoint)}"
    began = time.monotonic()
    planned = list(steps(arguments, checkpoint))
    about = {"seed": arguments.seed, "model": {"name": model, "parameters": int(parameters(str(checkpoint)))}}
    # a million weights gain nothing from a second thread, and threads that wait for each other spin
    way = Way(environment={"OMP_NUM_THREADS": "1"}, before=share_answers)
    with locked(arguments.out, f"{arguments.out}: another run is running here; wait for it or choose another --out"):
        chain = Chain(arguments.out, "quickstart.json", about, way)
        chain.run(planned, shlex.join(map(str, sys.argv[1:])))
        write_page(arguments.out)
    print(_closing(chain.told, arguments.out, time.monotonic() - began))
    return 0


def _need(*libraries: str) -> None:
    missing = [name for name in libraries if importlib.util.find_spec(name) is None]
    if missing:
        raise CodeprefError(f"quickstart needs {', '.join(missing)}: pip install 'codepref[train]', or make quickstart")


def steps(arguments: argparse.Namespace, checkpoint: Path) -> Iterator[Step]:
    """The chain, in order: the steps of an experiment, and what only the tiny model's tasks can say."""
    prompts = arguments.out / "prompts.jsonl"
    count, seed = str(arguments.prompts), str(arguments.seed)
    draw = ("tiny", "prompts", "--split", "build", "--n", count, "--seed", seed, "--out", str(prompts))
    yield Step("prompts of the tiny model's family", None, draw)
    shipped = load(Experiment, EXPERIMENT, [f"model={checkpoint}", f"prompts={prompts}", f"seed={seed}"])
    kept = {name: shipped.trained()[name] for name in TRAININGS if arguments.all or name == TRAININGS[0]}
    experiment = dataclasses.replace(shipped, trainings=kept)
    after: dict[str, tuple[Step, ...]] = {f"{name} dataset": () for name in experiment.datasets}
    first, *_, last = after
    after[first] = (Step("evidence: what the ranking has to work with", None, call=keep_evidence),)
    after[last] += (Step("labels: how often the pairs are right", None, call=keep_labels),)
    for step in planned_steps(experiment, arguments.out, arguments.workers):
        yield dataclasses.replace(step, call=keep_scores) if step.name == SCORES else step
        yield from after.get(step.name, ())


def keep_evidence(root: Path) -> dict[str, Any]:
    """What the ranking has to work with, and one prompt to show."""
    from builders.chain.ranking import convergence
    from codepref.commands.quickstart import truth

    found = truth.evidence_of(root / "codedpo")
    print(found.words)
    told: dict[str, Any] = {"evidence": {**dataclasses.asdict(found), "weak": found.weak, "words": found.words}}
    shown = truth.mixed_example(root / "codedpo")
    if shown is not None:
        codes, tests = convergence(shown.passed)
        told["example"] = {
            "prompt_id": shown.prompt_id, "codes_right": shown.codes_right, "tests_right": shown.tests_right,
            "convergence": {"codes": codes.T.tolist(), "tests": tests.T.tolist()},
        }  # fmt: skip
    return told


def keep_labels(root: Path) -> dict[str, Any]:
    """How many pairs of each dataset are right by the hidden tests."""
    from codepref.commands.quickstart import truth
    from codepref.commands.quickstart.page import DATASETS

    found = {}
    for folder, _, config in DATASETS:
        made = truth.label_truth(_pairs(root / folder / config)[:LABELS_LOOKED_AT])
        found[folder] = {"pairs": made.pairs, "right": made.right[0], "inverted": made.inverted}
        print(f"{folder}: {made.right[0]:.0%} of {made.pairs} pairs are right, {made.inverted:.0%} the wrong way round")
    return {"labels": found}


def _pairs(folder: Path) -> list[dict[str, str]]:
    import pyarrow.parquet as pq

    files = sorted(folder.glob("train-*.parquet"))
    return [row for file in files for row in pq.read_table(file, columns=["prompt", "chosen", "rejected"]).to_pylist()]


def keep_scores(root: Path) -> dict[str, Any]:
    """Scores of all models, gains over the base, and the page."""
    from evaluation import compare

    names = [name for name in MODELS if (root / "evaluation" / name / "sampled" / "tiny" / "results.json").exists()]
    told: dict[str, Any] = {"scores": [], "gains": []}
    for name in names:
        here = root / "evaluation" / name
        found = {way: json.loads((here / way / "tiny" / "results.json").read_text()) for way in WAYS}
        scores = {way: _score(found[way]) for way in WAYS}
        tasks = found["sampled"]["problems"]
        about = {"n": found["sampled"]["samples"] // tasks, "temperature": TEMPERATURE, "tasks": tasks}
        told["scores"].append({"name": name, "title": MODELS[name].removeprefix("after "), **scores, **about})
        if name == "base":
            continue
        base = root / "evaluation" / "base"
        pairs = {way: compare.compare_runs(base / way / "tiny", here / way / "tiny") for way in WAYS}
        gain = {way: _gain(pairs[way]) for way in WAYS}
        won, lost = len(pairs["greedy"]["wins"]), len(pairs["greedy"]["losses"])
        told["gains"].append({"name": name, **gain, "won": won, "lost": lost})
    return told


def _score(results: Mapping[str, Any]) -> list[float]:
    """pass@1 and its interval, in shares."""
    score = results["score"]["pass@1"]
    return [score["value"], score["low"], score["high"]]


def _gain(comparison: Mapping[str, Any]) -> list[float]:
    """The difference and its interval, in shares; a comparison has them in points."""
    return [comparison[key] / 100 for key in ("difference", "low", "high")]


def _closing(told: Mapping[str, Any], root: Path, seconds: float) -> str:
    lines = ["", *([told["evidence"]["words"]] if told["evidence"]["weak"] else [])]
    for score in told["scores"]:
        lines.append(f"{score['title']:<18}" + "   ".join(f"{way} {_percent(score[way])}" for way in WAYS))
    for gain in told["gains"]:
        shown = "   ".join(f"{way} {_percent(gain[way], '+')}" for way in WAYS)
        lines.append(f"{'gain, ' + gain['name']:<18}{shown}   won {gain['won']}, lost {gain['lost']}")
    lines += [
        "pass@1 in % on held-out tasks of a synthetic family, with 95 % intervals. What is gained is mostly the",
        "repair of mistakes planted in pre-training: the chain works; what it brings to other models this can not say.",
        "",
        f"page      {root / 'report.html'}",
        f"datasets  {', '.join(str(root / name) for name in told['labels'])}",
        f"adapter   {root / 'dpo'}",
        f"{seconds / 60:.1f} minutes",
    ]
    return "\n".join(lines)


def _percent(values: Sequence[float], sign: str = "") -> str:
    mean, low, high = (100 * value for value in values)
    return f"{mean:{sign}.1f} [{low:{sign}.1f}, {high:{sign}.1f}]"
