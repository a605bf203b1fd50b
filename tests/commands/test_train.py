"""`codepref train`: which program it starts, with which words. The programs themselves: tests/recipes."""

import sys

import pytest

from codepref import cli
from codepref.commands import train


@pytest.fixture
def started(monkeypatch):
    commands = []

    def finished(command):
        commands.append(command)
        return 7

    monkeypatch.setattr(train, "finished", finished)
    return commands


def test_a_recipe_is_started_with_its_file_and_keys(started, root):
    words = ["train", "focal_dpo", "--config", "a.yaml", "--set", "beta=0.2", "--set", "prompt_template={prompt}=x"]
    assert cli.main(words) == 7  # the recipe's own exit code
    script = str(root / "recipes" / "focal_dpo.py")
    (command,) = started
    assert command == [sys.executable, script, "--config", "a.yaml", "--beta", "0.2", "--prompt_template", "{prompt}=x"]


def test_with_accelerate(started, root):
    cli.main(["train", "dpo", "--config", "a.yaml", "--accelerate", "fsdp2.yaml"])
    launch = [str(root / "recipes" / "launch.py"), "--config_file", "fsdp2.yaml"]
    assert started == [[sys.executable, *launch, str(root / "recipes" / "dpo.py"), "--config", "a.yaml"]]


def test_lists_and_skipped_rows(started):
    words = ["--set", "lora_target_modules=[q_proj, v_proj]", "--set", "prompt_template=[Q]", "--skip-bad"]
    cli.main(["train", "dpo", *words])
    expected = ["--lora_target_modules", "q_proj", "v_proj", "--prompt_template", "[Q]", "--skip_bad", "true"]
    assert started[0][2:] == expected


def test_merge(started, root):
    cli.main(["train", "--merge", "runs/adapter", "--out", "runs/whole", "--dtype", "float16"])
    words = ["runs/adapter", "--out", "runs/whole", "--dtype", "float16"]
    assert started == [[sys.executable, str(root / "recipes" / "merge.py"), *words]]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "give one of sft, dpo, kto, focal_dpo, or --merge"),
        (["dpo", "--merge", "x", "--out", "y"], "give one of"),
        (["--merge", "x"], "give --out DIR"),
        (["dpo", "--set", "beta"], "--set beta: expected key=value"),
    ],
)
def test_what_is_refused(started, words, said, capsys):
    assert cli.main(["train", *words]) == 2
    assert said in capsys.readouterr().err
    assert not started


def test_a_recipe_that_was_killed_is_told(monkeypatch, capsys, tmp_path):
    killer = "import os; os.kill(os.getpid(), 9)"
    monkeypatch.setattr(train, "command_of", lambda arguments: [sys.executable, "-c", killer])
    assert cli.main(["train", "dpo"]) == 137
    (line,) = capsys.readouterr().err.splitlines()
    assert "was killed (SIGKILL), as the system does where memory runs out; lower per_device_train_batch_size" in line


def test_settings_are_checked_by_the_recipe_itself(started, root, capsys, tmp_path):
    config = str(root / "recipes" / "tiny" / "dpo_lora.yaml")
    asked = ["train", "dpo", "--config", config, "--accelerate", "fsdp2.yaml", "--check"]
    assert cli.main([*asked, "--set", "max_entropy=0"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("codepref: error: max_entropy: 0.0 leaves no row")
    assert cli.main(["train", "--merge", "x", "--out", "y", "--check"]) == 2
    assert not started


def test_without_the_training_libraries(started, monkeypatch, capsys):
    monkeypatch.setattr(train.importlib.util, "find_spec", lambda name: None)
    assert cli.main(["train", "dpo"]) == 2
    assert "pip install 'codepref[train,tracking]'" in capsys.readouterr().err
