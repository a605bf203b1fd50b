"""On-policy rounds: train on what a round gave, sample the next round from the result.

    OUT/stages/                     the first round, as in a build of one round
    OUT/rounds/prompts.jsonl        the prompts of all later rounds: those the first round sampled
    OUT/rounds/round2-HASH/         stages and request cache of the second round; HASH is that of its adapter
    OUT/adapters/round1-KEY/        what the training command made of the first round

The training command is the user's. It runs once a round and is told where the dataset is and where the adapter must go;
it may also load the adapter into a running server. A round whose training is finished is not trained again.
"""

import hashlib
import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from builders.chain.ask import Generation, rows_of
from codepref.errors import CodeprefError
from codepref.files import file_hash, locked, write_lines
from codepref.records import to_table
from codepref.stages import Runner
from codepref.store import Shard, Stage, Store, fingerprint

PLACES = ("dataset", "config", "adapter", "model", "policy", "round")
"""What a word of the training command may name in braces:

dataset, config  folder and config that `load_dataset` opens: the rows of this round
adapter          folder that the command must write
model            the model all rounds start from
policy           what this round was sampled from: the model, or the adapter of the round before
round            number of this round, from 1
"""


@dataclass(frozen=True)
class Adapter:
    """What training on one round gave."""

    round: int
    name: str
    """Folder under `adapters/`."""
    sha256: str
    """Of the names and hashes of its files."""


@dataclass(frozen=True)
class _RoundStore(Store):
    """A store whose stages are named after their round."""

    number: int = 1

    def stage(self, name: str, depends: Any, inputs: Any = ()) -> Stage:
        return super().stage(f"round{self.number}_{name}", depends, inputs)


def runner_of(runner: Runner, number: int, adapter: Adapter | None) -> Runner:
    """The runner of a round: the first one's is the build's own; a later one has a folder for each adapter."""
    if adapter is None:
        return runner
    folder = runner.store.root / "rounds" / f"round{number}-{adapter.sha256[:16]}"
    url = f"{runner.store.url}/{folder.name}" if runner.store.url else None
    return replace(runner, store=_RoundStore(folder, url, number))


def check_rounds(generation: Generation | None, train: Sequence[str]) -> None:
    """Refuses rounds that could not go on.

    Raises:
        CodeprefError: no model that can be trained is named, or the command names an unknown place.
    """
    if generation is None or (generation.server is None and generation.local is None):
        raise CodeprefError("configuration: rounds above 1 need generation.server or generation.local to sample from")
    try:
        words = [word.format(**dict.fromkeys(PLACES, "")) for word in train]
    except (KeyError, IndexError, ValueError) as error:
        names = ", ".join(f"{{{name}}}" for name in PLACES)
        raise CodeprefError(f"configuration: train: no place {error}; known: {names} (double other braces)") from None
    if not words or not any("{adapter}" in word for word in train):
        raise CodeprefError("configuration: train must name {adapter}, the folder it is to write")


def sampling_from(generation: Generation, served_as: str, adapter: Adapter, root: Path) -> Generation:
    """The generation of the round after the adapter's."""
    folder = str(root.resolve() / "adapters" / adapter.name)
    if generation.local is not None:
        return replace(generation, local=replace(generation.local, adapter=folder))
    assert generation.server is not None
    model = served_as.format(round=adapter.round, adapter=folder)
    return replace(generation, server=replace(generation.server, model=model))


def write_round_prompts(root: Path, samples: Stage) -> str:
    """Writes the prompts of the first round for the later ones; returns the file's path."""
    names = ["prompt_id", "prompt", "entry_point", "source", "licence", "examples"]
    path = root / "rounds" / "prompts.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = (row for index in range(samples.summary()["shards"]) for row in samples.read(index, names).to_pylist())
    write_lines(path, map(_round_prompt, rows))
    return str(path)


def _round_prompt(row: Mapping[str, Any]) -> str:
    """A prompt as a line of a file."""
    line = {**row, "entry_point": row["entry_point"] or None}
    return json.dumps({key: value for key, value in line.items() if key != "examples" or value})


def train_round(
    runner: Runner, root: Path, number: int, pairs: Stage, train: Sequence[str], places: Mapping[str, str]
) -> tuple[Stage, Adapter]:
    """Runs stage `train`: the training command, which makes the adapter of a round, unless that is done.

    Args:
        runner: The round's.
        root: The build's folder; it already is the dataset the command trains on.
        number: Of the round, from 1.
        pairs: The rows the command trains on.
        train: Words of the command, with places in braces.
        places: What stands for `config`, `model` and `policy`; the others are filled in here.

    Raises:
        CodeprefError: the command can not run, fails, or leaves no adapter.
    """
    settings = {"round": number, "command": fingerprint(list(train)), "rows": pairs.key}
    name = f"round{number}-{runner.store.stage('train', settings).key}"
    folder = root.resolve() / "adapters" / name
    filled = {**places, "dataset": str(root.resolve()), "adapter": str(folder), "round": str(number)}

    def made() -> Iterator[Shard]:
        with locked(folder.parent, _still_training(number)) as lock:
            _run([word.format(**filled) for word in train], number, runner.quiet, lock)
        yield Shard(to_table([Adapter(number, name, _content(folder, number))], Adapter))

    stage = runner.source("train", made(), settings, 1)
    adapter = next(iter(rows_of(stage, Adapter)))
    if not folder.is_dir() or _content(folder, number) != adapter.sha256:
        raise CodeprefError(
            f"{folder}: the adapter of round {number} was removed or changed; restore it, or delete {stage.path} "
            "to train again"
        )
    return stage, adapter


def name_of_model(generation: Generation) -> str:
    """Name of the model a generation asks: its adapter's folder, if it has one."""
    if generation.local is not None:
        return generation.local.adapter or generation.local.model
    return generation.server.model if generation.server is not None else ""


def _still_training(number: int) -> str:
    """A round's lock is held by its training command too, which may outlive a build that was killed."""
    return f"round {number}: training that an earlier build started is still running; wait for its end or end it"


def _run(words: Sequence[str], number: int, quiet: bool, lock: int) -> None:
    remedy = "mend it and build again: what was sampled is kept"
    try:
        output = subprocess.DEVNULL if quiet else None
        done = subprocess.run(words, stdout=output, pass_fds=(lock,), check=False)
    except OSError as error:
        raise CodeprefError(f"round {number}: training command {words[0]}: {error.strerror}; {remedy}") from None
    if done.returncode:
        line = " ".join(words)
        raise CodeprefError(
            f"round {number}: training ended with exit status {done.returncode}; {remedy}; it was: {line}"
        )


def _content(folder: Path, number: int) -> str:
    """Hash of the adapter's own files; checkpoints in folders below are not part of it."""
    files = sorted(path for path in folder.iterdir() if path.is_file()) if folder.is_dir() else []
    if not files:
        raise CodeprefError(
            f"round {number}: training left no adapter in {folder}; let the command write to {{adapter}}"
        )
    hashes = {path.name: file_hash(path) for path in files}
    return hashlib.sha256(json.dumps(hashes, sort_keys=True).encode()).hexdigest()
