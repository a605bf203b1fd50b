"""`codepref quickstart`: the whole chain on one machine, with the tiny model: datasets, training, evaluation, a page.

Every step is a command that can be typed alone. What was finished is kept: the same call goes on from there.
"""

import argparse
import dataclasses
import importlib
import importlib.util
import json
import math
import shlex
import shutil
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from codepref.commands.chain import Chain, Step, Way
from codepref.commands.options import CONFIGS, RECIPES, cores, positive
from codepref.errors import CodeprefError

PAIRS, SHARE = 5, 0.1
"""Pairs of a prompt at most; share of the prompts whose programs are timed."""
LABELS_LOOKED_AT = 240
"""Pairs of each dataset that are compared with the hidden tests."""
MODELS = {"base": "before", "dpo": "after DPO", "focal_dpo": "after focal DPO", "kto": "after KTO"}
TEMPERATURE = 0.8
WAYS = {"greedy": (), "sampled": ("--n", "8", "--temperature", str(TEMPERATURE))}


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
    from codepref.commands.quickstart.page import write_page
    from codepref.generate.tiny.backend import CHECKPOINT, checkpoint_fingerprint

    _need("torch", "trl", "peft")
    checkpoint = Path(_near(arguments.checkpoint or CHECKPOINT))
    model = f"tiny-{checkpoint_fingerprint(checkpoint)}"
    began = time.monotonic()
    arguments.out.mkdir(parents=True, exist_ok=True)
    planned = list(steps(arguments, checkpoint))
    about = {"seed": arguments.seed, "model": {"name": model, "parameters": _weights(checkpoint)}}
    # a million weights gain nothing from a second thread, and threads that wait for each other spin
    chain = Chain(
        arguments.out, "quickstart.json", about, Way(environment={"OMP_NUM_THREADS": "1"}, before=_copy_answers)
    )
    chain.run(planned, shlex.join(map(str, sys.argv[1:])))
    write_page(arguments.out)
    print(_closing(chain.told, arguments.out, time.monotonic() - began))
    return 0


def _near(path: Path) -> str:
    """A path as it is typed: from here, if it lies below."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def _need(*libraries: str) -> None:
    missing = [name for name in libraries if importlib.util.find_spec(name) is None]
    if missing:
        raise CodeprefError(f"quickstart needs {', '.join(missing)}: pip install 'codepref[train]', or make quickstart")


def _weights(checkpoint: Path) -> int:
    """Number of parameters, from the head of the file of weights."""
    with (checkpoint / "model.safetensors").open("rb") as file:
        head = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    return sum(math.prod(item["shape"]) for name, item in head.items() if name != "__metadata__")


def steps(arguments: argparse.Namespace, checkpoint: Path) -> Iterator[Step]:
    """The chain, in order."""
    from codepref.commands.quickstart.page import DATASETS

    root, seed = arguments.out, str(arguments.seed)
    prompts = root / "prompts.jsonl"
    draw = ("tiny", "prompts", "--split", "build", "--n", str(arguments.prompts), "--seed", seed, "--out", str(prompts))
    yield Step("prompts of the tiny model's family", None, draw)
    extra = {
        "codedpo": (f"pairs_per_prompt={PAIRS}", "efficiency.enabled=true", f"efficiency.share={SHARE}"),
        "codeflow": (),
        "dstc": (),
    }
    for method, title, _ in DATASETS:
        given = (f"prompts={prompts}", f"generation.tiny.checkpoint={checkpoint}", f"seed={seed}", *extra[method])
        settings = tuple(word for item in given for word in ("--set", item))
        where = ("--workers", str(arguments.workers), "--out", str(root / method))
        words = ("build", method, "--config", _near(CONFIGS / method / "tiny.yaml"), *settings, *where)
        yield Step(f"{title} dataset", method, words)
        if method == "codedpo":
            yield Step("evidence: what the ranking has to work with", None, call=keep_evidence)
    yield Step("labels: how often the pairs are right", None, call=keep_labels)
    yield from _evaluation(root, "base", checkpoint, arguments.workers)
    for recipe in ("dpo", "focal_dpo", "kto") if arguments.all else ("dpo",):
        yield from _training(root, recipe, checkpoint, seed)
        yield from _evaluation(root, recipe, root / f"{recipe}-merged", arguments.workers)
    yield Step("scores", None, call=keep_scores, again=True)


def _training(root: Path, recipe: str, checkpoint: Path, seed: str) -> Iterator[Step]:
    title, data = MODELS[recipe].removeprefix("after "), {"dpo": "codedpo", "focal_dpo": "codeflow", "kto": "dstc"}
    given = (
        f"model_name_or_path={checkpoint}", f"dataset_name={root / data[recipe]}", f"seed={seed}",
        f"output_dir={root / recipe}",
    )  # fmt: skip
    words = ("train", recipe, "--config", _near(RECIPES / "tiny" / f"{recipe}_lora.yaml"))
    yield Step(f"{title} training", recipe, words + tuple(word for item in given for word in ("--set", item)))
    merge = ("train", "--merge", str(root / recipe), "--out", str(root / f"{recipe}-merged"), "--dtype", "float32")
    yield Step(f"{title} adapter merged", None, merge)


def _evaluation(root: Path, name: str, checkpoint: Path, workers: int) -> Iterator[Step]:
    for way, options in WAYS.items():
        out = root / "evaluation" / name / way
        words = ("evaluate", "tiny", "--backend", "tiny", "--model", str(checkpoint), *options)
        where = ("--workers", str(workers), "--out", str(out))
        yield Step(f"held-out tasks {MODELS[name]}, {way}", str(out.relative_to(root)), (*words, *where))


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


def _copy_answers(root: Path, step: Step) -> None:
    """What CodeDPO's samples answer is not drawn again for the other datasets."""
    answers = root / "codedpo" / "requests.sqlite"
    if step.folder in ("codeflow", "dstc") and not (root / step.folder / answers.name).exists():
        (root / step.folder).mkdir(exist_ok=True)
        shutil.copy(answers, root / step.folder / answers.name)


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
