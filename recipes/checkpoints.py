"""Where a run goes on: the newest checkpoint that is whole, and of the same run."""

import json
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from codepref.errors import CodeprefError

MANIFEST = "manifest.json"
"""Written into a checkpoint last, so that one that has it is whole; it says what was trained."""
MAY_CHANGE = {
    "max_steps", "num_train_epochs", "per_device_train_batch_size", "per_device_eval_batch_size",
    "gradient_accumulation_steps", "gradient_checkpointing", "eval_strategy", "eval_steps", "save_strategy",
    "save_steps", "save_total_limit", "resume_changed", "push_to_hub", "use_cpu", "precompute_ref_log_probs",
    "dataset_num_proc", "dataloader_num_workers", "chosen_guard", "chosen_drop", "logging_first_step",
    "logging_strategy", "hub_strategy", "trackio_space_id", "ddp_find_unused_parameters", "ddp_timeout",
    "precompute_ref_batch_size", "skip_bad", "dataset_config", "dataset_train_split", "packing",
    "max_tokens_per_batch",
}  # fmt: skip
"""Settings under which a resumed run is still the same: how long, how fast, how it is watched and kept; and those of
the dataset, whose rows are compared themselves."""


def wanted(folder: Path, asked: Any) -> Path | None:
    """The checkpoint to go on from.

    Args:
        folder: Output folder of the run.
        asked: `resume_from_checkpoint`: nothing, `last`, `true`, or the path of a checkpoint.

    Raises:
        CodeprefError: there is none, or none that is whole.
    """
    if asked in (None, "", False, "false", "False"):
        return None
    last = asked in ("last", "true", "True", True)
    newest_first = sorted(_checkpoints(folder if last else Path(asked).parent), key=_step, reverse=True)
    if not last:
        if Path(asked) not in newest_first:
            there = ", ".join(str(path) for path in newest_first) or "none"
            raise CodeprefError(f"resume_from_checkpoint: {asked} is no checkpoint (there: {there}); give one, or last")
        newest_first = newest_first[newest_first.index(Path(asked)) :]
    if not newest_first:
        raise CodeprefError(f"resume_from_checkpoint: no checkpoint in {folder}; leave it out to start anew")
    for path in newest_first:
        if not fault(path):
            return path
    said = "; ".join(f"{path.name}: {fault(path)}" for path in newest_first)
    raise CodeprefError(
        f"resume_from_checkpoint: no checkpoint in {folder} is whole ({said}); leave it out to start anew"
    )


def passed_over(chosen: Path) -> list[str]:
    """Newer checkpoints beside the chosen one that are not whole, with the reason."""
    newer = [path for path in _checkpoints(chosen.parent) if _step(path) > _step(chosen)]
    return [f"{path.name} is not whole ({reason})" for path in newer if (reason := fault(path))]


def _checkpoints(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return [path for path in folder.iterdir() if path.is_dir() and re.fullmatch(r"checkpoint-\d+", path.name)]


def _step(path: Path) -> int:
    return int(path.name.rpartition("-")[2])


def fault(path: Path) -> str:
    """Why a checkpoint can not be gone on from; empty for a whole one.

    Looks at what every kind of training leaves: the state, weights with their stated length, and torch files with the
    directory that is written at their end.
    """
    try:
        state = json.loads((path / "trainer_state.json").read_text(encoding="utf-8"))
    except OSError:
        return "no trainer_state.json"
    except ValueError:
        return "trainer_state.json is cut off"
    if not isinstance(state, dict) or "global_step" not in state:
        return "trainer_state.json is not a state"
    cut = [item.name for item in path.glob("*.safetensors") if not _is_whole(item)]
    cut += [item.name for pattern in ("*.pt", "*.pth", "*.bin") for item in path.glob(pattern) if not _is_archive(item)]
    if cut:
        return f"{', '.join(sorted(cut))} is cut off"
    sharded = any(path.glob("global_step*")) or any(path.glob("pytorch_model_fsdp*")) or any(path.glob("*.distcp"))
    missing = [] if sharded else [name for name in ("optimizer.pt", "scheduler.pt") if not (path / name).is_file()]
    if not sharded and not any(path.glob("*.safetensors")) and not any(path.glob("*model*.bin")):
        missing.append("weights")
    return f"no {', '.join(missing)}" if missing else ""


def _is_whole(path: Path) -> bool:
    """Whether a safetensors file is as long as its head says."""
    try:
        with safe_open(path, framework="pt"):
            return True
    except (SafetensorError, OSError):
        return False


def _is_archive(path: Path) -> bool:
    """Whether a file of torch is whole: it is a zip archive, whose directory is written last."""
    return zipfile.is_zipfile(path)


def changes(then: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """What a run's manifest says otherwise than the one of its checkpoint: what -> (then, now)."""
    found = {}
    for part in ("method", "base", "adapter", "dataset", "config"):
        old, new = _flat(part, then.get(part)), _flat(part, now.get(part))
        for name in sorted(old.keys() | new.keys()):
            if old.get(name) != new.get(name) and name not in MAY_CHANGE:
                found[name] = (old.get(name), new.get(name))
    if found.get("rows_sha256"):
        # the hash says that the rows differ; where they come from says more
        found["rows"] = (then["dataset"].get("name"), now["dataset"].get("name"))
        del found["rows_sha256"]
    return found


def _flat(part: str, value: Any) -> dict[str, Any]:
    if part == "dataset":
        # other names of the same rows are no change
        rows = (value or {}).get("rows_sha256")
        return {"rows_sha256": rows} if rows else {}
    if part == "base":
        return {f"base {name}": item for name, item in (value or {}).items() if not name.startswith("licence")}
    return dict(value) if isinstance(value, Mapping) else {part: value}


def compare(checkpoint: Path, manifest: Mapping[str, Any], allowed: bool) -> list[dict[str, Any]]:
    """Where a resumed run changed: `step` and `changes` (what -> before, after) of each such place, the first first.

    Raises:
        CodeprefError: the checkpoint is of other data, another method or other settings, and that was not allowed.
    """
    path = checkpoint / MANIFEST
    if not path.is_file():
        return []  # of a program that leaves no manifest: nothing to compare
    then = json.loads(path.read_text(encoding="utf-8"))
    found, earlier = changes(then, json.loads(json.dumps(manifest))), then.get("resumed") or []
    if not found:
        return earlier  # type: ignore[no-any-return]
    said = ", ".join(f"{name} {old} -> {new}" for name, (old, new) in found.items())
    if not allowed:
        raise CodeprefError(
            f"resume_from_checkpoint: {checkpoint} is of another run ({said}); give what it had, leave "
            "resume_from_checkpoint out to start anew, or set resume_changed=true to go on with what is given now"
        )
    both = {name: {"before": old, "after": new} for name, (old, new) in found.items()}
    return [*earlier, {"step": _step(checkpoint), "changes": both}]
