"""Reads a program for the harmless check: what it does with modules, types and texts that name attributes.

A module may only stand before a dot and one of its audited names, so it can not get to where another name would be
asked of it. Names of `typing` are only used to write types down, and functions of `re` are called at once, with flags
in plain sight, as both keep what they are given in caches.
"""

from __future__ import annotations

import ast
import importlib
import string
from typing import Any, Callable, Iterator  # noqa: UP035 - Python 3.8

from .audited import BUILTINS, METHODS, SAFE_BUILTINS, SAFE_MODULES, TYPE_WORDS

_FLAGS_AT = {
    "compile": 1, "match": 2, "search": 2, "fullmatch": 2, "findall": 2, "finditer": 2, "split": 3, "sub": 4, "subn": 4,
}  # fmt: skip
"""Place of the flags among the arguments of functions of `re`."""
_READ_ONLY = ("__name__", "__doc__")


class _Refused(Exception):
    """The program needs a process of its own."""


def is_approved(source: str, risky: frozenset[str], is_missing: Callable[[str], bool]) -> bool:
    """True if nothing in the text reaches an object that outlives its namespace."""
    try:
        reading = _Reading(ast.parse(source), risky)
        reading.bind(is_missing)
        reading.read()
    except (_Refused, SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def exported(module: str) -> list[str]:
    """Names that a star takes from an audited module."""
    found = importlib.import_module(module)
    return getattr(found, "__all__", None) or [name for name in dir(found) if name[0] != "_"]


class _Reading:
    """One program, with the names that its imports bind."""

    def __init__(self, tree: ast.Module, risky: frozenset[str]) -> None:
        self.nodes, self.risky = list(ast.walk(tree)), risky
        self.parents = {id(child): node for node in self.nodes for child in ast.iter_child_nodes(node)}
        self.modules: dict[str, str] = {}
        """Name of a global and the audited module it stands for."""
        self.names: dict[str, tuple[str, str]] = {}
        """Name of a global and what it stands for: an audited module's name."""
        self.untouchable: set[str] = set()
        """Globals that stand for something else, or might."""

    # ------------------------------------------------------------------------------------------------- imports

    def bind(self, is_missing: Callable[[str], bool]) -> None:
        """Finds out what the imports bind; an audited module may also come from the program that a test belongs to."""
        for node in self.nodes:
            if isinstance(node, ast.Import):
                for alias in node.names:
                    if not is_missing(alias.name):
                        self.bind_module(alias)
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and not is_missing(node.module or ""):
                for alias in node.names:
                    self.bind_name(node.module or "", alias)
        stored = {node.id for node in self.nodes if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)}
        stored |= {node.arg for node in self.nodes if isinstance(node, ast.arg)}
        stored |= {
            node.name for node in self.nodes if isinstance(node, (ast.FunctionDef, ast.ExceptHandler)) and node.name
        }
        for module in SAFE_MODULES.keys() - stored - self.names.keys() - self.untouchable:
            self.modules.setdefault(module, module)

    def bind_module(self, alias: ast.alias) -> None:
        top = alias.name.partition(".")[0]
        bound, module = (alias.asname, alias.name) if alias.asname else (top, top)
        if alias.name not in SAFE_MODULES:
            if alias.asname:  # a test could use it under a name that nobody knows
                raise _Refused
            self.untouchable.add(bound)
        elif bound != module and bound in SAFE_MODULES:
            raise _Refused
        else:
            self.modules[bound] = module

    def bind_name(self, module: str, alias: ast.alias) -> None:
        audited, bound = SAFE_MODULES.get(module, frozenset()), alias.asname or alias.name
        if alias.name == "*":
            if not audited or module in ("re", "typing") or not audited.issuperset(exported(module)):
                raise _Refused
        elif f"{module}.{alias.name}" in SAFE_MODULES:
            self.modules[bound] = f"{module}.{alias.name}"
        elif alias.name in audited:
            if bound in SAFE_MODULES and bound != alias.name:
                raise _Refused
            self.names[bound] = module, alias.name
        elif alias.asname:
            raise _Refused
        else:
            self.untouchable.add(bound)

    # --------------------------------------------------------------------------------------------------- names

    def read(self) -> None:
        """Raises for the first thing that is not known to be harmless."""
        for node in self.nodes:
            if isinstance(node, ast.Attribute):
                self.read_attribute(node)
            elif isinstance(node, ast.Name):
                self.read_name(node)

    def read_name(self, node: ast.Name) -> None:
        name = node.id
        if isinstance(node.ctx, ast.Load):
            if name in self.untouchable or (name in self.modules and not self.is_before_dot(node)):
                raise _Refused
            if name == "type" and not self.only_tells_the_type(node):
                raise _Refused
        if name in BUILTINS and name not in SAFE_BUILTINS and name not in _READ_ONLY:
            raise _Refused
        if name in self.names and isinstance(node.ctx, ast.Load):
            self.read_use(node, *self.names[name])

    def is_before_dot(self, node: ast.AST) -> bool:
        parent = self.parents.get(id(node))
        return isinstance(parent, ast.Attribute) and parent.value is node

    def module_of(self, node: ast.expr) -> str | None:
        """The audited module that an expression is, if it is one."""
        if isinstance(node, ast.Name):
            return self.modules.get(node.id)
        if isinstance(node, ast.Attribute):
            above = self.module_of(node.value)
            inner = f"{above}.{node.attr}"
            return inner if above and inner in SAFE_MODULES else None
        return None

    def read_attribute(self, node: ast.Attribute) -> None:
        module = self.module_of(node.value)
        if module is None:
            if node.attr in ("format", "format_map"):
                self.read_format(node)
            elif node.attr in self.risky and node.attr not in _READ_ONLY and node.attr not in METHODS:
                raise _Refused
            return
        if node.attr not in SAFE_MODULES[module]:
            raise _Refused
        if self.module_of(node) is None:
            self.read_use(node, module, node.attr)
        elif not self.is_before_dot(node):
            raise _Refused

    def read_use(self, node: ast.expr, module: str, name: str) -> None:
        """Of a name of an audited module."""
        if module == "typing" and not self.writes_a_type(node):
            raise _Refused
        if module == "re" and name in _FLAGS_AT and not self.is_called_plainly(node, _FLAGS_AT[name]):
            raise _Refused

    # ------------------------------------------------------------------------------------------------- caches

    def writes_a_type(self, node: ast.expr) -> bool:
        """True for a name of `typing` in an annotation, before a type in brackets, or in a question after a type."""
        parent = self.parents.get(id(node))
        if isinstance(parent, ast.Subscript) and parent.value is node:
            return self.is_type(parent.slice)
        if isinstance(parent, ast.Call) and isinstance(parent.func, ast.Name):
            return parent.func.id in ("isinstance", "issubclass") and len(parent.args) == 2 and parent.args[1] is node
        if isinstance(parent, (ast.arg, ast.AnnAssign)):
            return parent.annotation is node
        if isinstance(parent, ast.FunctionDef):
            return parent.returns is node
        return self.is_part_of_type(node)

    def is_part_of_type(self, node: ast.AST) -> bool:
        """True within the brackets of a type; `is_type` looks at all of what is there."""
        parent: Any = self.parents.get(id(node))
        while isinstance(parent, (ast.Tuple, ast.List, ast.Subscript, ast.BinOp)) or type(parent).__name__ == "Index":
            if isinstance(parent, ast.Subscript) and parent.value is not node and self.is_type(parent.value):
                return True
            node, parent = parent, self.parents.get(id(parent))
        return isinstance(parent, (ast.arg, ast.FunctionDef, ast.AnnAssign)) and self.is_type(node)

    def is_type(self, node: Any) -> bool:
        """True for a type that is written down, without anything that the program computes."""
        if type(node).__name__ == "Index":  # Python 3.8
            node = node.value
        if isinstance(node, ast.Constant):
            return node.value is None or node.value is Ellipsis or type(node.value) in (str, int)
        if isinstance(node, ast.Name):
            return node.id in TYPE_WORDS or node.id in self.names
        if isinstance(node, ast.Attribute):
            return self.module_of(node.value) is not None
        if isinstance(node, ast.Subscript):
            return self.is_type(node.value) and self.is_type(node.slice)
        if isinstance(node, (ast.Tuple, ast.List)):
            return all(map(self.is_type, node.elts))
        return isinstance(node, ast.BinOp) and self.is_type(node.left) and self.is_type(node.right)

    def is_called_plainly(self, node: ast.expr, flags_at: int) -> bool:
        """True if a function of `re` is called at once, with flags that can be seen to be flags."""
        call = self.parents.get(id(node))
        if not isinstance(call, ast.Call) or call.func is not node:
            return False
        if any(isinstance(item, ast.Starred) for item in call.args) or any(word.arg is None for word in call.keywords):
            return False
        flags = [*call.args[flags_at : flags_at + 1], *(word.value for word in call.keywords if word.arg == "flags")]
        return all(map(self.is_flag, flags))

    def is_flag(self, node: ast.expr) -> bool:
        if isinstance(node, ast.BinOp):
            return isinstance(node.op, ast.BitOr) and self.is_flag(node.left) and self.is_flag(node.right)
        if isinstance(node, ast.Attribute):
            return self.module_of(node.value) == "re" and node.attr.isupper()
        if isinstance(node, ast.Name):
            return self.names.get(node.id, ("", ""))[0] == "re" and node.id.isupper()
        return isinstance(node, ast.Constant) and type(node.value) is int

    # --------------------------------------------------------------------------------------------------- texts

    def only_tells_the_type(self, node: ast.Name) -> bool:
        """True if `type(x)` is compared, named or written: whatever class it is, it goes nowhere from there."""
        call = self.parents.get(id(node))
        if not isinstance(call, ast.Call) or call.func is not node or len(call.args) != 1 or call.keywords:
            return False
        above = self.parents.get(id(call))
        if isinstance(call.args[0], ast.Starred):
            return False
        if isinstance(above, ast.Attribute):
            return above.attr == "__name__"
        if isinstance(above, ast.Call):
            return isinstance(above.func, ast.Attribute) and above.func.attr == "format" and call in above.args
        return isinstance(above, (ast.Compare, ast.FormattedValue))

    def read_format(self, node: ast.Attribute) -> None:
        """Only a text in plain sight may be filled in, one that asks nothing of what it is given."""
        call, text = self.parents.get(id(node)), getattr(node.value, "value", None)
        called = isinstance(call, ast.Call) and call.func is node
        if node.attr != "format" or not called or not isinstance(node.value, ast.Constant) or type(text) is not str:
            raise _Refused
        if any("." in field or "[" in field for field in _fields(text)):
            raise _Refused


def _fields(text: str) -> Iterator[str]:
    """Fields of a text to be filled in, those within their format specifications too."""
    for _, field, specification, _ in string.Formatter().parse(text):
        yield field or ""
        if specification:
            yield from _fields(specification)
