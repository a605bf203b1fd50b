"""Runs the parts of a check on a GPU one after another, each within its own time, and writes one result of all.

    benchmarks/gpu/run.sh [--dry] [--out FOLDER] [--only NAME,NAME]

The parts run in one process, so that the libraries are loaded once. A part that fails, hangs or takes the process with
it is recorded as such, and the next one begins in a new process. `gpu.json` and `gpu.md` in the output folder are
written again after each part: what is interrupted keeps what it had.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codepref.files import write_whole

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = ("-m", "benchmarks.gpu.parts")
WHOLE_S = 585
"""Seconds for everything: ten minutes, less the time to end processes and to write."""
START_S = 150
"""Seconds in which the libraries have to be loaded."""
GRACE_S = 5
DRY_PATIENCE = 6
"""Times the limits in a dry run, which has no ten minutes to keep and may share its core."""


@dataclass(frozen=True)
class Part:
    """One part, and the seconds it may take."""

    name: str
    title: str
    limit_s: int


PARTS = (
    Part("models", "Random weights are drawn and written", 75),
    Part("parity", "Packed against padded, bfloat16 and float32", 60),
    Part("speed_small", "Speed and memory, 0.5B", 80),
    Part("speed_large", "Speed and memory, 7B", 110),
    Part("full", "A whole recipe run, full parameters, 0.5B", 50),
    Part("merge", "A QLoRA adapter is trained and merged, 0.5B", 60),
    Part("sharded", "A packed step of a sharded model against the whole one", 40),
    Part("fsdp2", "FSDP2 starts on one device", 60),
    Part("zero3", "ZeRO-3 starts on one device", 60),
    Part("qlora", "A whole recipe run, QLoRA, 7B", 90),
)


def asked() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--dry", action="store_true", help="every part at toy size on the CPU")
    parser.add_argument("--out", type=Path, default=Path("runs/gpu"), help="folder of the result (%(default)s)")
    names = ", ".join(part.name for part in PARTS)
    parser.add_argument("--only", default="", help=f"parts, divided by commas: {names}")
    return parser.parse_args()


def chosen(only: str) -> list[Part]:
    """The parts that are named, or all; `models` is always among them, since the others need what it writes."""
    if not only:
        return list(PARTS)
    names = {"models", *only.split(",")}
    unknown = names - {part.name for part in PARTS}
    if unknown:
        sys.exit(f"run.sh: --only: no part is called {', '.join(sorted(unknown))}")
    return [part for part in PARTS if part.name in names]


class Worker:
    """The process in which parts run: it writes NAME.json for each of them when that is over."""

    def __init__(self, folder: Path, parts: list[Part], dry: bool) -> None:
        self.folder = folder
        words = [sys.executable, *PROGRAM, str(folder), *(part.name for part in parts)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "TQDM_DISABLE": "1", "HF_HUB_OFFLINE": "1"}
        if dry:
            words.append("--dry")
            environment |= {"CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}
        self.log = folder / "log.txt"
        with self.log.open("w") as log:
            # a session of its own, so that what it starts ends with it
            self.process = subprocess.Popen(
                words, cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )

    def wait_for(self, name: str, limit_s: float) -> str:
        """Waits for a part's result; what went wrong, or nothing."""
        if limit_s <= 0:
            return "the ten minutes were over"
        deadline = time.monotonic() + limit_s
        result = self.folder / f"{name}.json"
        while time.monotonic() < deadline:
            ended = self.process.poll()
            if result.exists():
                return ""
            if ended is not None:  # asked before the result was looked for: no result can have come since
                return f"the process ended with code {ended}: {self.last_words()}"
            time.sleep(0.05)
        return f"not done within {limit_s:.0f} s: {self.last_words()}"

    def last_words(self) -> str:
        """The last line that was printed."""
        lines = self.log.read_text(errors="replace").strip().splitlines()
        return lines[-1][-300:] if lines else "nothing was printed"

    def end(self) -> None:
        """Ends the process and all it has started."""
        for sent in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self.process.pid, sent)
                self.process.wait(GRACE_S)
            except (ProcessLookupError, subprocess.TimeoutExpired):
                continue
        self.process.wait()


def run_parts(parts: list[Part], folder: Path, result: dict[str, Any], write: Callable[[], None], dry: bool) -> None:
    """Runs parts until all are over or the time is; fills `result` and calls `write` after each."""
    patience = DRY_PATIENCE if dry else 1
    end = time.monotonic() + WHOLE_S * patience
    worker = None
    try:
        for number, part in enumerate(parts):
            said = ""
            if worker is None:
                worker = Worker(folder, parts[number:], dry)
                said = worker.wait_for("machine", min(START_S * patience, end - time.monotonic()))
                result["machine"] = result["machine"] or _read(folder / "machine.json")
                if said and not number:
                    sys.exit(f"run.sh: {said}")
            began = time.monotonic()
            limit = min(part.limit_s * patience, end - began)
            said = said or worker.wait_for(part.name, limit)
            found = _read(folder / f"{part.name}.json") or {"state": "failed", "said": said}
            found = {"title": part.title, **found, "seconds": round(time.monotonic() - began, 1)}
            result["parts"][part.name] = found
            write()
            print(f"{part.name}: {found['state']} ({found['seconds']} s) {found.get('said', '')}", flush=True)
            if found["state"] == "failed":  # what it has left on the device goes with its process
                worker.end()
                worker = None
                (folder / "machine.json").unlink(missing_ok=True)
    finally:
        if worker is not None:
            worker.end()


def _read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text()) if path.exists() else {}


def page(result: dict[str, Any]) -> str:
    """The result in Markdown."""
    machine = result["machine"]
    lines = [f"# {result['title']}", "", f"{result['date']}, `benchmarks/gpu/run.sh{result['words']}`.", ""]
    if "--dry" in result["words"]:
        lines += ["No GPU was at hand. That every part runs is all that is shown here: times are a toy's on a CPU.", ""]
    lines += [f"- {name}: {value}" for name, value in machine.items()]
    lines += ["", "| part | what | state | seconds | |", "| --- | --- | --- | ---: | --- |"]
    for name, part in result["parts"].items():
        said = str(part.get("said", "")).replace("|", "/")
        lines.append(f"| {name} | {part.get('title', '')} | {part['state']} | {part.get('seconds', '')} | {said} |")
    for name, part in result["parts"].items():
        if part.get("rows"):
            lines += ["", f"## {name}: {part['title']}", "", *table(part["rows"])]
    return "\n".join(lines) + "\n"


def table(rows: list[dict[str, Any]]) -> list[str]:
    """Rows of like keys as a Markdown table."""
    heads = list(rows[0])
    lines = [f"| {' | '.join(heads)} |", "|" + " --- |" * len(heads)]
    return lines + [f"| {' | '.join(str(row.get(head, '')) for head in heads)} |" for row in rows]


def main() -> int:
    """Runs what is asked; 0 unless a part failed."""
    wanted = asked()
    parts = chosen(wanted.only)
    # the parts' process has a session of its own: told to end, this one ends it first
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    wanted.out.mkdir(parents=True, exist_ok=True)
    words = (" --dry" if wanted.dry else "") + (f" --only {wanted.only}" if wanted.only else "")
    result: dict[str, Any] = {
        "title": "Dry run of the GPU's parts at toy size; no GPU was at hand" if wanted.dry else "On a GPU",
        "date": time.strftime("%Y-%m-%d"),
        "words": words,
        "machine": {},
        "parts": {},
    }

    def write() -> None:
        write_whole(wanted.out / "gpu.json", (json.dumps(result, indent=1) + "\n").encode())
        write_whole(wanted.out / "gpu.md", page(result).encode())

    with tempfile.TemporaryDirectory(prefix="codepref-gpu-") as folder:
        try:
            run_parts(parts, Path(folder), result, write, wanted.dry)
        except KeyboardInterrupt:
            print(f"interrupted; what was done is in {wanted.out}/gpu.md", file=sys.stderr)
            return 128 + signal.SIGINT
    print(f"written: {wanted.out}/gpu.json, {wanted.out}/gpu.md")
    return int(any(part["state"] == "failed" for part in result["parts"].values()))


if __name__ == "__main__":
    sys.exit(main())
