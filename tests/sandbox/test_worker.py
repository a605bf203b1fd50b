"""The worker under every interpreter found here; which programs may share a process."""

import importlib
import subprocess
from pathlib import Path

import pytest

from codepref.sandbox import Job, Limits, Sandbox
from codepref.sandbox.worker import harmless, serve

PLACES = ("/usr/bin", "/usr/local/bin", *map(str, Path("~/.pyenv/versions").expanduser().glob("*/bin")))


def interpreters():
    """One path for each CPython >= 3.8 on this machine."""
    found = {}
    for place in PLACES:
        for path in sorted(Path(place).glob("python3.[0-9]*")):
            if path.suffix.removeprefix(".").isdigit() and int(path.suffix.removeprefix(".")) >= 8:
                found.setdefault(path.resolve(), str(path))
    return sorted(found.values())


CODES = (
    "def f(x):\n    return [x, {x: (1.5, None, True)}, {x}, 'é', b'\\xff', 2j, 1 << 100]",
    "class A:\n    def __eq__(self, other): return True\ndef f(x):\n    return A()",
    "import re, collections\ndef f(x):\n    return collections.Counter(re.findall('a', 'banana'))",
    "def f(x):\n    while True: pass",
    "def f(x):\n    raise KeyError(x)",
    "import random\ndef f(x):\n    return random.random() < 2",
)
TESTS = (
    "assert f(1) == [1, {1: (1.5, None, True)}, {1}, 'é', b'\\xff', 2j, 1 << 100]",
    "assert f(1) == {'a': 3}",
    "assert f(1) is True",
    "assert abs(f(1) - 1) < 2",
)


@pytest.mark.parametrize("python", interpreters())
def test_every_interpreter_gives_the_same_verdicts(python):
    with Sandbox(Limits(cpu_s=0.3), python=python) as sandbox:
        cells = sandbox.run(Job("all", CODES, TESTS, "f")).cells
    assert [[cell.verdict for cell in row] for row in cells] == [
        ["passed", "failed", "failed", "failed"],
        ["failed", "failed", "failed", "failed"],
        ["failed", "passed", "failed", "failed"],
        ["timeout", "timeout", "timeout", "timeout"],
        ["failed", "failed", "failed", "failed"],
        ["failed", "failed", "passed", "passed"],
    ]


def test_there_is_an_interpreter_to_test():
    assert interpreters() or subprocess.run(["python3", "--version"], check=False).returncode != 0


@pytest.fixture(scope="module")
def risky():
    for name in serve.PRELOADED:
        importlib.import_module(name)
    return harmless.risky_names()


def is_harmless(source, risky):
    return harmless.is_harmless(compile(source, "x", "exec"), source, risky)


@pytest.mark.parametrize(
    "source",
    [
        "def f(x):\n    return sorted(set(x))",
        "from typing import List\nimport math\ndef f(x: List[int]):\n    return math.gcd(*x)",
        "import re\ndef f(x):\n    return '{:.2f} {}'.format(x, re.sub('a', 'b', 'a'))",
        "def f(x):\n    return [type(y) == int for y in x]",
        "from collections import Counter\ndef f(x):\n    return Counter(x).most_common(1)",
        "import a_module_that_is_not_here",
        "def f(x):\n    return sign(x)",
        "def push(x): pass\ndef f(x):\n    push(x)",
        "from os import system",
        "def f(x):\n    raise TypeError(f'not {type(x)} but {type(x).__name__}')",
        "def f(x):\n    raise TypeError('{}'.format(type(x)))",
    ],
)
def test_harmless(source, risky):
    assert is_harmless(source, risky)


@pytest.mark.parametrize(
    "source",
    [
        "class A: pass",
        "import os\nos.environ",
        "import math\nmath.pi = 3",
        "def f(x):\n    f.count = 1",
        "__builtins__",
        "def f(x):\n    f.__doc__ = 1",
        "def f(x):\n    return x.__class__",
        "A = type('A', (), {})",
        "T = type\nA = T('A', (), {})",
        "A = type(*('A', (), {})) == int",
        "A = '{0.mro}'.format(type(1))",
        "g = lambda t: t('A', (), {})\nA = g(type(int))",
        "A = type(int)('A', (), {})",
        "def f(x):\n    return '{0.gi_frame}'.format(x)",
        "def f(x):\n    return (x + '{}').format(x)",
        "g = str.format",
        "import sys\nsys.modules",
        "def f(x):\n    return x.gi_frame",
        "eval('1')",
        "getattr(int, 'x')",
        "import random\nrandom.random()",
        "async def f(x):\n    await x",
        "def f(x):\n    import subprocess\n    subprocess.run",
        "globals()['x'] = 1",
        "from os import *\nsystem('true')",
        "def f(x):\n    return x.push(1)",
        "from os import system as s\ns('true')",
        "from os import system\ndef f(x):\n    return system",
        "from os import system\ng = [system]",
        "def f(x):\n    from os import system\n    system(x)",
    ],
)
def test_not_harmless(source, risky):
    assert not is_harmless(source, risky)


@pytest.mark.parametrize("name", ["*", "setrecursionlimit"])
def test_an_unused_import_shares_no_process_with_tests_that_use_it(name):
    code = f"from sys import {name}\ndef f(x):\n    return x"
    other = "def f(x):\n    return x if x == 0 else f(x - 1)"
    tests = ("assert f(1) == 1", "assert setrecursionlimit(60) is None", "assert f(90) == 0")
    with Sandbox() as sandbox:
        cells = sandbox.run(Job("x", (code, other), tests, "f")).cells
    assert [[cell.verdict for cell in row] for row in cells] == [
        ["passed", "passed", "failed"],
        ["failed", "failed", "passed"],
    ]  # the limit of the first program does not bind the second


def test_a_test_may_not_lend_a_program_what_it_must_not_use():
    code = "def f(x):\n    setrecursionlimit(60)\n    return x"
    other = "def f(x):\n    return x if x == 0 else f(x - 1)"
    tests = ("from sys import setrecursionlimit\nassert f(1) == 1", "assert f(90) == 0")
    with Sandbox() as sandbox:
        cells = sandbox.run(Job("x", (code, other), tests, "f")).cells
    assert [[cell.verdict for cell in row] for row in cells] == [["passed", "failed"], ["failed", "passed"]]


def test_only_what_can_run_counts(risky):
    source = "def f(x):\n    return x\nimport a_module_that_is_not_here\nimport os\nos.environ"
    assert not is_harmless(source, risky)
    short = harmless.reachable(source)
    assert short == "def f(x):\n    return x\nimport a_module_that_is_not_here"
    assert is_harmless(short, risky)
    assert harmless.reachable("import math\ndef f(x): pass") is None
