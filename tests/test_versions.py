"""One version everywhere, and nothing that a Python of `pyproject.toml` no longer has."""

import ast
import re
import tomllib

import pytest

from codepref import __version__

CODE = ("codepref", "builders", "evaluation", "recipes", "benchmarks", "examples")
GONE = {
    "3.12": "asynchat asyncore distutils imp smtpd",
    "3.13": "aifc audioop cgi cgitb chunk crypt imghdr lib2to3 mailcap msilib nis nntplib ossaudiodev pipes sndhdr spwd "
    "sunau telnetlib uu xdrlib",
    "no setuptools comes with it": "pkg_resources",
}
GONE_NAMES = {
    "utcnow", "utcfromtimestamp", "get_event_loop", "getargspec", "find_loader", "find_module", "load_module",
    "resetlocale", "makeSuite", "findTestCases", "assertEquals", "assertNotEquals", "failUnless", "readfp", "co_lnotab",
}  # fmt: skip
"""Attributes that are gone, or that only warn until they are."""


def test_the_version_is_one(root):
    with (root / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)["project"]
    newest = re.findall(r"^## (\S+)", (root / "CHANGELOG.md").read_text(), re.MULTILINE)[0]
    assert project["version"] == __version__ == newest
    listed = {item.rpartition(" ")[2] for item in project["classifiers"] if "Python :: 3." in item}
    assert listed == {"3.11", "3.12", "3.13"}
    release = (root / "docs" / "release.md").read_text()
    assert all(version in release for version in listed)


def trees(root):
    for folder in CODE:
        for path in sorted((root / folder).rglob("*.py")):
            yield path.relative_to(root), ast.parse(path.read_text(encoding="utf-8"))


def imported(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield str(node.module).partition(".")[0]


def uses_of_gone(tree):
    gone = {name for names in GONE.values() for name in names.split()}
    found = gone.intersection(imported(tree))
    return found | {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr in GONE_NAMES}


def test_nothing_is_used_that_is_gone(root):
    found = {str(path): names for path, tree in trees(root) if (names := uses_of_gone(tree))}
    assert not found


@pytest.mark.parametrize("text", ["import imp", "from distutils.core import setup", "datetime.datetime.utcnow()"])
def test_the_check_sees_them(text):
    assert uses_of_gone(ast.parse(text))
