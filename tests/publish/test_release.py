"""Which files of a folder leave, and which folders are not let out."""

import shutil

import pytest
from datasets.info import DatasetInfosDict
from datasets.utils.metadata import MetadataConfigs
from huggingface_hub import DatasetCard, ModelCard

from codepref import cli
from codepref.errors import CodeprefError
from codepref.publish import release

import releases  # isort: skip

REPO = "org/pairs"
PARQUET = "correctness/train-00000-of-00001.parquet"


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("built") / "run"
    releases.build(folder, correctness=releases.pairs())
    (folder / "figures").mkdir()
    (folder / "figures" / "yield.png").write_bytes(b"png")
    (folder / "notes.txt").write_text("mine")
    return folder


@pytest.fixture
def folder(built, tmp_path):
    return shutil.copytree(built, tmp_path / "run")


@pytest.fixture
def adapter(tmp_path):
    return releases.adapter(tmp_path / "adapter")


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_what_leaves_a_dataset_folder(folder):
    files = release.dataset_release(folder, REPO).files
    assert set(files) == {"README.md", "manifest.json", "exclusions.jsonl", PARQUET, "figures/yield.png"}
    assert release.PLACEHOLDER not in files["README.md"].content.decode()
    assert (folder / "stages").is_dir()


def test_what_leaves_a_model_folder(adapter):
    files = release.model_release(adapter, "org/adapter").files
    assert set(files) == {"README.md", "manifest.json", "adapter_config.json", "adapter_model.safetensors"}
    assert 'PeftModel.from_pretrained(base, "org/adapter")' in files["README.md"].content.decode()


def test_hashes_are_those_of_git_and_sha256(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"hello\n")
    expected = (
        "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03",
        "ce013625030ba8dba906f756967f9e9ca394464a",
        6,
    )
    assert release.File("a", path).hashes == release.File("a", b"hello\n").hashes == expected


def remove(name):
    return lambda folder: (folder / name).unlink()


BROKEN = {
    "no card": (remove("README.md"), "no README.md; the build is not finished; run it again"),
    "no manifest": (remove("manifest.json"), "no manifest.json, so this is not the folder of a finished build"),
    "no exclusions": (remove("exclusions.jsonl"), "no exclusions.jsonl"),
    "no data": (remove(PARQUET), f"no {PARQUET}; the build is not finished"),
    "data changed": (lambda f: (f / PARQUET).write_bytes(b"PAR1"), "the file was changed after the build"),
    "data added": (lambda f: shutil.copy(f / PARQUET, f / "correctness" / "more.parquet"), "is not in manifest.json"),
    "manifest cut": (lambda f: (f / "manifest.json").write_text("{"), "manifest.json: not JSON"),
    "a model's": (lambda f: (f / "manifest.json").write_text("{}"), "for a model: codepref publish model"),
    "unfilled": (lambda f: edit(f / "README.md", "By hand.", "[More Information Needed]"), "is not filled in"),
    "a template": (lambda f: edit(f / "README.md", "By hand.", "{{ card }}"), "'{{' is not filled in"),
    "an empty value": (lambda f: edit(f / "README.md", "By hand.", "Seed: None"), "a value is None"),
    "not a number": (lambda f: edit(f / "README.md", "By hand.", "| a |\n| - |\n| nan |"), "a value is nan"),
    "an open block": (lambda f: edit(f / "README.md", "By hand.", "```\ncode"), "a code block is not closed"),
    "a lost image": (lambda f: edit(f / "README.md", "By hand.", "![a](figures/b.png)"), "links to figures/b.png"),
    "no YAML": (lambda f: edit(f / "README.md", "---\n", ""), "no YAML front matter"),
    "bad YAML": (lambda f: edit(f / "README.md", "license: mit", "license: [mit"), "front matter is not YAML"),
    "a licence of its own": (
        lambda f: edit(f / "README.md", "license: mit", "license: Acme Research"),
        "the Hub does not know the licence 'Acme Research', write license: other and license_name: acme-research",
    ),
    "a lost config": (lambda f: edit(f / "README.md", "path: correctness/train", "path: gone/train"), "config correct"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_dataset_folder_that_is_not_let_out(folder, name, capsys):
    damage, message = BROKEN[name]
    damage(folder)
    assert cli.main(["publish", "dataset", str(folder), "--repo", REPO]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert str(folder) in error
    assert len(error.strip().splitlines()) == 1


def test_links_to_files_that_are_there_and_elsewhere_are_fine(folder):
    edit(
        folder / "README.md", "By hand.", "![a](figures/yield.png) [b](https://x.org/y) [c](#limits) [d](manifest.json)"
    )
    assert release.dataset_release(folder, REPO).files


BROKEN_MODELS = {
    "no card": (remove("README.md"), "no README.md; the training run is not finished"),
    "no weights": (remove("adapter_model.safetensors"), "no adapter_config.json or config.json with *.safetensors"),
    "no config": (remove("adapter_config.json"), "no adapter_config.json or config.json with *.safetensors"),
    "cut weights": (
        lambda f: (f / "adapter_model.safetensors").write_bytes(releases.safetensors()[:-5]),
        "cut off or not safetensors",
    ),
    "no safetensors": (
        lambda f: (f / "adapter_model.safetensors").write_bytes(b"x" * 99),
        "cut off or not safetensors",
    ),
    "a shard is missing": (
        lambda f: (f / "model.safetensors.index.json").write_text('{"weight_map": {"a": "model-2.safetensors"}}'),
        "model-2.safetensors is not there",
    ),
    "a local base": (
        lambda f: edit(f / "adapter_config.json", "org/base", str(f.parent)),
        "a folder of this machine that nobody else can load",
    ),
    "a local base that looks like a Hub id": (
        lambda f: edit(f / "manifest.json", '"local": false}, "dataset"', '"local": true}, "dataset"'),
        "base_model_name_or_path is org/base, a folder of this machine",
    ),
    "a relative base": (
        lambda f: edit(f / "adapter_config.json", "org/base", "../base"),
        "a folder of this machine that nobody else can load",
    ),
}


@pytest.mark.parametrize("name", BROKEN_MODELS)
def test_a_model_folder_that_is_not_let_out(adapter, name):
    damage, message = BROKEN_MODELS[name]
    damage(adapter)
    with pytest.raises(CodeprefError, match=message.replace("*", r"\*")):
        release.model_release(adapter, "org/adapter")


def test_cards_that_are_shown_pass_the_linter_and_the_clients_own_checks(root):
    """The pictures' cards, as they stand in the project."""
    found = sorted((root / "model_cards" / "examples").glob("*.md"))
    assert {path.stem for path in found} >= {"codedpo", "codeflow", "dstc", "model"}
    for path in found:
        text = path.read_text()
        data, _ = release.front_matter(text)
        names = [files["path"].replace("*", "x.parquet") for c in data.get("configs", ()) for files in c["data_files"]]
        manifest = ["manifest.json", "exclusions.jsonl"]
        figures = [f"figures/{item.name}" for item in (path.parent / "figures").glob("*")]
        assert release.lint(text, [*names, *manifest, *figures]) == []
        card = (DatasetCard if data.get("configs") else ModelCard)(text)
        assert card.data.to_dict() == data
        configs = MetadataConfigs.from_dataset_card_data(card.data)
        assert set(configs) == {config["config_name"] for config in data.get("configs", ())}
        assert set(DatasetInfosDict.from_dataset_card_data(card.data)) >= set(configs)
        assert path.with_suffix(".png").stat().st_size > 10_000
