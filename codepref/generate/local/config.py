"""Which model, and what tells it from others."""

import functools
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from codepref.generate.base import GenerationError
from codepref.reach import quick_to_fail

CONTENT = {".safetensors", ".bin", ".json", ".jinja", ".model", ".txt"}
"""Files of a model folder that its texts depend on, by suffix."""


@dataclass(frozen=True)
class LocalConfig:
    """Which model, and how it is run."""

    model: str
    """A folder, or the id of a model on the Hub."""
    revision: str | None = None
    """Commit, branch or tag on the Hub."""
    adapter: str | None = None
    """PEFT adapter on top of the model: a folder, or an id on the Hub. Its tokenizer is used if it has one."""
    device: str = "auto"
    """`auto`: the GPU if there is one, else the CPU. Anything else is transformers' `device_map`, e.g. `balanced`."""
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """`auto`: as the checkpoint was saved; on a CPU, 16 bits become bfloat16 where that is fast, else float32."""
    batch_size: int = 32
    """Answers that are written side by side; halved by itself when memory runs out."""
    chat: bool | None = None
    """Whether prompts go through the tokenizer's chat template; None: if it has one."""

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise ValueError("batch_size must be 1 or more")

    @property
    def name(self) -> str:
        """The model as cards name it: without the paths of this machine."""
        parts = [self.model] if self.adapter is None else [self.model, self.adapter]
        return " + ".join(Path(part).resolve().name if Path(part).is_dir() else part for part in parts)


def identity(config: LocalConfig) -> dict[str, Any]:
    """Everything the texts of a model depend on, as far as they can be told: commits of the Hub, hashes of folders.

    Raises:
        GenerationError: model or adapter is neither a folder with a config nor on the Hub.
    """
    return {
        "model": _content(config.model, config.revision, "config.json"),
        "adapter": config.adapter and _content(config.adapter, None, "adapter_config.json"),
        "dtype": config.dtype,
        "chat": config.chat,
    }


def _content(where: str, revision: str | None, needed: str) -> str:
    """Commit of a Hub repository, or hash of all files of a folder that texts depend on."""
    if Path(where).is_dir():
        return _folder_hash(Path(where), needed)
    import huggingface_hub

    try:
        # the files of a commit lie in a folder of its name
        with quick_to_fail(where):
            return Path(huggingface_hub.hf_hub_download(where, needed, revision=revision)).parent.name
    except (OSError, ValueError, huggingface_hub.errors.EntryNotFoundError) as error:
        raise GenerationError(
            f"{where}: no such folder, and not to be had from the Hub ({one_line(error)}); "
            f"name a folder that holds {needed}, or ORG/NAME"
        ) from None


def _folder_hash(folder: Path, needed: str) -> str:
    files = sorted(path for path in folder.iterdir() if path.suffix in CONTENT and path.is_file())
    if needed not in {path.name for path in files}:
        raise GenerationError(f"{folder}: no {needed} in this folder; name the one that save_pretrained wrote")
    stats = [(path, path.stat()) for path in files]
    hashes = {path.name: _file_hash(path, stat.st_size, stat.st_mtime_ns) for path, stat in stats}
    return hashlib.sha256(json.dumps(hashes, sort_keys=True).encode()).hexdigest()


@functools.cache
def _file_hash(path: Path, _size: int, _changed: int) -> str:
    """sha256 of a file; read once for as long as size and time stay."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def one_line(error: BaseException) -> str:
    """What an exception says, in one line of at most 300 characters."""
    return " ".join(str(error).split())[:300] or type(error).__name__
