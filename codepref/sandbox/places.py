"""Where the folders of an interpreter stand inside a sandbox: under names that tell nothing, and within reach.

In a new root they are bound under `/interpreter`, unless they are a system's own. Without one, and started by root, the
worker is a user of its own, who may not enter root's home, where interpreters often lie: such folders are opened before
and reached as `/proc/self/fd/N`.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from codepref.sandbox.interpreter import Interpreter
from codepref.sandbox.worker import HELD

_NEUTRAL = ("/usr", "/opt", "/lib", "/lib32", "/lib64", "/bin", "/sbin", "/etc", "/nix", "/snap")
_INSIDE = "/interpreter"


@dataclass(frozen=True)
class Places:
    """Folders and files that have another name inside, and the descriptors to hold some of them by."""

    moved: tuple[tuple[str, str], ...]
    held: tuple[tuple[str, int], ...] = ()
    home: str = ""
    """Prefix of the interpreter inside; empty where it finds it by itself."""

    def inside(self, path: str) -> str:
        """Name of a path inside."""
        for real, inside in self.moved:
            if is_within(path, real):
                return inside + path[len(real) :]
        return path

    def rewrite(self, text: str) -> str:
        """The same for all paths that a script names between quotes."""
        for real, inside in self.moved:
            text = re.sub(rf"(?<=['\"]){re.escape(real)}(?=[/'\"])", inside, text)
        return text

    def environment(self) -> dict[str, str]:
        """What the interpreter needs to find itself."""
        return {"PYTHONHOME": self.home, "LD_LIBRARY_PATH": f"{self.home}/lib"} if self.home else {}


def is_within(path: str, folder: str) -> bool:
    """True for a folder itself and all that is in it."""
    return path == folder or path.startswith(f"{folder}/")


def places(interpreter: Interpreter, package: str, namespaces: bool) -> Places:
    """Names of everything an interpreter needs; `package` is where codepref lies."""
    roots = [interpreter.home, package] if interpreter.home else [package]
    for path in sorted(interpreter.read, key=len):
        if not any(is_within(path, root) for root in roots):
            roots.append(path)
    if namespaces:
        moved = {root: f"{_INSIDE}/{n}" for n, root in enumerate(roots) if not _is_neutral(root)}
        held = {}
    else:
        closed = [root for root in roots if os.geteuid() == 0 and not open_to_others(root)]
        held = {root: HELD + n for n, root in enumerate(closed)}
        moved = {root: f"/proc/self/fd/{fd}" for root, fd in held.items()}
    longest_first = sorted(moved.items(), key=lambda pair: -len(pair[0]))
    return Places(tuple(longest_first), tuple(held.items()), moved.get(interpreter.home, ""))


def _is_neutral(path: str) -> bool:
    return any(is_within(path, folder) for folder in _NEUTRAL)


def open_to_others(path: str) -> bool:
    """True if every folder above `path` may be entered by any user."""
    try:
        return all(folder.stat().st_mode & 1 for folder in Path(path).parents)
    except OSError:
        return False
