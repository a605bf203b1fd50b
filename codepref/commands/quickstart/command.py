"""`codepref quickstart`: the whole chain on one machine, with the tiny model: datasets, training, evaluation, a page.

Every step is a command that can be typed alone. What was finished is kept: the same call goes on from there.
"""

import argparse
import dataclasses
import importlib
import importlib.util
import json
import math
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codepref.commands.options import CONFIGS, RECIPES, cores, positive
from codepref.errors import CodeprefError

PAIRS, SHARE = 5, 0.1
"""Pairs of a prompt at most; share of the prompts whose programs are timed."""
LABELS_LOOKED_AT = 240
"""Pairs of each dataset that are compared with the hidden tests."""
MODELS = {"base": "before", "dpo": "after DPO", "focal_dpo": "after focal DPO", "kto": "after KTO"}
TEMPERATURE = 0.8
WAYS = {"greedy": (), "sampled": ("--n", "8", "--temperature", str(TEMPERATURE))}


@dataclass(frozen=True)
class ChainStep:
    """One step: a command of `codepref`, or a function of the run's folder whose result is kept."""

    name: str
    folder: str | None = None
    words: tuple[str, ...] = ()
    call: Callable[[Path], Mapping[str, Any]] | None = None


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
    from codepref.generate.tiny.backend import CHECKPOINT, checkpoint_fingerprint

    _need("torch", "trl", "peft")
    checkpoint = Path(_near(arguments.checkpoint or CHECKPOINT))
    model = f"tiny-{checkpoint_fingerprint(checkpoint)}"
    began = time.monotonic()
    arguments.out.mkdir(parents=True, exist_ok=True)
    planned = list(steps(arguments, checkpoint))
    state = _State(
        arguments.out, {"seed": arguments.seed, "model": {"name": model, "parameters": _weights(checkpoint)}}
    )
    for number, step in enumerate(planned, 1):
        state.do(step, f"[{number}/{len(planned)}] {step.name}", shlex.join(map(str, sys.argv[1:])))
    print(_closing(state.told, arguments.out, time.monotonic() - began))
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


def steps(arguments: argparse.Namespace, checkpoint: Path) -> Iterator[ChainStep]:
    """The chain, in order."""
    from codepref.commands.quickstart.page import DATASETS

    root, seed = arguments.out, str(arguments.seed)
    prompts = root / "prompts.jsonl"
    draw = ("tiny", "prompts", "--split", "build", "--n", str(arguments.prompts), "--seed", seed, "--out", str(prompts))
    yield ChainStep("prompts of the tiny model's family", None, draw)
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
        yield ChainStep(f"{title} dataset", method, words)
        if method == "codedpo":
            yield ChainStep("evidence: what the ranking has to work with", None, call=keep_evidence)
    yield ChainStep("labels: how often the pairs are right", None, call=keep_labels)
    yield from _evaluation(root, "base", checkpoint, arguments.workers)
    for recipe in ("dpo", "focal_dpo", "kto") if arguments.all else ("dpo",):
        yield from _training(root, recipe, checkpoint, seed)
        yield from _evaluation(root, recipe, root / f"{recipe}-merged", arguments.workers)
    yield ChainStep("scores", None, call=keep_scores)


def _training(root: Path, recipe: str, checkpoint: Path, seed: str) -> Iterator[ChainStep]:
    title, data = MODELS[recipe].removeprefix("after "), {"dpo": "codedpo", "focal_dpo": "codeflow", "kto": "dstc"}
    given = (
        f"model_name_or_path={checkpoint}", f"dataset_name={root / data[recipe]}", f"seed={seed}",
        f"output_dir={root / recipe}",
    )  # fmt: skip
    words = ("train", recipe, "--config", _near(RECIPES / "tiny" / f"{recipe}_lora.yaml"))
    yield ChainStep(f"{title} training", recipe, words + tuple(word for item in given for word in ("--set", item)))
    merge = ("train", "--merge", str(root / recipe), "--out", str(root / f"{recipe}-merged"), "--dtype", "float32")
    yield ChainStep(f"{title} adapter merged", None, merge)


def _evaluation(root: Path, name: str, checkpoint: Path, workers: int) -> Iterator[ChainStep]:
    for way, options in WAYS.items():
        out = root / "evaluation" / name / way
        words = ("evaluate", "tiny", "--backend", "tiny", "--model", str(checkpoint), *options)
        where = ("--workers", str(workers), "--out", str(out))
        yield ChainStep(f"held-out tasks {MODELS[name]}, {way}", str(out.relative_to(root)), (*words, *where))


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


class _State:
    """What `quickstart.json` holds, written after every step."""

    def __init__(self, root: Path, about: Mapping[str, Any]) -> None:
        self.root = root
        self.path = root / "quickstart.json"
        known = json.loads(self.path.read_text(encoding="utf-8")) if self.path.exists() else {}
        same = all(known.get(key) == value for key, value in about.items())
        self.before = {step["name"]: step for step in known.get("steps", [])} if same else {}
        self.told: dict[str, Any] = {**(known if same else {}), **about, "steps": [], "commands": []}

    def do(self, step: ChainStep, title: str, again: str) -> None:
        """Runs a step, unless it is known to have been done and nothing before it was done anew."""
        known = self.before.get(step.name)
        if known is not None and known["words"] == list(step.words) and step.call is not keep_scores:
            print(f"{title}: kept from before", flush=True)
            self._add(step, known["seconds"])
            return
        self.before = {}
        print(f"{title}\n  {_typed(step.words)}" if step.words else title, flush=True)
        began = time.monotonic()
        if step.call is not None:
            self.told |= step.call(self.root)
        else:
            _run(self.root, step, again)
        self._add(step, time.monotonic() - began)
        self._write(page=step.call is keep_scores)

    def _add(self, step: ChainStep, seconds: float) -> None:
        done = {"name": step.name, "folder": step.folder, "seconds": round(seconds, 1), "words": list(step.words)}
        self.told["steps"].append(done)
        self.told["commands"] += [_typed(step.words)] * bool(step.words)

    def _write(self, page: bool) -> None:
        from codepref.commands.quickstart.page import write_page
        from codepref.files import write_whole

        write_whole(self.path, json.dumps(self.told, indent=1).encode() + b"\n")
        if page:
            write_page(self.root)


def _typed(words: Sequence[str]) -> str:
    return shlex.join(["codepref", *words])


def _run(root: Path, step: ChainStep, again: str) -> None:
    """A command in a process of its own; what training and evaluation print goes to a file, progress to the terminal.

    What CodeDPO's samples answer is not drawn again for the other datasets.
    """
    answers = root / "codedpo" / "requests.sqlite"
    if step.folder in ("codeflow", "dstc") and not (root / step.folder / answers.name).exists():
        (root / step.folder).mkdir(exist_ok=True)
        shutil.copy(answers, root / step.folder / answers.name)
    log = root / "logs" / f"{step.name.replace(' ', '-').replace(',', '')}.txt"
    log.parent.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "codepref.cli", *step.words]
    with log.open("w") as file:
        quiet = step.words[0] in ("train", "evaluate")
        # a million weights gain nothing from a second thread, and threads that wait for each other spin
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore::FutureWarning"}
        code = subprocess.run(command, stdout=file if quiet else None, env=environment, check=False).returncode
    if code:
        raise CodeprefError(
            f"step '{step.name}' failed with exit code {code}; what was finished is kept. To go on: codepref {again}; "
            f"the step alone: {_typed(step.words)}"
        )


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
