"""What README, docs/, skills/ and the other pages tell people to type, to click and to put into a file.

Every command is at least read by its own parser, with the configuration and the keys it names. What is cheap runs.
"""

import dataclasses
import importlib
import json
import re
import shlex

import pages
import pytest
import yaml

from codepref import cli, config
from codepref.commands import options
from codepref.errors import CodeprefError

OTHERS = {
    "jq",
    "source",
    "vllm",
    "pip",
    "python3",
    "export",
    "docker",
    "srun",
    "ray",
    "for",
    "do",
    "done",
    "hf",
    "apt-get",
    "#",
}
"""First words of commands that are no part of this project."""
MINE = "mine.yaml"
"""The configuration that docs/build.md writes, and other pages use."""


def shown(command):
    page, words = command
    return f"{page}: {shlex.join(words)}"


@pytest.fixture(scope="module")
def mine(tmp_path_factory):
    """The file `mine.yaml` of docs/build.md."""
    (block,) = [block for block in pages.blocks("docs/build.md", "yaml") if block.startswith(f"# {MINE}")]
    path = tmp_path_factory.mktemp("mine") / MINE
    path.write_text(block)
    return path


def test_all_pages_are_read():
    assert {"README.md", "CONTRIBUTING.md", "AGENTS.md", "docs/build.md", "docs/scale.md"} <= set(pages.PAGES)
    assert len(pages.all_commands("codepref")) > 60


def test_make_words_exist(root):
    targets = set(re.findall(r"^([a-z]+):", (root / "Makefile").read_text(), re.M))
    words = {word for _, command in pages.all_commands("make") for word in command[1:]}
    assert words >= {"quickstart", "dataset", "train", "test", "check"}
    assert words <= targets


@pytest.mark.parametrize("page", pages.PAGES)
def test_commands_parse(page):
    for words in [*pages.commands(page), *pages.inline_commands(page)]:
        if words[0] == "codepref" and "--help" not in words:
            given = [word.strip("[]") for word in words[1:]]
            cli._parser(given).parse_args(given)


@pytest.mark.parametrize("method", options.methods())
def test_builds_name_configurations_and_keys_that_exist(method, mine):
    builds = [(page, words) for page, words in pages.all_commands("codepref") if words[1:3] == ["build", method]]
    assert builds
    for command in builds:
        arguments = cli._parser(command[1][1:]).parse_args(command[1][1:])
        given = str(mine) if arguments.config == MINE else arguments.config
        path = given and options.config_file(given, options.CONFIGS / method)
        keys = [
            re.sub(r"\$\(.*\)", "http://localhost:8000/v1", item) for item in arguments.set
        ]  # what a shell computes
        try:
            config.load(options.builder(method).Config, path, keys)
        except CodeprefError as error:
            pytest.fail(f"{shown(command)}: {error}")


def test_trainings_name_recipes_that_exist(root):
    trainings = [command for command in pages.all_commands("codepref") if command[1][1] == "train"]
    assert trainings
    for command in trainings:
        arguments = cli._parser(command[1][1:]).parse_args(command[1][1:])
        for given, folder in ((arguments.config, options.RECIPES), (arguments.accelerate, None)):
            path = given and (options.config_file(given, folder) if folder else given)
            assert path is None or (root / path).is_file() or options.Path(path).is_file(), shown(command)


@pytest.mark.parametrize("program", ["accelerate", "torchrun", "python", ".venv/bin/python"])
def test_scripts_that_are_named_exist(root, program):
    found = pages.all_commands(program)
    assert found
    for page, words in found:
        for word in words[1:]:
            if re.fullmatch(r"[\w/.-]+\.(py|yaml)", word) and word not in (MINE, "experiment.yaml"):
                assert (root / word).exists(), f"{page}: {word}"
        if "-m" in words and words[words.index("-m") + 1] != "pytest":
            assert importlib.util.find_spec(words[words.index("-m") + 1]), f"{page}: {shlex.join(words)}"


def test_no_other_program_is_asked_for():
    """A new first word needs a test here, or a place among the programs of others."""
    known = {"codepref", "make", "accelerate", "torchrun", "python", ".venv/bin/python"} | OTHERS
    for page in pages.PAGES:
        for words in pages.commands(page):
            assert words[0] in known or re.match(r"[A-Z_]+=|~.*", words[0]), f"{page}: {shlex.join(words)}"


@pytest.mark.parametrize("page", pages.PAGES)
def test_links_lead_somewhere(root, page):
    for target, path, anchor in pages.links(page):
        assert path.exists(), f"{page}: {target}"
        assert path.is_relative_to(root), f"{page}: {target} leads out of the repository"
        if anchor:
            assert anchor in pages.headings(str(path.relative_to(root))), f"{page}: {target}"


@pytest.mark.parametrize("page", pages.PAGES)
def test_paths_that_are_named_exist(root, page):
    folders = "builders|codepref|benchmarks|tests|model_cards|recipes|evaluation|docs|examples|skills"
    for path in re.findall(rf"`((?:{folders})/[\w./-]*)`", pages.prose(page)):
        if not re.search(r"[A-Z]{3,}", path):
            assert (root / path).exists() or (root / "codepref" / path).exists(), f"{page}: {path}"


@pytest.mark.parametrize("page", [page for page in pages.PAGES if pages.blocks(page, "json")])
def test_json_is_json(page):
    for block in pages.blocks(page, "json"):
        for line in block.splitlines():
            json.loads(line)


@pytest.mark.parametrize(("page", "key"), [("docs/build.md", "codes"), ("docs/codeflow.md", "versions")])
def test_recordings_that_are_shown_can_be_read(page, key, tmp_path):
    from codepref.generate.recorded import read_recordings

    (line,) = [block for block in pages.blocks(page, "json") if f'"{key}"' in block]
    (tmp_path / "samples.jsonl").write_text(line)
    good, bad = read_recordings(tmp_path / "samples.jsonl", codes=key)
    assert (len(good), bad) == (1, [])
    assert line in pages.text("docs/formats.md")


def test_the_sandbox_example_runs(capsys):
    (block,) = [block for block in pages.blocks("docs/sandbox.md", "python") if "codepref.sandbox" in block]
    exec(block, {})
    assert capsys.readouterr().out.startswith("passed (")


def test_local_and_cluster_settings_are_accepted():
    from builders.codedpo.method import Config

    found = [
        block
        for page in ("docs/build.md", "docs/scale.md")
        for block in pages.blocks(page, "yaml")
        if block.startswith("generation:")
    ]
    assert len(found) == 3
    for block in found:
        values = yaml.safe_load(block)
        config.load(Config, None, [f"{key}={json.dumps(value)}" for key, value in values.items()])


def test_the_experiment_is_accepted(root):
    from codepref.commands.experiment.command import DEFAULT
    from codepref.commands.experiment.file import Experiment
    from codepref.commands.experiment.steps import planned_steps

    (block,) = [block for block in pages.blocks("docs/run.md", "yaml") if block.startswith("# experiment.yaml")]
    values = yaml.safe_load(block)
    file = config.load(Experiment, None, [f"{key}={json.dumps(value)}" for key, value in values.items()])
    short = config.load(Experiment, DEFAULT, ["model=m", "prompts=p"])
    for experiment, steps in ((file, 24), (short, 7)):
        found = list(planned_steps(dataclasses.replace(experiment, chat=True), root, 1))
        assert len(found) == steps
        for step in found:
            assert not step.words or cli._parser(list(step.words)).parse_args(list(step.words))


@pytest.mark.parametrize("method", options.methods())
def test_every_configuration_is_accepted(root, method):
    found = sorted((root / "builders" / "configs" / method).glob("*.yaml"))
    assert found
    for path in found:
        config.load(options.builder(method).Config, path)
        assert yaml.safe_load(path.read_text()), path


def test_the_index_names_every_page(root):
    named = {path for _, path, _ in pages.links("docs/README.md")}
    for path in (root / "docs").glob("*.md"):
        assert path.name == "README.md" or path in named, f"docs/README.md does not name {path.name}"


def records():
    from builders.codedpo.pairs_of_tests import PairOfTests
    from builders.codedpo.training_columns import ListenedPair
    from builders.codeflow.pairs import LabelledVersion, RepairPair
    from builders.dstc.answers import AnswerPair, LabelledAnswer
    from codepref.records import Exclusion

    return [
        ("### CodeDPO", ListenedPair), ("### CodeDPO", PairOfTests), ("### CodeFlow", RepairPair), ("### CodeFlow", LabelledVersion),
        ("### DSTC", AnswerPair), ("### DSTC", LabelledAnswer), ("## exclusions.jsonl", Exclusion),
    ]  # fmt: skip


def test_formats_name_every_column():
    parts = re.split(r"^(?=##)", pages.text("docs/formats.md"), flags=re.M)
    for title, record in records():
        (part,) = [part for part in parts if part.startswith(title)]
        missing = [field.name for field in dataclasses.fields(record) if f"`{field.name}`" not in part]
        assert not missing, f"{title}: {missing}"
