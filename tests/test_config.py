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
class Outer:
    count: int = 15
    inner: Inner = field(default_factory=Inner)
    path: str | None = None


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
        ("zzzzzz: 1\n", [], "known keys: count, inner, inner.rate, inner.kind, path"),
        ("count: many\n", [], "count: .*valid integer"),
        ("count: 1.5\n", [], "count: "),
        ("inner:\n  rate: -1\n", [], "inner.rate: .*greater than or equal to 0 .*-1"),
        ("inner:\n  kind: c\n", [], "inner.kind: .*'a' or 'b'"),
        ("inner: 3\n", [], "inner: "),
        ("- 1\n", [], "expected 'key: value' lines"),
        ("a: [\n", [], "not YAML"),
        ("", ["count"], "expected key=value"),
        ("", ["count=["], "not YAML"),
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
