"""What the README and CONTRIBUTING tell people to type."""

import dataclasses
import json
import re
import shlex

import pytest
import yaml

from codepref import cli, config
from codepref.commands import options


def blocks(path, language):
    return re.findall(rf"^```{language}\n(.*?)^```", path.read_text(), re.M | re.S)


def commands(root):
    for name in ("README.md", "CONTRIBUTING.md"):
        for block in blocks(root / name, "bash"):
            joined = block.replace("\\\n", " ")
            yield from (line.partition("#")[0].strip() for line in joined.splitlines())


def test_make_words_exist(root):
    targets = set(re.findall(r"^([a-z]+):", (root / "Makefile").read_text(), re.M))
    words = {line.split()[1] for line in commands(root) if line.startswith("make ")}
    assert words >= {"quickstart", "test", "check"}
    assert words <= targets


def test_codepref_commands_parse(root):
    lines = [line for line in commands(root) if line.startswith("codepref ")]
    assert len(lines) >= 3
    for line in lines:
        words = [word.strip("[]") for word in shlex.split(line)[1:]]
        if "--help" not in words:
            cli._parser(words).parse_args(words)


def test_the_sandbox_example_runs(root, capsys):
    (block,) = [block for block in blocks(root / "README.md", "python") if "codepref.sandbox" in block]
    exec(block, {})
    assert capsys.readouterr().out.startswith("passed (")


@pytest.mark.parametrize("method", options.methods())
def test_every_configuration_is_accepted(root, method):
    import importlib

    builder = importlib.import_module(f"builders.{method}.method")
    found = sorted((root / "builders" / "configs" / method).glob("*.yaml"))
    assert found
    for path in found:
        config.load(builder.Config, path)
        assert yaml.safe_load(path.read_text()), path


def test_paths_in_the_readme_exist(root):
    text = (root / "README.md").read_text()
    for path in re.findall(r"`((?:builders|codepref|benchmarks|tests|model_cards)/[\w./-]*)`", text):
        assert (root / path).exists(), path


def test_the_experiment_in_the_readme_is_accepted(root):
    from codepref.commands.experiment.command import DEFAULT
    from codepref.commands.experiment.file import Experiment
    from codepref.commands.experiment.steps import planned_steps

    (block,) = [block for block in blocks(root / "README.md", "yaml") if block.startswith("# experiment.yaml")]
    values = yaml.safe_load(block)
    shown = config.load(Experiment, None, [f"{key}={json.dumps(value)}" for key, value in values.items()])
    short = config.load(Experiment, DEFAULT, ["model=m", "prompts=p"])
    for experiment, steps in ((shown, 24), (short, 7)):
        found = list(planned_steps(dataclasses.replace(experiment, chat=True), root, 1))
        assert len(found) == steps
        for step in found:
            assert not step.words or cli._parser(list(step.words)).parse_args(list(step.words))
