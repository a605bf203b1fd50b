import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

import pytest
from pydantic import Field

from codepref import config
from codepref.errors import CodeprefError


@dataclass(frozen=True)
class Inner:
    rate: Annotated[float, Field(ge=0)] = 0.5
    kind: Literal["a", "b"] = "a"


@dataclass(frozen=True)
class Part:
    data: str
    ok: bool = False


@dataclass(frozen=True)
class Checked:
    value: int = 1

    def __post_init__(self):
        if self.value not in (1, 3, 9):
            raise ValueError(f"value {self.value} is no power of three; give 1, 3, 9")


@dataclass(frozen=True)
class Outer:
    count: int = 15
    inner: Inner = field(default_factory=Inner)
    path: str | None = None
    urls: str | tuple[str, ...] = ""
    limit: Literal["all"] | Annotated[int, Field(ge=1)] = "all"
    some: Annotated[tuple[str, ...], Field(min_length=1)] = ("a",)
    parts: Mapping[Annotated[str, Field(pattern="^[a-z]+$")], Part] = field(default_factory=dict)
    checked: Checked = field(default_factory=Checked)


def write(tmp_path, text):
    path = tmp_path / "c.yaml"
    path.write_text(text)
    return path


def test_defaults_file_and_overrides_in_that_order(tmp_path):
    path = write(tmp_path, "count: 3\ninner:\n  rate: 0.1\n")
    assert config.load(Outer) == Outer()
    assert config.load(Outer, path) == Outer(3, Inner(0.1))
    assert config.load(Outer, path, ["inner.kind=b", "count=4", "path=x=y"]) == Outer(4, Inner(0.1, "b"), "x=y")


def test_an_empty_file_means_the_defaults(tmp_path):
    assert config.load(Outer, write(tmp_path, "# nothing\n")) == Outer()


@pytest.mark.parametrize(
    ("text", "overrides", "message"),
    [
        ("cuont: 3\n", [], "unknown key 'cuont'; did you mean 'count'?"),
        ("inner:\n  rat: 3\n", [], "unknown key 'inner.rat'; did you mean 'inner.rate'?"),
        ("", ["inner.knid=b"], "unknown key 'inner.knid'; did you mean 'inner.kind'?"),
        ("zzzzzz: 1\n", [], "known keys: count, inner, inner.rate, inner.kind, path, "),
        ("rate: 1\n", [], "unknown key 'rate'; did you mean 'inner.rate'?"),
        ("count: many\n", [], 'c.yaml, line 1: count: must be a whole number, not "many"$'),
        ("count: 1.5\n", [], "count: must be a whole number, not 1.5$"),
        ("inner:\n  rate: -1\n", [], "c.yaml, line 2: inner.rate: must be at least 0, not -1$"),
        ("inner:\n  kind: c\n", [], "inner.kind: must be 'a' or 'b', not \"c\"$"),
        ("inner: 3\n", [], "inner: must be 'key: value' lines, not 3$"),
        ("path: [1]\n", [], r"path: must be a text, not \[1\]$"),
        ("count: 3\n", ["count=null"], "^--set count=null: count: must be a whole number, not null$"),
        ("urls: 3\n", [], "urls: must be a text or a list, not 3$"),
        ("limit: 0\n", [], "limit: must be 'all' or at least 1, not 0$"),
        ("some: []\n", [], r"some: must be a list of 1 or more, not \[\]$"),
        ("some: [a, 1]\n", [], "some.1: must be a text, not 1$"),
        ("parts:\n  a: {}\n  b: {dta: 1}\n", [], "line 3: unknown key 'parts.b.dta'; did you mean 'parts.b.data'?"),
        ("parts: {a: {nothing: 1}}\n", [], "unknown key 'parts.a.nothing'; known keys: parts.a.data, parts.a.ok$"),
        ("parts: {a: {}}\n", ["parts.a.dta=x"], "^--set parts.a.dta=x: unknown key 'parts.a.dta'; did you mean"),
        ("parts:\n  a:\n    data: x\n    ok: hm\n", [], 'line 4: parts.a.ok: must be true or false, not "hm"$'),
        ("parts:\n  a: {ok: true}\n", [], "c.yaml: parts.a.data: is missing; give it a value$"),
        ("parts: {Bad Name: {data: x}}\n", [], r"parts.Bad Name: must be a name of the form \^\[a-z\]\+\$, not "),
        ("checked: {value: 2}\n", [], "line 1: checked: value 2 is no power of three; give 1, 3, 9$"),
        ("- 1\n", [], "expected 'key: value' lines"),
        ("a: [\n", [], "not YAML"),
        ("", ["count"], "expected key=value"),
        ("", ["count=["], "not YAML"),
        ("", ["path=&a [*a]"], "not YAML"),
        ("", ["path=" + "[" * 200 + "]" * 200], "not YAML"),
        ("", ["count=2024-13-45"], "not YAML"),
        ("count: 2024-13-45\n", [], "not YAML: month must be in"),
        ("count: " + "9" * 5000 + "\n", [], "not YAML: Exceeds the limit"),
        ("count: !!float abc\n", [], "not YAML: could not convert"),
        ("count: !!int ''\n", [], "not YAML"),
        ("count: !!bool x\n", [], "not YAML"),
        ("path: &a [*a]\n", [], "nested too deeply, or holds itself"),
        ("path: " + "[" * 3000 + "\n", [], "nested too deeply, or holds itself"),
    ],
)
def test_mistakes_get_one_line(tmp_path, text, overrides, message):
    with pytest.raises(CodeprefError, match=message) as error:
        config.load(Outer, write(tmp_path, text), overrides)
    assert "\n" not in str(error.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(CodeprefError, match=r"nowhere\.yaml: No such file"):
        config.load(Outer, tmp_path / "nowhere.yaml")


def test_paths_of_a_file_are_seen_from_its_folder(tmp_path, monkeypatch):
    @dataclass(frozen=True)
    class Files:
        one: str = ""
        more: tuple[str, ...] = ()

    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "c.yaml").write_text("one: ../data/a.jsonl\nmore: [./b.jsonl, plain.jsonl]\n")
    monkeypatch.chdir(tmp_path)
    assert config.load(Files, "configs/c.yaml") == Files("data/a.jsonl", ("configs/b.jsonl", "plain.jsonl"))
    given = config.load(Files, tmp_path / "configs" / "c.yaml", ["one=../x"])
    assert given == Files("../x", (str(tmp_path / "configs" / "b.jsonl"), "plain.jsonl"))


def test_a_key_that_stands_there_twice_is_named(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("count: 3\ninner:\n  rate: 0.1\n  rate: 0.2\n")
    with pytest.raises(CodeprefError, match=r"c\.yaml, line 4: the key 'rate' stands there twice; keep one"):
        config.load(Outer, path)
    path.write_text("inner: &one {rate: 0.1}\ncount: 3\n")
    assert config.load(Outer, path).inner.rate == 0.1


def test_merged_keys_may_be_given_again(tmp_path):
    @dataclass(frozen=True)
    class Two:
        a: Inner
        b: Inner

    path = tmp_path / "c.yaml"
    path.write_text("a: &a {rate: 0.1, kind: b}\nb: {<<: *a, rate: 0.2}\n")
    assert config.load(Two, path) == Two(Inner(0.1, "b"), Inner(0.2, "b"))


def test_a_deep_value_is_refused_whatever_the_recursion_limit_is(tmp_path):
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(20_000)
    try:
        with pytest.raises(CodeprefError, match="nested too deeply"):
            config.load(Outer, write(tmp_path, "path: " + "[" * 101 + "]" * 101 + "\n"))
    finally:
        sys.setrecursionlimit(limit)
