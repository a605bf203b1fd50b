"""All three builders on programs that read standard input: recorded and scripted, the same bytes however they are built."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import datasets
import pytest

from codepref import cli

from builders_programs import TASKS, prompts, recordings, script, trajectories, write  # isort: skip

pytestmark = [pytest.mark.timeout(300), pytest.mark.long]
SETTINGS = ["limits.cpu_s=0.5", "shard_size=2"]
METHODS = {"codedpo": "generations", "codeflow": "trajectories", "dstc": "generations"}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("files")
    rows = {
        "generations": recordings(),
        "trajectories": trajectories(),
        "prompts": prompts(),
        "prompts_with_tests": prompts(tests=True),
        "script": script(),
    }
    return {name: write(folder / f"{name}.jsonl", lines) for name, lines in rows.items()}


def words(method: str, out: Path, workers: int, *settings: str) -> list[str]:
    more = [word for item in (*SETTINGS, *settings) for word in ("--set", item)]
    return ["build", method, "--quiet", "--workers", str(workers), "--out", str(out), *more]


def recorded(method: str, files: dict[str, Path]) -> str:
    return f"{METHODS[method]}={files[METHODS[method]]}"


def hashes(folder: Path) -> dict[str, str]:
    names = ("README.md", "manifest.json", "exclusions.jsonl")
    paths = [path for path in sorted(folder.rglob("*")) if path.suffix == ".parquet" or path.name in names]
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def load(folder: Path, name: str | None = None) -> dict[str, dict[str, Any]]:
    return {row["prompt_id"]: row for row in datasets.load_dataset(str(folder), name, split="train")}


@pytest.fixture(scope="module", params=METHODS)
def built(request: pytest.FixtureRequest, files: dict[str, Path], tmp_path_factory: pytest.TempPathFactory):
    out = tmp_path_factory.mktemp(request.param) / "run"
    assert cli.main(words(request.param, out, 1, recorded(request.param, files))) == 0
    return request.param, out


def test_workers_change_no_byte(built: tuple[str, Path], files: dict[str, Path], tmp_path: Path) -> None:
    method, out = built
    assert cli.main(words(method, tmp_path / "two", 2, recorded(method, files))) == 0
    assert hashes(tmp_path / "two") == hashes(out)


def test_kill_9_in_the_middle_loses_nothing_finished(
    built: tuple[str, Path], files: dict[str, Path], tmp_path: Path, root: Path
) -> None:
    method, out = built
    again = tmp_path / "killed"
    command = [sys.executable, "-m", "codepref.cli", *words(method, again, 1, recorded(method, files))]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    process = subprocess.Popen(command, env=environment, cwd=root, start_new_session=True)
    end = time.monotonic() + 60
    while len(list(again.glob("stages/*/*.parquet"))) < 4 and process.poll() is None and time.monotonic() < end:
        time.sleep(0.005)
    assert process.poll() is None, "it was over before it could be killed"
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (again / "README.md").exists()
    finished = {path: path.stat().st_mtime_ns for path in again.glob("stages/*/*.parquet")}
    assert subprocess.run(command, env=environment, cwd=root, timeout=120, check=False).returncode == 0
    assert hashes(again) == hashes(out)
    assert {path: path.stat().st_mtime_ns for path in finished} == finished


def test_rows_name_no_entry_point_and_hold_right_over_wrong(built: tuple[str, Path]) -> None:
    method, out = built
    rows = load(out)
    assert rows
    for name, row in rows.items():
        right = TASKS[name].codes[:2]
        assert row["entry_point"] == ""
        assert any(code.rstrip() in row["chosen"] for code in right)
        assert not any(code.rstrip() in row["rejected"] for code in right) or method == "dstc"


def test_codedpo_leaves_the_wrong_test_behind(files: dict[str, Path], tmp_path: Path) -> None:
    assert cli.main(words("codedpo", tmp_path / "run", 1, recorded("codedpo", files))) == 0
    rows = load(tmp_path / "run")
    assert sorted(rows) == ["largest", "mean", "primes", "sum", "words"]
    assert rows["sum"]["matrix"][:2] == [[True, True, True, False]] * 2
    assert rows["sum"]["test_scores"][3] < min(rows["sum"]["test_scores"][:3])
    assert json.loads(rows["mean"]["tests"][0]) == {"input": "1 2\n", "output": "1.5\n", "tolerance": 1e-6}
    assert rows["words"]["verdict_counts"]["timeout"] == 4
    assert rows["primes"]["matrix"][4] == [False] * 5  # prints something and ends with status 2


def test_vacuous_tests_are_those_that_an_empty_program_passes(files: dict[str, Path], tmp_path: Path) -> None:
    setting = 'gates={"vacuous_tests": true, "entry_point": true, "near_duplicates": null}'
    assert cli.main(words("codedpo", tmp_path / "run", 1, recorded("codedpo", files), setting)) == 0
    lines = [json.loads(line) for line in (tmp_path / "run" / "exclusions.jsonl").read_text().splitlines()]
    assert [(line["prompt_id"], line["item"]) for line in lines if line["rule"] == "vacuous"] == [("words", 1)]
    assert not [line for line in lines if line["rule"] == "entry point not named"]


def test_codeflow_tells_the_first_difference(files: dict[str, Path], tmp_path: Path) -> None:
    out = tmp_path / "run"
    given = [f"prompts={files['prompts_with_tests']}", f"generation.script={files['script']}", "tests_per_prompt=0"]
    assert cli.main(words("codeflow", out, 1, *given)) == 0
    rows = load(out, "trajectories")
    assert {name for name, row in rows.items() if row["solved"]} == set(TASKS)
    first = rows["largest"]["versions"][1]
    assert first["error"] == (
        "It passes 0 of 4 tests. This one fails:\n\nInput:\n```\n3\n1 3 3\n```\n\nOutput:\n```\n3 2\n```\n\n"
        "Its output differs in line 1: expected '3 2', got '3 1'"
    )
    assert rows["primes"]["versions"][0]["error"].endswith("\n\nexit status 2")
    assert rows["words"]["versions"][0]["error"].endswith("It does not end within 0.5 s of CPU time.")


def test_dstc_answers_hold_a_program_and_a_test(files: dict[str, Path], tmp_path: Path) -> None:
    given = [recorded("dstc", files)]
    assert cli.main(words("dstc", tmp_path / "run", 1, *given)) == 0
    row = load(tmp_path / "run", "dpo")["primes"]
    assert row["chosen"].startswith("```python\nn = int(input())")
    assert "```\n\nInput:\n```\n" in row["chosen"]
    assert row["chosen"].count("```") == row["rejected"].count("```") == 6
    assert "reads its input from standard input" in row["prompt"]
    assert cli.main(words("dstc", tmp_path / "bare", 1, *given, "fenced=false")) == 0
    assert load(tmp_path / "bare", "dpo")["primes"]["chosen"].startswith("n = int(input())")


def test_a_scripted_model_is_asked_for_programs_and_tests(files: dict[str, Path], tmp_path: Path) -> None:
    given = [f"prompts={files['prompts']}", f"generation.script={files['script']}", "codes_per_prompt=5"]
    hashed = []
    for workers in (1, 2):
        out = tmp_path / f"run{workers}"
        assert cli.main(words("codedpo", out, workers, *given, "tests_per_prompt=1", "gates.near_duplicates=null")) == 0
        hashed.append(hashes(out))
    assert hashed[0] == hashed[1]
    rows = load(tmp_path / "run1")
    assert len(rows["primes"]["tests"]) == 1
    assert json.loads(rows["primes"]["tests"][0]) == {"input": "10\n", "output": "4\n"}


def test_efficiency_pairs_are_those_of_whole_programs(files: dict[str, Path], tmp_path: Path) -> None:
    out = tmp_path / "run"
    one = write(tmp_path / "one.jsonl", [row for row in recordings() if row["prompt_id"] == "primes"])
    given = [f"generations={one}", "efficiency.enabled=true", "limits.cpu_s=2.0"]
    assert cli.main(words("codedpo", out, 1, *given)) == 0
    row = load(out, "efficiency")["primes"]
    assert (row["chosen"], row["rejected"]) == TASKS["primes"].codes[:2]
    assert row["speedup"] > 3
    assert row["timed_calls"] == len(row["trusted_tests"]) == 5
    assert not row["scaled"]


def test_inspect_shows_inputs_and_outputs(built: tuple[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    _, out = built
    assert cli.main(["inspect", str(out), "--prompt", "primes"]) == 0
    shown = capsys.readouterr().out
    assert "Input:\n    ```\n    10\n    ```" in shown
    assert '{"input"' not in shown
    assert cli.main(["inspect", str(out), "--prompt", "primes", "--cell", "0,0"]) == 0
    shown = capsys.readouterr().out
    assert "plan: stdin" in shown
    assert "printed: '" in shown
