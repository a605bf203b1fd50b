"""What a folder gives the Hub: the files of a finished build or training run, checked before anything is sent.

A folder holds more than it publishes: `stages/`, checkpoints, optimizer states and locks stay where they are. A release
is the list of files that leave, each with the hashes by which the Hub knows it.
"""

import fnmatch
import hashlib
import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import yaml

from codepref import licences
from codepref.errors import CodeprefError

Kind = Literal["dataset", "model"]

PLACEHOLDER = "PATH_OR_HUB_ID"
"""What a card says where the name of its repository belongs; publishing knows that name."""
FIGURES = "figures/*"
MODEL_FILES = ("*.json", "*.safetensors", "*.jinja", "*.model", "*.txt", FIGURES)
FENCED = re.compile(r"^(`{3,}).*?^\1`*$", re.S | re.M)
UNFILLED = re.compile(r"More Information Needed|\{\{|\{%")
EMPTY = re.compile(r"([|:]) *(None|nan|NaN|NaT|null) *(\||$)", re.M)


@dataclass(frozen=True)
class File:
    """One file of a release."""

    name: str
    """Path in the repository."""
    content: Path | bytes
    """Bytes where publishing writes into the file: the card, the scores."""

    @cached_property
    def hashes(self) -> tuple[str, str, int]:
        """sha256 (the Hub's name for a large file), git's blob id (its name for a small one), size in bytes."""
        size = self.content.stat().st_size if isinstance(self.content, Path) else len(self.content)
        large, small = hashlib.sha256(), hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)
        for block in self._blocks():
            large.update(block)
            small.update(block)
        return large.hexdigest(), small.hexdigest(), size

    def _blocks(self) -> Iterator[bytes]:
        if isinstance(self.content, bytes):
            yield self.content
            return
        with self.content.open("rb") as file:
            while block := file.read(1 << 20):
                yield block


@dataclass(frozen=True)
class Release:
    """Everything one repository is to hold."""

    kind: Kind
    files: Mapping[str, File]
    configs: tuple[str, ...] = ()
    """Dataset configs that `load_dataset` opens."""


def dataset_release(folder: Path, repo_id: str) -> Release:
    """The release of a folder that `codepref build` made.

    Args:
        folder: The build's folder.
        repo_id: `ORG/NAME`, for the card.

    Raises:
        CodeprefError: the build is not finished, or a file is not the one that the manifest names.
    """
    manifest = read_manifest(folder)
    if "dataset" not in manifest or "stages" not in manifest:
        raise CodeprefError(f"{folder}/manifest.json is not that of a dataset; for a model: codepref publish model")
    readme = card(folder, repo_id, "the build is not finished; run it again")
    data = [item for part in manifest["dataset"].values() for item in part["files"]]
    files = [readme, *_existing(folder, ["manifest.json", manifest["exclusions"]["file"]]), *_figures(folder)]
    parquet = {item["file"]: File(item["file"], folder / item["file"]) for item in data}
    for item in data:
        _compare(folder, parquet[item["file"]], item)
    for path in folder.glob("*/*.parquet"):
        name = path.relative_to(folder).as_posix()
        if name not in parquet:
            raise CodeprefError(f"{path}: is not in manifest.json; remove it or build again")
    whole = _linted(folder, {file.name: file for file in [*files, *parquet.values()]})
    configs = tuple(name for name, part in manifest["dataset"].items() if part["rows"])
    return Release("dataset", whole, configs)


def model_release(folder: Path, repo_id: str, extra: Sequence[File] = ()) -> Release:
    """The release of a folder that `codepref train` made: an adapter or a whole model, with its card.

    Args:
        folder: The run's folder.
        repo_id: `ORG/NAME`, for the card.
        extra: Files made for this release; one that is called README.md takes the place of the folder's.

    Raises:
        CodeprefError: card or weights are missing or incomplete, or the base model is a path of this machine.
    """
    readme = card(folder, repo_id, "the training run is not finished; run it again")
    found = [path for pattern in MODEL_FILES for path in folder.glob(pattern) if path.is_file()]
    files = {name: File(name, path) for path in found for name in [path.relative_to(folder).as_posix()]}
    _check_weights(folder, files)
    files |= {readme.name: readme} | {file.name: file for file in extra}
    return Release("model", _linted(folder, files))


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a build or a training run.

    Raises:
        CodeprefError: there is none, or it is not JSON.
    """
    path = folder / "manifest.json"
    if not path.is_file():
        raise CodeprefError(f"{folder}: no manifest.json, so this is not the folder of a finished build")
    try:
        return json.loads(path.read_text(encoding="utf-8"))  # type: ignore[no-any-return]
    except ValueError as error:
        raise CodeprefError(f"{path}: not JSON ({error}); build again") from None


def front_matter(text: str) -> tuple[dict[str, Any], str]:
    """The YAML and the Markdown of a card.

    Raises:
        ValueError: no front matter, or it is not a YAML mapping.
    """
    match = re.match(r"\A---\r?\n(.*?)\r?\n---\r?\n(.*)\Z", text, re.S)
    if not match:
        raise ValueError("no YAML front matter between two lines of ---")
    try:
        data = yaml.safe_load(match[1])
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ValueError(f"front matter is not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(data, dict):
        raise ValueError("front matter is not a mapping")
    return data, match[2]


def card(folder: Path, repo_id: str, remedy: str) -> File:
    """The card of a folder, with the name of its repository filled in.

    Raises:
        CodeprefError: there is no card; ends with the remedy.
    """
    path = folder / "README.md"
    if not path.is_file():
        raise CodeprefError(f"{folder}: no README.md; {remedy}")
    return File(path.name, path.read_text(encoding="utf-8").replace(PLACEHOLDER, repo_id).encode())


def lint(text: str, names: Collection[str]) -> list[str]:
    """What is wrong with a card; nothing, if it may be shown to people.

    Args:
        text: The card, YAML front matter included.
        names: Paths of all files of the repository.
    """
    try:
        data, body = front_matter(text)
    except ValueError as error:
        return [str(error)]
    prose = FENCED.sub("", body)
    wrong = [f"'{hole[0]}' is not filled in" for hole in UNFILLED.finditer(prose)]
    wrong += [f"a value is {value[2]}" for value in EMPTY.finditer(prose)]
    wrong += ["a code block is not closed"] if "```" in prose or any(map(_swallows, FENCED.finditer(body))) else []
    for target in re.findall(r"\]\(([^)\s]+)\)", prose):
        if not re.match(r"[a-z]+:|#", target) and target not in names:
            wrong.append(f"it links to {target}, which is not there")
    return wrong + licences.faults(data) + _lint_configs(data, names)


def _swallows(block: re.Match[str]) -> bool:
    """Whether a code block holds the beginning of another: it was not closed, and ends where that one does."""
    return re.search(rf"^{block[1]}\w", block[0][len(block[1]) + 1 :], re.M) is not None


def _lint_configs(data: Mapping[str, Any], names: Collection[str]) -> list[str]:
    """A config whose files are not there makes the whole dataset impossible to load."""
    patterns = [
        (config["config_name"], files["path"]) for config in data.get("configs", ()) for files in config["data_files"]
    ]
    wrong = [f"config {name}: no file {path}" for name, path in patterns if not fnmatch.filter(names, path)]
    for name in names:
        if name.endswith(".parquet") and not any(fnmatch.fnmatch(name, path) for _, path in patterns):
            wrong.append(f"no config has {name}")
    return wrong


def _linted(folder: Path, files: Mapping[str, File]) -> Mapping[str, File]:
    readme = files["README.md"].content
    assert isinstance(readme, bytes)
    if wrong := lint(readme.decode(), files):
        raise CodeprefError(f"{folder / 'README.md'}: {'; '.join(wrong)}; mend it or build again")
    return files


def _existing(folder: Path, names: Sequence[str]) -> list[File]:
    for name in names:
        if not (folder / name).is_file():
            raise CodeprefError(f"{folder}: no {name}; the build is not finished, run it again")
    return [File(name, folder / name) for name in names]


def _figures(folder: Path) -> list[File]:
    return [File(f"figures/{path.name}", path) for path in sorted(folder.glob(FIGURES)) if path.is_file()]


def _compare(folder: Path, file: File, stated: Mapping[str, Any]) -> None:
    _existing(folder, [file.name])
    if file.hashes[0] != stated["sha256"]:
        raise CodeprefError(
            f"{folder / file.name}: its sha256 {file.hashes[0][:12]}... is not the {stated['sha256'][:12]}... "
            "of manifest.json; the file was changed after the build, build again"
        )


def _check_weights(folder: Path, files: Mapping[str, File]) -> None:
    weights = [folder / name for name in files if name.endswith(".safetensors")]
    adapter = folder / "adapter_config.json"
    if not weights or not (adapter.is_file() or (folder / "config.json").is_file()):
        raise CodeprefError(f"{folder}: no adapter_config.json or config.json with *.safetensors beside it")
    for path in weights:
        if not _is_whole(path):
            raise CodeprefError(f"{path}: cut off or not safetensors; save the model again")
    for index in folder.glob("*.safetensors.index.json"):
        for name in sorted(set(json.loads(index.read_text())["weight_map"].values())):
            if name not in files:
                raise CodeprefError(f"{index}: {name} is not there; save the model again")
    if adapter.is_file():
        _check_base(folder, adapter)


def _check_base(folder: Path, adapter: Path) -> None:
    """Refuses an adapter whose base is a folder: nobody has it, and its name may be another's on the Hub."""
    base = json.loads(adapter.read_text()).get("base_model_name_or_path") or ""
    trained = read_manifest(folder).get("base", {}) if (folder / "manifest.json").is_file() else {}
    if base.startswith((".", "/", "~")) or base.count("/") > 1 or Path(base).exists() or trained.get("local"):
        raise CodeprefError(
            f"{adapter}: base_model_name_or_path is {base}, a folder of this machine that nobody else can load; "
            "publish the base first, put its Hub id there and in manifest.json (base: name, and local: false)"
        )


def _is_whole(path: Path) -> bool:
    """Whether a safetensors file is as long as its header says."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > path.stat().st_size:
            return False
        try:
            header = json.loads(file.read(length))
        except ValueError:
            return False
    ends = [entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"]
    return path.stat().st_size == 8 + length + max(ends, default=0)
