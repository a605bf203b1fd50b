"""`codepref run`: what an experiment's file becomes, and one experiment of the tiny model, cut off and continued."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from codepref.cli import main
from codepref.commands.run import Experiment, Server, Training, check, steps
from codepref.errors import CodeprefError


def words(experiment: Experiment) -> dict[str, str]:
    return {step.name: " ".join(step.words) for step in steps(experiment, Path("out"), 2)}


def test_a_model_and_prompts_are_enough() -> None:
    found = words(Experiment("Qwen/Qwen2.5-Coder-0.5B-Instruct", "p.jsonl"))
    assert list(found) == [
        "codedpo dataset", "humaneval_plus, base", "mbpp_plus, base", "dpo training", "humaneval_plus, dpo",
        "mbpp_plus, dpo", "scores",
    ]  # fmt: skip
    assert "generation.local.model=Qwen/Qwen2.5-Coder-0.5B-Instruct" in found["codedpo dataset"]
    assert "qwen2.5-coder-0.5b/dpo_qlora.yaml" in found["dpo training"]
    assert "--adapter out/dpo" in found["mbpp_plus, dpo"]
    assert "--adapter" not in found["mbpp_plus, base"]


def test_a_server_answers_and_the_model_is_trained() -> None:
    server = Server("coder", "http://localhost:8000/v1")
    found = words(Experiment("Qwen/Qwen2.5-Coder-0.5B", "p.jsonl", server=server, datasets={"dstc": {"seed": 3}}))
    assert "generation.server.base_url=http://localhost:8000/v1" in found["dstc dataset"]
    assert "generation.local" not in found["dstc dataset"]
    assert found["dstc dataset"].count("seed=") == 1
    assert "model_name_or_path=Qwen/Qwen2.5-Coder-0.5B" in found["kto training"]


def test_parts_that_do_not_fit_are_named() -> None:
    with pytest.raises(CodeprefError, match="'codedop' is no method; choose from codedpo"):
        check(Experiment("m", "p", datasets={"codedop": {}}))
    with pytest.raises(CodeprefError, match=r"trainings\.x: no dataset 'dstc' in this experiment; it has codedpo"):
        check(Experiment("m", "p", trainings={"x": Training("kto", "dstc")}))
    with pytest.raises(CodeprefError, match=r"no recipe .*; name one: trainings\.dpo\.config=FILE"):
        words(Experiment("some/model", "p"))


def test_a_key_that_is_missing_or_unknown_is_named(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["run", "--model", "m"]) == 2
    assert "prompts" in capsys.readouterr().err
    path = tmp_path / "e.yaml"
    path.write_text("model: m\nprompts: p\ndataset: {}\n")
    assert main(["run", str(path)]) == 2
    assert "unknown key 'dataset'" in capsys.readouterr().err


EXPERIMENT = """
model: codepref/generate/tiny/checkpoint
backend: tiny
prompts: {prompts}
datasets:
  codedpo: {{codes_per_prompt: 6, tests_per_prompt: 6, pairs_per_prompt: 3}}
evaluation: {{benchmarks: [tiny], limit: 16}}
"""


def test_an_experiment_is_killed_and_goes_on(root: Path, tmp_path: Path) -> None:
    prompts, out = tmp_path / "prompts.jsonl", tmp_path / "run"
    assert main(["tiny", "prompts", "--split", "build", "--n", "12", "--seed", "1", "--out", str(prompts)]) == 0
    (tmp_path / "e.yaml").write_text(EXPERIMENT.format(prompts=prompts))
    command = [sys.executable, "-m", "codepref.cli", "run", str(tmp_path / "e.yaml"), "--out", str(out)]
    started = subprocess.Popen(
        command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True
    )
    assert started.stdout is not None
    for line in started.stdout:
        if line.startswith("[2/"):
            break
    os.killpg(started.pid, signal.SIGKILL)
    started.communicate()
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "[1/6] codedpo dataset: kept from before" in done.stdout
    told = json.loads((out / "experiment.json").read_text())
    assert [score["model"] for score in told["scores"]] == ["base", "dpo"]
    assert [gain["model"] for gain in told["gains"]] == ["dpo"]
    assert "gain, dpo" in done.stdout
