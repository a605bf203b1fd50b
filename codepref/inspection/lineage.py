"""Where a model or a dataset comes from: model -> dataset (tag, manifest hash) -> generator and seeds -> code."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codepref.errors import CodeprefError
from codepref.publish import release
from codepref.publish.retry import explained
from codepref.reach import quick_to_fail


@dataclass(frozen=True)
class LineageStep:
    """One link of the chain."""

    what: str
    """model, base, dataset, generator, code."""
    name: str
    facts: Mapping[str, str]


def trace_lineage(where: str) -> list[LineageStep]:
    """Walks from a model or a dataset back to the code and the models that made it.

    Args:
        where: A folder of `codepref build` or `codepref train`, or `ORG/NAME[@REVISION]` on the Hub.

    Returns:
        The steps, from the thing itself to its origins. A dataset whose manifest is not the one the model was trained
        on has the fact `manifest: CHANGED ...`.

    Raises:
        CodeprefError: neither a folder with a manifest nor a repository that has one.
    """
    data, manifest = _manifest(where)
    return _model(where, manifest) if "base" in manifest else _dataset(where, data, manifest)


def has_origins(where: Path) -> bool:
    """Whether this is `ORG/NAME[@REVISION]` or the folder of a trained model, rather than the folder of a build."""
    if where.is_dir():
        try:
            return "base" in release.read_manifest(where)
        except CodeprefError:
            return False
    return not where.exists() and len(where.parts) == 2 and not where.is_absolute()


def lineage_text(steps: list[LineageStep]) -> str:
    """The chain as text, one step a paragraph."""
    lines = []
    for step in steps:
        lines.append(f"{step.what:<10} {step.name}")
        lines += [f"{'':<10}   {key}: {value}" for key, value in step.facts.items()]
    return "\n".join(lines)


def _model(where: str, manifest: Mapping[str, Any]) -> list[LineageStep]:
    base, data = manifest["base"], manifest["dataset"]
    facts = {"method": manifest["method"], **_versions(manifest)}
    steps = [
        LineageStep("model", where, facts),
        LineageStep("base", base["name"], _stated(base, ("revision", "dtype"))),
    ]
    at = data.get("tag") or data.get("revision")
    source = f"{data['name']}@{at}" if at and not data.get("local") else data["name"]
    wanted = data.get("manifest_sha256")
    if data.get("local") and not Path(source).is_dir():
        remark = "a folder of the machine it was trained on; its manifest is not here to compare"
        return [*steps, LineageStep("dataset", source, {**_stated(data, ("manifest_sha256",)), "remark": remark})]
    raw, found = _manifest(source, "dataset")
    return steps + _dataset(source, raw, found, wanted)


def _dataset(where: str, raw: bytes, manifest: Mapping[str, Any], wanted: str | None = None) -> list[LineageStep]:
    digest = hashlib.sha256(raw).hexdigest()
    same = f"{digest} (the one it was trained on)" if wanted == digest else f"CHANGED: {digest}, trained on {wanted}"
    rows = {f"rows of {name}": f"{part['rows']:,}" for name, part in manifest["dataset"].items()}
    facts = {"method": manifest["method"], "manifest": same if wanted else digest, **rows}
    return [
        LineageStep("dataset", where, facts),
        _generator(manifest["config"]),
        LineageStep("code", f"codepref {manifest['versions']['codepref']}", _versions(manifest)),
    ]


def _generator(config: Mapping[str, Any]) -> LineageStep:
    """The model that wrote the samples, with its seed; for recorded samples the file's name and hash."""
    generation = config.get("generation") or {}
    backend = next(
        (name for name in generation if isinstance(generation[name], dict) and "model" in generation[name]), ""
    )
    seed = {"seed": str(config["seed"])} if "seed" in config else {}
    if not backend:
        return LineageStep("generator", f"recorded samples, {config.get('generations')}", seed)
    sampling = {key: str(value) for key, value in (generation.get("sampling") or {}).items()}
    stated = _stated(generation[backend], ("revision", "adapter"))
    return LineageStep("generator", generation[backend]["model"], {"backend": backend, **stated, **seed, **sampling})


def _versions(manifest: Mapping[str, Any]) -> dict[str, str]:
    return {"versions": ", ".join(f"{name} {version}" for name, version in manifest["versions"].items() if version)}


def _stated(values: Mapping[str, Any], keys: tuple[str, ...]) -> dict[str, str]:
    return {key: str(values[key]) for key in keys if values.get(key)}


def _manifest(where: str, *kinds: release.Kind) -> tuple[bytes, dict[str, Any]]:
    """Bytes and content of a manifest, from a folder or from the Hub (model first)."""
    if Path(where).is_dir():
        manifest = release.read_manifest(Path(where))
        return (Path(where) / "manifest.json").read_bytes(), manifest
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, RepositoryNotFoundError

    name, _, revision = where.partition("@")
    with explained(name, "could not be read"):
        for kind in kinds or ("model", "dataset"):
            try:
                with quick_to_fail(name):
                    path = hf_hub_download(name, "manifest.json", repo_type=kind, revision=revision or None)
            except (RepositoryNotFoundError, EntryNotFoundError):
                continue
            except ConnectionError as error:
                raise CodeprefError(f"{name}: {error}") from None
            raw = Path(path).read_bytes()
            return raw, json.loads(raw)
    raise CodeprefError(f"{where}: neither a folder nor a repository on the Hub with a manifest.json of codepref")
