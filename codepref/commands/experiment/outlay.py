"""What an experiment takes, before it starts: requests, tokens, hours and money, a line a step."""

import json
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from builders.chain import dry_run
from codepref.benchmarks import FAMILIES
from codepref.commands.experiment.file import BASE, Experiment, Training
from codepref.commands.experiment.steps import build_settings, recipe_file
from codepref.commands.options import builder, gpus
from codepref.config import load
from codepref.errors import CodeprefError

WRITES, TRAINS = 15e9, 20e9
"""Weights times tokens that two CPU cores go through in a second, writing 16 answers side by side and training LoRA in
float32. Measured on Qwen2.5-Coder-0.5B: about 34 tokens/s, and 8 s a pair of 2 x 160 tokens."""
GPU_WRITES, GPU_TRAINS = 1.75e13, 1.5e13
"""The same of one data-centre GPU; assumed, not measured: 2,500 tokens/s of a 7B model in an engine made for serving,
30 % of 312 TFLOP/s at 6 operations a weight and token."""
PAIR = 800
"""Tokens a training step goes through for a pair: two sides of a prompt and 200 tokens of code each."""
ANSWER = 200
"""Tokens of a benchmark's usual answer."""
COLUMNS = ("requests", "tokens", "hours", "money")


@dataclass(frozen=True)
class Outlay:
    """What one step takes."""

    step: str
    requests: int = 0
    tokens: int = 0
    """Written by the model, or gone through in training."""
    hours: float = 0.0
    """Of this machine."""
    money: float = 0.0
    """Of this machine's hours and of a server's tokens."""


@dataclass(frozen=True)
class Rates:
    """Tokens a second."""

    writes: float
    trains: float
    words: str


def outlays(experiment: Experiment) -> list[Outlay]:
    """One a dataset, benchmark and training; nothing is asked.

    Every prompt is counted as a pair, and answers that datasets share are counted for each.

    Raises:
        CodeprefError: a dataset's configuration can not be used, or the model's size is not known.
    """
    speed, here = rates(experiment), experiment.server is None
    found, prompts = [], {}
    for name in experiment.datasets:
        config, items = build_settings(experiment, name)
        method = builder(experiment.method(name))
        plan = method.plan(load(method.Config, config, items))
        work = dry_run.total(plan.works)
        hours = work.completion_tokens / speed.writes / 3600 if here else 0.0
        money = 0.0 if plan.price is None else dry_run.cost(work, plan.price, work.completion_tokens)
        found.append(
            _priced(experiment, Outlay(f"{name} dataset", work.requests, work.completion_tokens, hours, money))
        )
        prompts[name] = plan.prompts
    found += _graded(experiment, speed, BASE)
    for name, training in experiment.trained().items():
        tokens = round(PAIR * prompts[training.data] * _epochs(experiment, training))
        found.append(_priced(experiment, Outlay(f"{name} training", 0, tokens, tokens / speed.trains / 3600)))
        found += _graded(experiment, speed, name)
    return found


def _graded(experiment: Experiment, speed: Rates, name: str) -> Iterator[Outlay]:
    """The benchmarks of one model."""
    here = experiment.server is None or not experiment.server.evaluate
    for way, evaluation in experiment.evaluations.items():
        for benchmark in evaluation.benchmarks:
            requests = evaluation.n * min(filter(None, (_problems(benchmark), evaluation.limit)), default=0)
            tokens = requests * min(ANSWER, evaluation.max_tokens or ANSWER)
            hours = tokens / speed.writes / 3600 if here else 0.0
            yield _priced(experiment, Outlay(f"{benchmark}, {way}, {name}", requests, tokens, hours))


def _epochs(experiment: Experiment, training: Training) -> float:
    """How often a training goes through its pairs."""
    import yaml

    config = training.config or recipe_file(experiment, experiment.recipe(training))
    stated = yaml.safe_load(Path(config).read_text(encoding="utf-8")) | dict(training.settings)
    return float(stated.get("num_train_epochs", 1))


def _problems(benchmark: str) -> int:
    """Problems of a benchmark; 0 where their number is not known."""
    variants = (variant for family in FAMILIES for variant in family.variants)
    return max((v.problems for v in variants if v.name == benchmark or v.name.startswith(f"{benchmark}_")), default=0)


def _priced(experiment: Experiment, outlay: Outlay) -> Outlay:
    """With the price of this machine's hours."""
    return replace(outlay, money=outlay.money + outlay.hours * experiment.budget.price_per_hour)


def rates(experiment: Experiment) -> Rates:
    """What this machine is taken to do: what the budget says, else by the model's size.

    Raises:
        CodeprefError: neither is known.
    """
    budget = experiment.budget
    given = budget.tokens_per_second, budget.trained_tokens_per_second
    if None not in given:
        return Rates(given[0] or 0.0, given[1] or 0.0, "the budget's")
    size = parameters(experiment.model)
    if not size:
        raise CodeprefError(
            f"{experiment.model}: its size is not known, so neither are hours; give budget.tokens_per_second and "
            "budget.trained_tokens_per_second"
        )
    gpu = bool(gpus())
    writes, trains = (GPU_WRITES, GPU_TRAINS) if gpu else (WRITES, TRAINS)
    words = f"assumed for {size / 1e9:.2g} billion weights on {'one GPU' if gpu else 'two CPU cores'}"
    return Rates(given[0] or writes / size, given[1] or trains / size, words)


def parameters(model: str) -> float:
    """Weights of a model: from the heads of a folder's files, else from its name ("7B"); 0 where neither tells."""
    files = sorted(Path(model).glob("*.safetensors"))
    if files:
        return float(sum(map(_weights, files)))
    named = re.findall(r"(?<![\d.])(\d+(?:\.\d+)?)[bB](?![a-zA-Z])", Path(model).name)
    return 1e9 * float(named[-1]) if named else 0.0


def _weights(path: Path) -> int:
    with path.open("rb") as file:
        head = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    return sum(math.prod(item["shape"]) for name, item in head.items() if name != "__metadata__")


def table(found: Sequence[Outlay], speed: Rates) -> str:
    """The outlays in words for people."""
    total = Outlay("all together", *(sum(getattr(item, key) for item in found) for key in COLUMNS))
    lines = [f"{'step':<42}{'requests':>10}{'tokens':>14}{'hours':>8}{'money':>10}"]
    for item in [*found, total]:
        lines.append(f"{item.step:<42}{item.requests:>10,}{item.tokens:>14,}{item.hours:>8.2f}{item.money:>10.2f}")
    lines.append(
        f"estimated: {speed.writes:,.0f} tokens/s written and {speed.trains:,.0f} trained on ({speed.words}); {ANSWER} "
        f"tokens an answer of a benchmark, {PAIR} a pair and epoch, a pair a prompt; {dry_run.assumed()}. Answers that "
        "datasets share are counted for each"
    )
    return "\n".join(lines)
