"""Steps that are done one after the other, each a command that can be typed alone; what was finished is kept."""

import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
        known = json.loads(self.path.read_text(encoding="utf-8")) if self.path.exists() else {}
        same = all(known.get(key) == value for key, value in about.items())
        self.before = {step["name"]: step for step in known.get("steps", [])} if same else {}
        self.told: dict[str, Any] = {**(known if same else {}), **about, "steps": [], "commands": []}

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

    def _do(self, step: Step, title: str, again: str) -> None:
        """Runs a step, unless it is known to have been done and nothing before it was done anew."""
        known = self.before.get(step.name)
        if known is not None and known["words"] == list(step.words) and not step.again:
            print(f"{title}: kept from before", flush=True)
            self._add(step, known["seconds"])
            return
        self.before = {}
        print(f"{title}\n  {typed(step.words)}" if step.words else title, flush=True)
        began = time.monotonic()
        if step.call is not None:
            self.told |= step.call(self.root)
        else:
            self._command(step, again)
        self._add(step, time.monotonic() - began)
        write_whole(self.path, json.dumps(self.told, indent=1).encode() + b"\n")

    def _add(self, step: Step, seconds: float) -> None:
        done = {"name": step.name, "folder": step.folder, "seconds": round(seconds, 1), "words": list(step.words)}
        self.told["steps"].append(done)
        self.told["commands"] += [typed(step.words)] * bool(step.words)

    def _command(self, step: Step, again: str) -> None:
        """A command in a process of its own."""
        if self.way.before is not None:
            self.way.before(self.root, step)
        log = self.root / "logs" / f"{step.name.replace(' ', '-').replace(',', '')}.txt"
        log.parent.mkdir(exist_ok=True)
        command = [sys.executable, "-m", "codepref.cli", *step.words]
        environment = {**os.environ, "PYTHONWARNINGS": "ignore::FutureWarning", **(self.way.environment or {})}
        with log.open("w") as file:
            output = file if step.words[0] in LOGGED else None
            code = subprocess.run(command, stdout=output, env=environment, check=False).returncode
        if code:
            raise CodeprefError(
                f"step '{step.name}' failed with exit code {code}; what was finished is kept. To go on: codepref "
                f"{again}; the step alone: {typed(step.words)}"
            )


def typed(words: Sequence[str]) -> str:
    """A command as one types it."""
    return shlex.join(["codepref", *words])
