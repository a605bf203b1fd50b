"""Is a published dataset read by a server that is not ours? olah (PyPI, MIT), an independent mirror of the Hub.

    python -m venv ~/olah && ~/olah/bin/pip install olah
    python benchmarks/foreign_reader.py runs/dataset --olah ~/olah/bin/python

The files that `codepref publish` would send become a git repository with the tag v1.0.0; olah serves it on loopback;
`load_dataset` and `snapshot_download` read it by that tag; every hash is compared with what would be sent. It is not
streamed: olah 0.5.4 answers a Range request for a local repository with the whole file. olah has its own environment
because it wants psutil below 6, and the pins of this project have psutil 7.
"""

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from codepref.errors import CodeprefError  # noqa: E402
from codepref.publish import release  # noqa: E402

REPO, TAG = "org/pairs", "v1.0.0"
STARTING_S = 120
READ = """
import hashlib, json, sys
from pathlib import Path
from datasets import load_dataset
from huggingface_hub import snapshot_download
repo, tag, *configs = sys.argv[1:]
rows = {name: load_dataset(repo, name, split="train", revision=tag).num_rows for name in configs}
folder = Path(snapshot_download(repo, repo_type="dataset", revision=tag))
paths = [path for path in folder.rglob("*") if path.is_file()]
files = {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}
print(json.dumps({"rows": rows, "files": files}))
"""


def main(argv: list[str] | None = None) -> int:
    """Prints one table and one JSON line; the exit code says whether every hash was equal."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="a folder that codepref build made")
    parser.add_argument("--olah", default=sys.executable, help="an interpreter that has olah")
    arguments = parser.parse_args(argv)
    made = release.dataset_release(arguments.folder, REPO)
    with tempfile.TemporaryDirectory() as work, serving(Path(work), made, arguments.olah) as url:
        environment = {**os.environ, "HF_ENDPOINT": url, "HF_HOME": f"{work}/home", "HF_HUB_DISABLE_TELEMETRY": "1"}
        command = [sys.executable, "-c", READ, REPO, TAG, *made.configs]
        read = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True, text=True)
    found = json.loads(read.stdout.splitlines()[-1])
    wrong = [name for name, file in made.files.items() if found["files"].get(name) != file.hashes[0]]
    print("| file | sha256 sent | read through olah |\n| --- | --- | --- |")
    for name, file in made.files.items():
        print(f"| {name} | {file.hashes[0][:16]} | {'differs' if name in wrong else 'equal'} |")
    print(json.dumps({"benchmark": "foreign_reader", "rows": found["rows"], "files": len(made.files), "wrong": wrong}))
    return 1 if wrong else 0


@contextmanager
def serving(work: Path, made: release.Release, python: str) -> Iterator[str]:
    """olah on loopback, with the release as its only repository; its address."""
    repository(work / "mirrors" / "datasets" / REPO, made)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = work / "olah.toml"
    config.write_text(
        f'[basic]\nhost = "127.0.0.1"\nport = {port}\nrepos-path = "{work}/repos"\n'
        f'mirrors-path = ["{work}/mirrors"]\n[accessibility]\noffline = true\n'
    )
    start = "from olah.server import main; main()"
    command = [python, "-c", start, "--config", str(config), "--log-path", f"{work}/logs"]
    with (work / "olah.log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log, cwd=work) as server:
        try:
            wait(server, port, work / "olah.log")
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()


def repository(folder: Path, made: release.Release) -> None:
    """The release as a git repository with a tag."""
    for name, file in made.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.content if isinstance(file.content, bytes) else file.content.read_bytes())
    identity = ["-c", "user.name=codepref", "-c", "user.email=codepref@localhost"]
    for words in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-qm", "publish"], ["tag", TAG]):
        subprocess.run(["git", *identity, *words], cwd=folder, check=True)


def wait(server: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    """Returns when the server takes connections.

    Raises:
        CodeprefError: it ended, or did not begin.
    """
    for _ in range(STARTING_S * 5):
        if server.poll() is not None:
            break
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.2)
    last = (log.read_text().strip().splitlines() or ["no word"])[-1]
    raise CodeprefError(f"olah does not run ({last}); give --olah an interpreter that has it")


if __name__ == "__main__":
    sys.exit(main())
