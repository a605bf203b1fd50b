"""Steps that are done one after the other, each a command that can be typed alone; what was finished is kept."""

import hashlib
import json
import os
import shlex
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codepref.commands.child import ending, finished
from codepref.errors import CodeprefError
from codepref.files import write_whole

LOGGED = ("train", "evaluate")
"""Commands whose output goes to a file; their progress goes to the terminal."""


@dataclass(frozen=True)
class Step:
    """One step: a command of `codepref`, or a function of the run's folder whose result is kept."""

    name: str
    folder: str | None = None
    """Where its result lies, below the run's folder."""
    words: tuple[str, ...] = ()
    call: Callable[[Path], Mapping[str, Any]] | None = None
    again: bool = False
    """Done also where it was done before: it only reads what the others made."""
    needs: tuple[str, ...] | None = None
    """Names of the steps whose results it reads; None: it reads all before it, and what the run was told."""
    reads: tuple[str, ...] = ()
    """What else its result depends on, besides its words: files by their content, other texts as they are."""


@dataclass(frozen=True)
class Way:
    """How steps are run."""

    environment: Mapping[str, str] | None = None
    """Added to that of every command."""
    before: Callable[[Path, Step], None] | None = None
    """Called before every command."""


class Chain:
    """What a run's file holds, written after every step."""

    def __init__(self, root: Path, file: str, about: Mapping[str, Any], way: Way = Way()) -> None:
        self.root, self.path, self.way = root, root / file, way
        self.known = _read(self.path) if self.path.exists() else {}
        self.same = all(self.known.get(key) == value for key, value in about.items())
        """Whether the run was told the same before."""
        self.before = {step["name"]: step for step in self.known.get("steps", []) if "told" in step}
        self.anew: set[str] = set()
        """Steps that were done in this call."""
        self.told: dict[str, Any] = {**about, "steps": [], "commands": []}

    def run(self, steps: Sequence[Step], again: str) -> None:
        """Does all steps.

        Args:
            steps: In their order.
            again: The command line that goes on after a failure.

        Raises:
            CodeprefError: a step fails; what was finished is kept.
        """
        for number, step in enumerate(steps, 1):
            self._do(step, f"[{number}/{len(steps)}] {step.name}", again)
            if step.name in self.anew:  # what was made of its old result is worth nothing, also for the next call
                for other in steps[number:]:
                    if other.needs is None or step.name in other.needs:
                        self.before.pop(other.name, None)
                self._write()
        self.before = {}
        self._write()

    def _do(self, step: Step, title: str, again: str) -> None:
        """Runs a step, unless it was done before with the same input."""
        inputs = _inputs(step)
        if self._is_kept(step, inputs):
            known = self.before[step.name]
            print(f"{title}: kept from before", flush=True)
            self._add(step, inputs, {key: self.known[key] for key in known["told"]}, known["seconds"])
            return
        self.anew.add(step.name)
        print(f"{title}\n  {typed(step.words)}" if step.words else title, flush=True)
        began = time.monotonic()
        result: Mapping[str, Any] = {}
        if step.call is not None:
            result = step.call(self.root)
        else:
            self._command(step, again)
        self._add(step, inputs, result, time.monotonic() - began)

    def _is_kept(self, step: Step, inputs: Mapping[str, str]) -> bool:
        known = self.before.get(step.name)
        if step.again or known is None or known["words"] != list(step.words) or known.get("inputs") != inputs:
            return False
        return (self.same and not self.anew) if step.needs is None else self.anew.isdisjoint(step.needs)

    def _add(self, step: Step, inputs: Mapping[str, str], result: Mapping[str, Any], seconds: float) -> None:
        self.told |= result
        done = {
            "name": step.name, "folder": step.folder, "seconds": round(seconds, 1), "words": list(step.words),
            "inputs": inputs, "told": list(result),
        }  # fmt: skip
        self.told["steps"].append(done)
        self.told["commands"] += [typed(step.words)] * bool(step.words)

    def _write(self) -> None:
        """Writes the file: what was done in this call, and what later steps may still keep from earlier ones."""
        names = {step["name"] for step in self.told["steps"]}
        later = [step for name, step in self.before.items() if name not in names]
        results = {key: self.known[key] for step in later for key in step["told"]}
        told = {**results, **self.told, "steps": [*self.told["steps"], *later]}
        write_whole(self.path, json.dumps(told, indent=1).encode() + b"\n")

    def _command(self, step: Step, again: str) -> None:
        """A command in a process of its own."""
        if self.way.before is not None:
            self.way.before(self.root, step)
        command = [sys.executable, "-m", "codepref.cli", *step.words]
        environment = {**os.environ, "PYTHONWARNINGS": "ignore::FutureWarning", **(self.way.environment or {})}
        if step.words[0] in LOGGED:
            log = self.root / "logs" / f"{step.name.replace(' ', '-').replace(',', '')}.txt"
            log.parent.mkdir(exist_ok=True)
            with log.open("w") as file:
                code = finished(command, output=file, environment=environment)
        else:
            code = finished(command, environment=environment)
        if code:
            raise CodeprefError(
                f"step '{step.name}' {ending(code)}; what was finished is kept. To go on: codepref "
                f"{again}; the step alone: {typed(step.words)}"
            )


def _read(path: Path) -> dict[str, Any]:
    """What an earlier call left there.

    Raises:
        CodeprefError: it is not the file of a run.
    """
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        known = None
    steps = known.get("steps", []) if isinstance(known, dict) else None
    if not isinstance(steps, list) or not all(isinstance(step, dict) and "name" in step for step in steps):
        raise CodeprefError(
            f"{path}: not the file of a run; remove it (what its steps made is found again), or choose another --out"
        )
    return dict(known)


def _inputs(step: Step) -> dict[str, str]:
    """The files that a step names, by the hash of their content, and the other texts it reads."""
    found = {}
    for word in (*step.words, *step.reads):
        path = word.partition("=")[2] or word
        if os.path.isfile(path):  # noqa: PTH113 - Path.is_file raises on a text too long for a name
            with Path(path).open("rb") as file:
                found[word] = hashlib.file_digest(file, "sha256").hexdigest()
        elif word in step.reads:
            found[word] = word
    return found


def typed(words: Sequence[str]) -> str:
    """A command as one types it."""
    return shlex.join(["codepref", *words])
