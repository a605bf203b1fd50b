"""Decides which programs may share a process: those that provably leave nothing behind and look at nothing of others.

A quick look at the bytecode and the text settles most programs; reading.py reads the rest.
"""

from __future__ import annotations

import ast
import dis
import importlib.util
import re
import sys
import types
from typing import Iterator  # noqa: UP035 - Python 3.8

from .audited import (
    BUILTINS,
    METHODS,
    SAFE_BUILTINS,
    SAFE_MODULES,
    STRICT,
    TYPE_WORDS,
    attribute_names,
    operations,
)  # fmt: skip
from .reading import is_approved

RISKY_OPS = operations(
    """STORE_ATTR DELETE_ATTR LOAD_BUILD_CLASS MATCH_CLASS GET_AWAITABLE GET_AITER GET_ANEXT BEFORE_ASYNC_WITH
    SETUP_ANNOTATIONS PRINT_EXPR INTERPRETER_EXIT"""
)
HANDLER_OPS = operations("PUSH_EXC_INFO SETUP_FINALLY SETUP_WITH SETUP_ASYNC_WITH BEFORE_WITH")
GENERATOR, ASYNCHRONOUS = 0x20, 0x80 | 0x100 | 0x200
READ_ONLY = frozenset(("__name__", "__doc__"))
IMPORT, IMPORT_FROM, EXTENDED = (dis.opmap[name] for name in ("IMPORT_NAME", "IMPORT_FROM", "EXTENDED_ARG"))
GLOBAL_OPS = frozenset(
    ("LOAD_NAME", "STORE_NAME", "LOAD_GLOBAL", "STORE_GLOBAL", "LOAD_FROM_DICT_OR_GLOBALS", "IMPORT_NAME")
)
_IMPORTS = re.compile(
    r"^[ \t]*(?:import[ ]+(\w+)|from[ ]+([\w.]+)[ ]+import[ ]+(\w+(?:[ ]*,[ ]*\w+)*))[ \t]*$", re.MULTILINE
)


def risky_names() -> frozenset[str]:
    """Names whose use as an attribute or global might reach something that outlives a namespace.

    Those of an audited module are among them: they are only allowed as names of that module.
    """
    _loaded.update(sys.modules)
    return frozenset(attribute_names() - SAFE_BUILTINS - METHODS)


def code_objects(code: types.CodeType) -> Iterator[types.CodeType]:
    """The code object and all nested in it."""
    todo = [code]
    while todo:
        current = todo.pop()
        yield current
        todo.extend(const for const in current.co_consts if type(const) is types.CodeType)


def imports(code: types.CodeType) -> list[str]:
    """Names of the modules this code object imports itself."""
    found, raw, extended = [], code.co_code, 0
    for i in range(0, len(raw), 2):
        if raw[i] == EXTENDED:
            extended = (extended | raw[i + 1]) << 8
            continue
        if raw[i] == IMPORT:
            found.append(code.co_names[extended | raw[i + 1]])
        extended = 0
    return found


def is_missing(module: str) -> bool:
    """True if an import of this name fails, whatever the program did before (as long as that was harmless)."""
    top = module.partition(".")[0]
    if top not in _missing:
        try:
            _missing[top] = top not in sys.modules and importlib.util.find_spec(top) is None
        except (ValueError, ImportError):
            _missing[top] = False
    return _missing[top]


def is_inert(module: str) -> bool:
    """True if an import changes nothing: it fails, or the module is there already (its attributes are risky names)."""
    return module in SAFE_MODULES or module in _loaded or is_missing(module)


_loaded: set[str] = set()
_missing: dict[str, bool] = {}


def reachable(source: str) -> str | None:
    """The program's text up to its first import that is bound to fail, or None if there is no such import.

    Generated programs often end in useless imports of libraries that are not installed; the rest can not run.
    """
    for node in ast.parse(source).body:
        if isinstance(node, ast.ImportFrom):
            fails = node.level > 0 or is_missing(node.module or "")
        else:
            fails = isinstance(node, ast.Import) and any(is_missing(alias.name) for alias in node.names)
        if fails:
            lines = source.replace("\r\n", "\n").replace("\r", "\n").split("\n")
            last = lines[(node.end_lineno or 1) - 1].encode()[: node.end_col_offset].decode()
            return "\n".join([*lines[: (node.end_lineno or 1) - 1], last])
    return None


def imports_star(module: types.CodeType) -> bool:
    """True if globals may be bound without being named."""
    return any(("*",) in code.co_consts for code in code_objects(module))


def binds_foreign(module: types.CodeType, risky: frozenset[str]) -> bool:
    """True if a harmless program may bind a global that it does not use, but that a test must not use here either."""
    if IMPORT not in module.co_code[::2]:
        return False
    if imports_star(module) or (IMPORT_FROM in module.co_code[::2] and not risky.isdisjoint(module.co_names)):
        return True
    return any(name not in SAFE_MODULES and not is_missing(name) for name in imports(module))


def is_own_global(module: types.CodeType, name: str) -> bool:
    """True if the program uses this name for nothing but a global of its own, bound or not, that hides no builtin.

    Or if it imports it from somewhere and never uses it.
    """
    if name in BUILTINS or imports_star(module):
        return False
    uses = set()
    for code in code_objects(module):
        if name in code.co_names:
            steps = list(dis.get_instructions(code))
            for step, after in zip(steps, steps[1:]):  # noqa: B905, RUF007 - Python 3.8; the last is a return
                if step.argval == name and step.opcode in dis.hasname:
                    kept = code is module and after.opname == "STORE_NAME" and after.argval == name
                    uses.add("import" if step.opcode == IMPORT_FROM and kept else step.opname)
    return uses <= GLOBAL_OPS or uses == {"import", "STORE_NAME"}


def is_harmless(module: types.CodeType, source: str, risky: frozenset[str]) -> bool:
    """True if two runs of this program in one process can not influence each other or anything else.

    It writes no attribute, makes no class, imports only audited modules, uses no attribute that could reach an object
    which outlives its namespace, and leaves nothing suspended that would run when others do. A criterion for batching,
    not the security boundary: that is the kernel's.
    The same holds for a piece of a test, if it does not bind what the program may use: its globals are the program's.
    """
    doubtful: set[str] = set()
    strict = importing = False
    for code in code_objects(module):
        if not is_quiet(code):
            return False
        names = [name for name in code.co_names if name not in READ_ONLY]
        if any(name[:1] == "_" and name.strip("_") for name in names):
            return False
        doubtful.update(risky.intersection(names))
        strict = strict or not STRICT.isdisjoint(names)
        importing = importing or IMPORT in code.co_code[::2]
    if not (doubtful or strict or importing):
        return True
    if not strict and source.isascii():
        left = unexplained(module, source, doubtful) if importing else doubtful
        if left is not None and all(is_own_global(module, name) for name in left):
            return True
    return is_approved(source, risky, is_missing)


def is_quiet(code: types.CodeType) -> bool:
    """True if it changes no attribute, makes no class, imports nothing that is not there, and ends when it is left.

    A generator with handlers that is left suspended would run them whenever it is collected.
    """
    present = set(code.co_code[::2])
    if present & RISKY_OPS or code.co_flags & ASYNCHRONOUS or (code.co_flags & GENERATOR and present & HANDLER_OPS):
        return False
    return IMPORT not in present or all(map(is_inert, imports(code)))


def unexplained(module: types.CodeType, source: str, doubtful: set[str]) -> set[str] | None:
    """Doubtful names without those that are plainly used as names of an audited module; None if that is not plain."""
    lines = _IMPORTS.findall(source)
    if len(lines) != sum(len(imports(code)) for code in code_objects(module)):
        return None
    explained: set[str] = set()
    for name, origin, listed in lines:
        audited = SAFE_MODULES.get(name or origin, frozenset())
        if name:
            if name in ("re", "typing") or not _only_dotted(source, name, audited - {"abc"}):
                return None
            explained.update((name, *audited))
            continue
        names = frozenset(listed.replace(" ", "").split(","))
        if origin == "re" or not names <= audited or "abc" in names:
            return None
        if origin == "typing" and not _only_annotates(module, names):
            return None
        explained.update((origin, *names))
    return doubtful - explained


def _only_dotted(source: str, module: str, audited: frozenset[str]) -> bool:
    """True if a module's name appears in nothing but its own import lines and before one of its audited names."""
    dotted = sum(name in audited for name in re.findall(rf"(?<![\w.]){module}\.(\w+)", source))
    imported = len(re.findall(rf"^[ \t]*import[ ]+{module}[ \t]*$", source, re.MULTILINE))
    return dotted + imported == len(re.findall(rf"\b{module}\b", source))


def _only_annotates(module: types.CodeType, names: frozenset[str]) -> bool:
    """True if only the annotations of functions at the top of the program use these names of `typing`."""
    inner = [constant for constant in module.co_consts if type(constant) is types.CodeType]
    known = {*TYPE_WORDS, *names, "typing", *(code.co_name for code in inner)}
    nested = [code for one in inner for code in code_objects(one)]
    return known.issuperset(module.co_names) and all(names.isdisjoint(code.co_names) for code in nested)
