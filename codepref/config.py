"""Strict configuration: a frozen dataclass read from YAML and from `key=value` on the command line alike."""

import dataclasses
import difflib
import json
import os
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import TypeAdapter, ValidationError

from codepref.errors import CodeprefError

Config = TypeVar("Config")

DEEPEST = 100
"""Levels of a value."""

_BROKEN = (yaml.YAMLError, ValueError, KeyError, IndexError)
"""What reading YAML raises: the values of a day, a number or a tag are made by Python, which has errors of its own."""


def load(config: type[Config], path: str | Path | None = None, overrides: Sequence[str] = ()) -> Config:
    """Reads a configuration.

    Args:
        config: Frozen dataclass; its fields are the known keys, nested dataclasses are nested mappings.
        path: YAML file, or None for the defaults. Texts in it that begin with ./ or ../ are paths from its folder.
        overrides: `key=value` items that beat the file; dots reach into nested mappings; values are YAML.

    Raises:
        CodeprefError: unreadable file, unknown key (the nearest known one is named), or a value of the wrong type.
    """
    values = _read(Path(path)) if path is not None else {}
    for item in overrides:
        _override(values, item)
    for parents, key, level in _unknown(config, values):
        names = (*parents, key)
        near = _nearest(parents, key, level, config)
        raise CodeprefError(f"{place(path, overrides, names)}: unknown key '{'.'.join(names)}'{near}")
    try:
        return TypeAdapter(config).validate_python(values)
    except ValidationError as error:
        names, said = _complaint(error)
        raise CodeprefError(f"{place(path, overrides, names)}: {'.'.join(names)}: {said}") from None


def place(path: str | Path | None, overrides: Sequence[str], names: Sequence[str]) -> str:
    """Where a key was given: the override, else the file with its line, without one where the key is missing."""
    dotted = ".".join(names)
    for item in reversed(overrides):
        key = item.partition("=")[0]
        if dotted == key or dotted.startswith(f"{key}."):
            return f"--set {item}"
    if path is None:
        return "configuration"
    line = key_line(Path(path), names)
    return f"{path}, line {line}" if line else str(path)


def key_line(path: Path, names: Sequence[str]) -> int | None:
    """The line of a nested key, or of an item of a list, in a YAML file; None: it is not there."""
    node = yaml.compose(path.read_text(encoding="utf-8"), yaml.SafeLoader)
    line = None
    for name in names:
        found = _below(node, name)
        if found is None:
            return None
        line, node = found[0].start_mark.line + 1, found[1]
    return line


def _below(node: yaml.Node | None, name: str) -> tuple[yaml.Node, yaml.Node] | None:
    """A key of a mapping and its value, or an item of a list twice."""
    if isinstance(node, yaml.MappingNode):
        return next((pair for pair in node.value if pair[0].value == name), None)
    if isinstance(node, yaml.SequenceNode) and name.isdigit() and int(name) < len(node.value):
        return node.value[int(name)], node.value[int(name)]
    return None


WANTED = {
    "bool": "true or false",
    "int": "a whole number",
    "float": "a number",
    "finite": "a number",
    "string": "a text",
    "tuple": "a list",
    "list": "a list",
    "dict": "'key: value' lines",
    "mapping": "'key: value' lines",
    "dataclass": "'key: value' lines",
}
"""What a value must be, by the first word of pydantic's name for the error."""
BOUNDS = {
    "greater_than": ("more than", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than": ("less than", "lt"),
    "less_than_equal": ("at most", "le"),
}
UNION_MEMBERS = ("str", "int", "float", "bool", "none", "constrained-int", "constrained-float", "constrained-str")
SHOWN = 80
"""Characters of a wrong value that a message repeats."""


def _complaint(error: ValidationError) -> tuple[tuple[str, ...], str]:
    """The first wrong key, and what is wrong with it."""
    found = error.errors(include_url=False)
    first, names = found[0], _names(found[0]["loc"])
    if first["type"] == "missing":
        return names, "is missing; give it a value"
    if first["type"] in ("value_error", "assertion_error"):
        return names, str(first["ctx"]["error"])
    # a value that may be of several kinds has an error for each of them
    kinds = [_wanted(item["type"], item.get("ctx", {})) for item in found if _names(item["loc"]) == names]
    wanted = " or ".join(dict.fromkeys(kind or item["msg"] for kind, item in zip(kinds, found, strict=False)))
    return names, f"must be {wanted}, not {_shown(first['input'])}"


def _wanted(kind: str, limits: Mapping[str, Any]) -> str | None:
    """What a value must be; None for a kind of error that has no words here."""
    if kind in BOUNDS:
        words, key = BOUNDS[kind]
        return f"{words} {limits[key]:g}"
    if kind == "literal_error":
        return str(limits["expected"])
    if kind == "too_short":
        return f"a list of {limits['min_length']} or more"
    if kind == "string_pattern_mismatch":
        return f"a name of the form {limits['pattern']}"
    return WANTED.get(kind.partition("_")[0])


def _names(location: Sequence[int | str]) -> tuple[str, ...]:
    """The keys of an error's place, without pydantic's words for a union's members and a mapping's keys."""
    return tuple(str(part) for part in location if "[" not in str(part) and part not in UNION_MEMBERS)


def _shown(value: Any) -> str:
    """A wrong value as YAML writes it, shortened."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."


class _Twice(yaml.YAMLError):
    """A mapping has a key twice, of which YAML would take the last."""

    def __init__(self, key: Any, line: int) -> None:
        super().__init__(key, line)
        self.key, self.line = key, line


class _OnceEach(yaml.SafeLoader):
    """Plain YAML, with every key of a mapping once and no value deeper than `DEEPEST`."""

    _depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Raises RecursionError of its own accord: Python's limit depends on what else this process has loaded."""
        if self._depth == DEEPEST:
            raise RecursionError
        self._depth += 1
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Raises `_Twice`; keys that are merged in (`<<`) may stand in the mapping itself too."""
        seen = set()
        for key, _ in node.value:
            if key.tag != "tag:yaml.org,2002:merge":
                if str(key.value) in seen:
                    raise _Twice(key.value, key.start_mark.line + 1)
                seen.add(str(key.value))
        return super().construct_mapping(node, deep)


def _read(path: Path) -> dict[str, Any]:
    try:
        values = _from_folder(yaml.load(path.read_text(encoding="utf-8"), _OnceEach), path.parent)
    except OSError as error:
        raise CodeprefError(f"{path}: {error.strerror}; name a YAML file") from None
    except _Twice as twice:
        raise CodeprefError(f"{path}, line {twice.line}: the key {twice.key!r} stands there twice; keep one") from None
    except RecursionError:
        raise CodeprefError(f"{path}: not usable YAML: a value is nested too deeply, or holds itself") from None
    except _BROKEN as error:
        raise CodeprefError(f"{path}: not YAML: {' '.join(str(error).split())}") from None
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise CodeprefError(f"{path}: expected 'key: value' lines, found a {type(values).__name__}")
    return values


def _from_folder(value: Any, folder: Path) -> Any:
    """A value of a file, with the paths in it as they are seen from the current folder."""
    if isinstance(value, dict):
        return {key: _from_folder(inner, folder) for key, inner in value.items()}
    if isinstance(value, list):
        return [_from_folder(inner, folder) for inner in value]
    if isinstance(value, str) and value.startswith(("./", "../")):
        return os.path.normpath(folder / value)
    return value


def _override(values: dict[str, Any], item: str) -> None:
    key, equals, text = item.partition("=")
    if not equals:
        raise CodeprefError(f"--set {item}: expected key=value")
    try:
        value = yaml.load(text, _OnceEach)
        json.dumps(value, default=str, skipkeys=True)  # ValueError: it holds itself
    except (*_BROKEN, RecursionError):
        raise CodeprefError(f"--set {item}: the value is not YAML; quote it") from None
    *parents, last = key.split(".")
    for parent in parents:
        if not isinstance(values.setdefault(parent, {}), dict):
            values[parent] = {}
        values = values[parent]
    values[last] = value


def _dataclasses_of(hint: Any) -> Iterator[type]:
    if dataclasses.is_dataclass(hint):
        yield typing.cast(type, hint)
    elif typing.get_origin(hint) in (types.UnionType, typing.Union):
        for argument in typing.get_args(hint):
            yield from _dataclasses_of(argument)


def _dataclasses_in(hint: Any) -> Iterator[type]:
    """Dataclasses that are the values of a mapping."""
    if typing.get_origin(hint) in (types.UnionType, typing.Union):
        for argument in typing.get_args(hint):
            yield from _dataclasses_in(argument)
    elif typing.get_origin(hint) is Mapping:
        yield from _dataclasses_of(typing.get_args(hint)[1])


def _unknown(
    config: type, values: Mapping[str, Any], parents: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], str, type]]:
    """Keys that are not known: the names above each, its own, and the dataclass it would be a field of."""
    hints = typing.get_type_hints(config)
    for key, value in values.items():
        if key not in hints:
            yield parents, str(key), config
        elif isinstance(value, dict):
            for nested in _dataclasses_of(hints[key]):
                yield from _unknown(nested, value, (*parents, key))
            for nested in _dataclasses_in(hints[key]):
                for name, inner in value.items():
                    yield from _unknown(nested, inner if isinstance(inner, dict) else {}, (*parents, key, str(name)))


def keys(config: type, prefix: str = "") -> Iterator[str]:
    """Every key a configuration knows, nested ones with dots."""
    for name, hint in typing.get_type_hints(config).items():
        yield f"{prefix}{name}"
        for nested in _dataclasses_of(hint):
            yield from keys(nested, f"{prefix}{name}.")


def _nearest(parents: Sequence[str], key: str, level: type, config: type) -> str:
    """The known key that may be meant: on the same level, else one of this name elsewhere; else those of the level."""
    prefix = "".join(f"{name}." for name in parents)
    near = [f"{prefix}{name}" for name in difflib.get_close_matches(key, list(typing.get_type_hints(level)), n=1)]
    elsewhere = [name for name in keys(config) if name.rpartition(".")[2] == key]
    if near or elsewhere:
        return f"; did you mean '{(near or elsewhere)[0]}'?"
    return f"; known keys: {', '.join(keys(level, prefix))}"
