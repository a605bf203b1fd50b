"""What several commands' options share."""

import argparse
import importlib
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from codepref.errors import CodeprefError

if TYPE_CHECKING:
    from codepref.cluster import Cluster

_PACKAGE = Path(__file__).resolve().parent.parent
CONFIGS = _PACKAGE.parent / "builders" / "configs"
RECIPES = next(p for p in (_PACKAGE / "recipes", _PACKAGE.parent / "recipes") if p.is_dir())


def methods() -> list[str]:
    """Names of the methods: those that have configurations."""
    return sorted(path.name for path in CONFIGS.iterdir() if path.is_dir())


def config_file(given: str, folder: Path) -> str:
    """A configuration: the file of that path, or the shipped one of that name in a folder.

    What has a suffix is a path, there or not.

    Raises:
        CodeprefError: there is neither.
    """
    shipped = folder / f"{given}.yaml"
    if Path(given).exists() or Path(given).suffix or not given:
        return given
    if shipped.is_file():
        return near(shipped)
    names = ", ".join(config_names(folder))
    raise CodeprefError(f"--config {given}: no such file, and none of the shipped ones: {names}")


def config_names(folder: Path) -> list[str]:
    """Names of the shipped configurations of a folder."""
    return [str(path.relative_to(folder).with_suffix("")) for path in _shipped(folder)]


def offer(action: argparse.Action, names: Callable[[argparse.Namespace], Iterable[str]]) -> None:
    """What the shell offers for an option beside files: names, by what was typed before."""

    def complete(prefix: str, parsed_args: argparse.Namespace, **_: Any) -> list[str]:
        from argcomplete.completers import FilesCompleter

        return [*names(parsed_args), *FilesCompleter()(prefix)]

    action.completer = complete  # type: ignore[attr-defined] # where argcomplete looks for it


def _shipped(folder: Path) -> list[Path]:
    """Configurations below a folder; those of `accelerate` say how a recipe is launched, and are none."""
    return sorted(path for path in folder.rglob("*.yaml") if path.parent.name != "accelerate")


def shipped_configs(folder: Path) -> str:
    """The shipped configurations of a folder, a line each: name, and what their first line says."""
    lines = []
    for path in _shipped(folder):
        first = path.read_text(encoding="utf-8").partition("\n")[0]
        lines.append(f"{path.relative_to(folder).with_suffix('')!s:<36}{first.removeprefix('#').strip()}")
    return "\n".join(lines)


def builder(method: str) -> ModuleType:
    """The module of a method, found by its name: `Config`, `build`, `plan` and, with some, `rerank`."""
    return importlib.import_module(f"builders.{method}.method")


def near(path: Path) -> str:
    """A path as it is typed: from here, if it lies below."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def shipped_folder(path: str) -> str:
    """A folder of codepref (`codepref/generate/tiny/checkpoint`) where it is installed; other paths as they are."""
    installed = _PACKAGE.parent / path
    ours = Path(path).parts[:1] == (_PACKAGE.name,) and not Path(path).exists()
    return str(installed) if ours and installed.is_dir() else path


def cores() -> int:
    """Processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def gpus() -> list[Path]:
    """What the driver says about each NVIDIA GPU: a file a device."""
    return sorted(Path("/proc/driver/nvidia/gpus").glob("*/information"))


def positive(text: str) -> int:
    """A whole number of 1 or more, for argparse."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return value


def add_runner(parser: argparse.ArgumentParser) -> None:
    """Options that say who does the work; none of them changes a byte of what comes out."""
    parser.add_argument("--runner", choices=("local", "ray"), default="local", help="who does the work (%(default)s)")
    parser.add_argument(
        "--ray-address", metavar="HOST:PORT", help="with --runner ray: a running cluster (default: Ray started here)"
    )


def cluster(arguments: argparse.Namespace) -> "Cluster | None":
    """The cluster that is asked for.

    Raises:
        CodeprefError: Ray is not asked for, but its address is given.
    """
    address = arguments.ray_address
    if arguments.runner == "local":
        if address:
            raise CodeprefError(f"--ray-address {address}: add --runner ray")
        return None
    from codepref.cluster import Cluster

    return Cluster(address, arguments.workers or (None if address else cores()))
