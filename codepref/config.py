"""Strict configuration: a frozen dataclass read from YAML and from `key=value` on the command line alike."""

import dataclasses
import difflib
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
    where = str(path) if path is not None else "configuration"
    for key in _unknown(config, values):
        raise CodeprefError(f"{where}: unknown key '{key}'{_nearest(key, config)}")
    try:
        return TypeAdapter(config).validate_python(values)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise CodeprefError(f"{where}: {key}: {first['msg']} (got {first['input']!r})") from None


class _Twice(yaml.YAMLError):
    """A mapping has a key twice, of which YAML would take the last."""

    def __init__(self, key: Any, line: int) -> None:
        super().__init__(key, line)
        self.key, self.line = key, line


class _OnceEach(yaml.SafeLoader):
    """Plain YAML, with every key of a mapping once."""

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
        value = yaml.safe_load(text)
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


def _unknown(config: type, values: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    hints = typing.get_type_hints(config)
    for key, value in values.items():
        if key not in hints:
            yield f"{prefix}{key}"
        elif isinstance(value, dict):
            for nested in _dataclasses_of(hints[key]):
                yield from _unknown(nested, value, f"{prefix}{key}.")
            for nested in _dataclasses_in(hints[key]):
                for name, inner in value.items():
                    yield from _unknown(nested, inner if isinstance(inner, dict) else {}, f"{prefix}{key}.{name}.")


def keys(config: type, prefix: str = "") -> Iterator[str]:
    """Every key a configuration knows, nested ones with dots."""
    for name, hint in typing.get_type_hints(config).items():
        yield f"{prefix}{name}"
        for nested in _dataclasses_of(hint):
            yield from keys(nested, f"{prefix}{name}.")


def _nearest(key: str, config: type) -> str:
    known = list(keys(config))
    match = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
    return f"; did you mean '{match[0]}'?" if match else f"; known keys: {', '.join(known)}"
