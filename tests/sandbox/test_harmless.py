"""Which programs may share a process: audited names of audited modules, nothing suspended, nothing looked up by text."""

import importlib

import pytest

from codepref.sandbox import Job, Limits, Sandbox
from codepref.sandbox.worker import audited, harmless, serve


@pytest.fixture(scope="module")
def risky():
    for name in serve.PRELOADED:
        importlib.import_module(name)
    return harmless.risky_names()


def is_harmless(source, risky):
    return harmless.is_harmless(compile(source, "x", "exec"), source, risky)


HARMLESS = [
    "import math\ndef f(x): return math.sqrt(x) + math.pi",
    "import math, re\ndef f(x): return re.sub('a', 'b', x, flags=re.I | re.M) and math.e",
    "import math as m\ndef f(x): return m.sqrt(x)",
    "import collections\ndef f(x): return collections.Counter(x).most_common(1)",
    "import collections.abc\ndef f(x): return isinstance(x, collections.abc.Iterable)",
    "from collections import Counter as C, deque\ndef f(x): return C(deque(x))",
    "from collections.abc import Iterable\ndef f(x): return isinstance(x, Iterable)",
    "from typing import List, Dict\ndef f(x: List[Dict[str, int]]) -> List: return x",
    "from typing import List, Optional\nVector = List[float]\ndef f(x: Optional['Vector'], y: Vector = None): return x",
    "import typing\ndef f(x: typing.List[int]) -> typing.Callable[[int], str]: return x",
    "from typing import Iterable\ndef f(x): return isinstance(x, Iterable)",
    "from functools import lru_cache\n@lru_cache(maxsize=None)\ndef f(x): return x and f(x - 1)",
    "from math import *\ndef f(x): return sqrt(x)",
    "from heapq import *\ndef f(x): heapify(x); return heappop(x)",
    "import os, sys\ndef f(x): return x",
    "import re\nP = re.compile('a', re.I)\ndef f(x): return P.findall(x)",
    "def f(x):\n    for y in x: yield y",
    "def f(x): return (y for y in x)",
    "def f(x): return '{:>{}}'.format(x, 5) + '{0!r}'.format(x)",
    "def f(x): return f'{type(x)} {type(x).__name__}' if type(x) == int else ''",
    "def f(x):\n    try: return int(x)\n    except ValueError as e: return e.args",
    "f(math.pi)",
    "f([re.sub('a', 'b', 'c'), collections.Counter('a')])",
]
HARMFUL = [
    "import linecache\ndef f(x): return linecache.cache",
    "import linecache as math\ndef f(x): return x",
    "import os as o\ndef f(x): return x",
    "from os import close as c\ndef f(x): return c",
    "import os\ndef f(x): return x or os",
    "import os.path\ndef f(x): return os.path.join(x)",
    "import math\ndef f(x): return (x or math).close(0)",
    "import math\nm = math\ndef f(x): return m.sqrt(x)",
    "import math\ndef f(x): return [math][0].sqrt(x)",
    "import math\ndef f(x): return math.__loader__",
    "import string\ndef f(x): return string.Formatter()",
    "import collections\ndef f(x): return collections.abc",
    "import typing as collections\ndef f(x): return x",
    "import re\ndef f(x): return re.compile('ab+', 0.0)",
    "import re\ndef f(x): return re.compile('ab+', x)",
    "import re\ndef f(x): return re.findall('ab+', 'ab', flags=0.0)",
    "import re\ndef f(x): return re.compile(*x)",
    "import re\ndef f(x): return re.compile(**x)",
    "import re\ndef f(x): return list(map(re.compile, ['a'], [0.0]))",
    "from re import compile as c\ndef f(x): return c('ab+', 0.0)",
    "from re import *\ndef f(x): return purge()",
    "from typing import List\ndef f(x): return List[x.send]",
    "from typing import List\nL = List\ndef f(x): return L[x]",
    "from typing import List\ndef f(x):\n    def g(y: List[x.send]): pass",
    "from typing import List\nimport functools\ndef f(x): return functools.reduce(lambda a, b: a[b], [List, x])",
    "import typing\ndef f(x): return typing.Dict[str, x]",
    "import typing\ndef f(x): return typing.Literal[1.0]",
    "def f(x):\n    try: yield x\n    finally: print(x)",
    "def f(x):\n    try: yield x\n    except GeneratorExit: print(x)",
    "def f(x):\n    with x: yield x",
    "async def f(x): return x",
    "def f(x): return f'{x.format(f)}'",
    "def f(x): return f\"{x.format_map({'a': f})}\"",
    "def f(x): return '{0.a}'.format(x) == 1",
    "def f(x): return '{0:{1.a}}'.format(x, x)",
    "def f(x): return '{0[a]}'.format(x)",
    "def f(x): return str.format(x, f)",
    "def f(x): return type(x)(x)",
    "def f(x): return g(type(x))",
    "def f(x): return x.gi_frame",
    "import ｌinecache\ndef f(x): return ｌinecache.cache",
    "import pickle\ndef f(x): return pickle.loads(x)",
    "import random\ndef f(x): return random.random()",
]


@pytest.mark.parametrize("source", HARMLESS)
def test_harmless(source, risky):
    assert is_harmless(source, risky)


@pytest.mark.parametrize("source", HARMFUL)
def test_not_harmless(source, risky):
    assert not is_harmless(source, risky)


def test_what_a_program_imported_for_nothing_is_not_for_its_tests_either(risky):
    module = compile("import os\ndef f(x): return x.close(0)", "x", "exec")
    test = compile("f(os)", "<test>", "eval")
    assert harmless.binds_foreign(module, risky)
    assert not risky.isdisjoint(test.co_names)
    assert not harmless.binds_foreign(compile("import math\nimport not_here", "x", "exec"), risky)


@pytest.mark.parametrize("module", sorted(audited.SAFE_MODULES))
def test_no_name_of_a_module_is_taken_for_a_method_of_a_value(module):
    """A test may hand a module to a program, which can ask it for nothing but names of methods."""
    assert audited.METHODS & set(dir(importlib.import_module(module))) <= audited.SAFE_MODULES[module]


@pytest.mark.parametrize("module", sorted(audited.SAFE_MODULES))
def test_every_audited_name_is_no_module(module):
    whole = importlib.import_module(module)
    names = [name for name in audited.SAFE_MODULES[module] if f"{module}.{name}" not in audited.SAFE_MODULES]
    assert type(importlib) not in {type(getattr(whole, name, None)) for name in names}


STATE = [
    "import linecache as l\ndef f(x):\n    l.cache['n'] = l.cache.get('n', 0) + 1\n    return l.cache['n']\n",
    ("import re\ndef f(x):\n    try: return len(re.compile('zz+', 0.0).pattern)\n    except TypeError: return 1\n"),
]


@pytest.mark.parametrize("code", STATE)
def test_every_test_sees_fresh_state(code):
    filler = "import re\ndef f(x):\n    return re.compile('zz+', 0) and 1\n"
    with Sandbox() as sandbox:
        rows = sandbox.run(Job("x", (filler, code, code + "\n"), ("assert f(1) == 1",) * 3, "f")).cells
    assert {cell.verdict for row in rows for cell in row} == {"passed"}


def test_what_a_program_leaves_suspended_does_not_run_for_its_neighbour():
    leaving = (
        "kept = []\ndef walk():\n    try: yield kept\n    finally: print('x' * 3_000_000)\n"
        "def f(x):\n    g = walk(); kept.append(g); next(g); return 0\n"
    )
    busy = "def f(x):\n    lists = [[n] for n in range(30000)]\n    return x + 0 * len(lists)\n"
    with Sandbox(Limits(cpu_s=0.5)) as sandbox:
        rows = sandbox.run(Job("x", (leaving, busy), ("assert f(5) == 5",), "f")).cells
    assert [row[0].verdict for row in rows] == ["failed", "passed"]
