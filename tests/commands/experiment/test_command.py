"""`codepref run`: an experiment of the tiny model, cut off twice and continued, to its page; a dry run; a server."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from generate.fake_server import FakeServer

from codepref.cli import main

pytestmark = pytest.mark.long

EXPERIMENT = """
model: codepref/generate/tiny/checkpoint
backend: tiny
prompts: {prompts}
truth: {truth}
datasets:
  codedpo: {{settings: {{codes_per_prompt: 6, tests_per_prompt: 6, pairs_per_prompt: 3}}}}
evaluations:
  greedy: {{benchmarks: [tiny], limit: 16}}
  sampled: {{benchmarks: [tiny], limit: 8, n: 2, temperature: 0.8}}
"""


@pytest.fixture
def experiment(tmp_path: Path) -> Path:
    """An experiment's file, with prompts of the tiny model's family and their hidden tests."""
    prompts, truth = tmp_path / "prompts.jsonl", tmp_path / "truth.jsonl"
    assert main(["tiny", "prompts", "--split", "build", "--n", "12", "--seed", "1", "--out", str(prompts)]) == 0
    with truth.open("w") as lines:
        for row in map(json.loads, prompts.read_text().splitlines()):
            tests = [f"assert {row['entry_point']}([]) is not None or True", f"assert callable({row['entry_point']})"]
            lines.write(json.dumps({"prompt_id": row["prompt_id"], "tests": tests}) + "\n")
    path = tmp_path / "e.yaml"
    path.write_text(EXPERIMENT.format(prompts=prompts, truth=truth))
    return path


def test_an_experiment_is_killed_twice_and_goes_on(root: Path, tmp_path: Path, experiment: Path) -> None:
    out = tmp_path / "run"
    command = [sys.executable, "-m", "codepref.cli", "run", str(experiment), "--out", str(out)]
    for step in ("[2/", "[4/"):
        started = subprocess.Popen(
            command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True
        )
        assert started.stdout is not None
        for line in started.stdout:
            if line.startswith(step) and "kept" not in line:
                break
        os.killpg(started.pid, signal.SIGKILL)
        started.communicate()
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "[1/9] codedpo dataset: kept from before" in done.stdout
    assert "[3/9] tiny, greedy, base: kept from before" in done.stdout
    told = json.loads((out / "experiment.json").read_text())
    assert {(score["model"], score["way"]) for score in told["scores"]} == {
        ("base", "greedy"), ("base", "sampled"), ("dpo", "greedy"), ("dpo", "sampled"),
    }  # fmt: skip
    assert [gain["way"] for gain in told["gains"]] == ["greedy", "sampled"]
    assert told["labels"]["codedpo"]["pairs"] > 0
    assert all(sum(score["failures"].values()) > 0 for score in told["scores"])
    page = (out / "report.html").read_text()
    assert "tiny, sampled" in page and "<script" not in page
    assert f"page      {out / 'report.html'}" in done.stdout


SERVED = """
model: codepref/generate/tiny/checkpoint
backend: tiny
prompts: {prompts}
server: {{model: coder, base_url: {url}}}
datasets:
  codedpo:
    settings: {{codes_per_prompt: 6, tests_per_prompt: 4, min_confidence: 0, efficiency: {{enabled: false}}}}
evaluations:
  greedy: {{benchmarks: [tiny], limit: 8}}
"""
PROMPTS = [
    {"prompt_id": f"add{n}", "prompt": f"Write add{n}(x), which adds {n}.", "entry_point": f"add{n}"}
    for n in range(1, 5)
]


def answer(prompt: str, seed: int, _choice: int) -> str:
    """A model that is right two times out of three, in codes and in tests."""
    name = next(row["entry_point"] for row in PROMPTS if str(row["entry_point"]) in prompt)
    number = int(name.removeprefix("add"))
    if "Do not solve it" in prompt:
        return f"```python\nassert {name}({seed % 50}) == {seed % 50 + number + (seed % 3 == 0)}\n```"
    return f"Sure:\n```python\ndef {name}(x):\n    return x + {number + seed % 3 // 2}\n```"


def test_a_server_writes_and_this_machine_trains(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root)
    prompts, out = tmp_path / "prompts.jsonl", tmp_path / "run"
    prompts.write_text("".join(json.dumps(row) + "\n" for row in PROMPTS))
    with FakeServer(text=answer) as server:
        (tmp_path / "e.yaml").write_text(SERVED.format(prompts=prompts, url=server.base_url))
        assert main(["run", str(tmp_path / "e.yaml"), "--out", str(out)]) == 0
        assert len(server.paid) == 4 * (6 + 4)
    manifest = json.loads((out / "codedpo" / "manifest.json").read_text())
    assert manifest["dataset"]["correctness"]["rows"] == 4
    told = json.loads((out / "experiment.json").read_text())
    assert [score["model"] for score in told["scores"]] == ["base", "dpo"]


def test_a_dry_run_says_what_it_takes(capsys: pytest.CaptureFixture[str], tmp_path: Path, experiment: Path) -> None:
    assert main(["run", str(experiment), "--out", str(tmp_path / "run"), "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert "[1/9] codedpo dataset\n  codepref build codedpo" in said
    lines = {line[:42].strip(): line[42:].split() for line in said.splitlines()}
    assert lines["codedpo dataset"][0] == "144"  # 12 prompts, 6 codes and 6 tests each
    assert lines["tiny, sampled, dpo"][0] == "16"
    assert float(lines["all together"][2]) >= float(lines["dpo training"][2]) >= 0
    assert not (tmp_path / "run").exists()


def test_a_dry_run_says_whether_the_budget_reaches(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, experiment: Path
) -> None:
    for hours, words in (("0.0001", "is estimated to take"), ("1000", "which is enough by this estimate")):
        settings = ["--set", f"budget.hours={hours}", "--set", "budget.tokens_per_second=1"]
        assert main(["run", str(experiment), "--out", str(tmp_path / "run"), "--dry-run", *settings]) == 0
        last = capsys.readouterr().out.splitlines()[-1]
        assert last.startswith(f"budget.hours: {hours}") and words in last


WRONG_SETTINGS = [
    ("datasets.codedpo.settings.codes_per_promt=3", "unknown key 'codes_per_promt'; did you mean 'codes_per_prompt'?"),
    ("datasets.codedpo.settings.limits.cpu_s=soon", 'limits.cpu_s: must be a number, not "soon"'),
    ("datasets.codedpo.config=nowhere.yaml", "datasets.codedpo: nowhere.yaml: No such file or directory"),
    ("prompts={folder}/bad.jsonl", "bad.jsonl:1: "),
]


@pytest.mark.parametrize(("setting", "words"), WRONG_SETTINGS)
def test_what_is_wrong_is_said_before_anything_is_printed(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, experiment: Path, setting: str, words: str
) -> None:
    (tmp_path / "bad.jsonl").write_text("[]\n")
    setting = setting.format(folder=tmp_path)
    capsys.readouterr()
    assert main(["run", str(experiment), "--out", str(tmp_path / "run"), "--dry-run", "--set", setting]) == 2
    said = capsys.readouterr()
    assert not said.out
    assert words in said.err and len(said.err.splitlines()) == 1


TRAININGS = """trainings:
  a: {data: codedpo, settings: {learning_rate: 1e-5}}
  b:
    data: codedpo
    settings:
      lerning_rate: 1e-4
"""


def test_a_setting_that_the_recipe_does_not_take_is_named_with_its_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, experiment: Path
) -> None:
    pytest.importorskip("trl", reason="the training libraries are not installed")
    experiment.write_text(experiment.read_text() + TRAININGS)
    line = len(experiment.read_text().splitlines())
    capsys.readouterr()
    assert main(["run", str(experiment), "--out", str(tmp_path / "run"), "--dry-run"]) == 2
    said = capsys.readouterr()
    words = "trainings.b.settings: unknown key 'lerning_rate'; did you mean 'learning_rate'?"
    assert said.err == f"codepref: error: {experiment}, line {line}: {words}\n"
    assert not said.out


def test_a_budget_that_does_not_reach_stops_it(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, experiment: Path
) -> None:
    settings = ["budget.hours=0.001", "budget.tokens_per_second=1", "budget.trained_tokens_per_second=1"]
    words = [word for setting in settings for word in ("--set", setting)]
    assert main(["run", str(experiment), "--out", str(tmp_path / "run"), *words]) == 2
    assert "budget.hours: 0.001, and the experiment is estimated to take" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_key_that_is_missing_or_unknown_is_named(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["run", "--model", "m"]) == 2
    assert "give prompts (a file of prompts) or seeds (source code)" in capsys.readouterr().err
    assert main(["run", "--model", "m", "--prompts", "nowhere.jsonl"]) == 2
    assert "prompts: nowhere.jsonl: no such file" in capsys.readouterr().err
    path = tmp_path / "e.yaml"
    for key, text in (("dataset", "dataset: {}"), ("datasets.codedpo.setting", "datasets: {codedpo: {setting: {}}}")):
        path.write_text(f"model: m\nprompts: p\n{text}\n")
        assert main(["run", str(path)]) == 2
        assert f"unknown key '{key}'" in capsys.readouterr().err
