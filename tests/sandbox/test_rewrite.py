"""Which names of a test are the candidate's, and what becomes of its text at the judge."""

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codepref.sandbox.rewrite import KNOWN, bound_names, free_names, is_closed, rewritten


@pytest.mark.parametrize(
    ("test", "free"),
    [
        ("assert f(g(1)) == len([2])", {"f", "g"}),
        ("x = f(1)\nassert x == y", {"f", "y"}),
        ("for i in f(1):\n    assert i", {"f"}),
        ("assert all(f(i) == i for i in range(3))", {"f"}),
        ("assert sorted(f(1), key=lambda v: -v)", {"f"}),
        ("def check(candidate):\n    n = 2\n    assert candidate(n) == helper(n)", {"helper"}),
        ("def check(c):\n    import math\n    assert c(1) == math.pi", set()),
        ("def check(c):\n    from collections import Counter as C\n    assert c(1) == C()", set()),
        ("import numpy as np\nassert np.allclose(f(1), 2)", {"f"}),
        ("assert np.allclose(f(1), 2)", {"f", "np"}),
        ("try:\n    f(1)\nexcept Own as error:\n    assert error", {"f", "Own"}),
        ("with open_it() as file:\n    assert f(file)", {"f", "open_it"}),
        ("assert (y := f(1)) and y", {"f"}),
        ("match f(1):\n    case [a, *b]:\n        assert a and b", {"f"}),
        ("class T(Base):\n    x = 1\n    def test(self):\n        assert f(self.x)", {"f", "Base"}),
        ("def test():\n    global made\n    made = f(1)\ntest()\nassert made", {"f"}),
        ("def outer():\n    def inner():\n        return f(1)\n    return inner()\nassert outer()", {"f"}),
    ],
)  # fmt: skip
def test_free_names_are_the_candidates(test, free):
    assert free_names(ast.parse(test)) == free


@pytest.mark.parametrize(
    ("test", "bound"),
    [
        ("def f(x):\n    y = 1", {"f"}), ("f = g = 1", {"f", "g"}), ("import a.b, c as d\nfrom e import h as i", {"a", "d", "i"}),
        ("for x, (y, z) in []: pass", {"x", "y", "z"}), ("del f", {"f"}), ("class A:\n    b = 1", {"A"}), ("f.x = f[0] = 1", set()),
        ("lambda x: 1", set()), ("if 1:\n    x = 1\nelse:\n    y = 1", {"x", "y"}), ("a += 1", {"a"}), ("a: int = 1", {"a"}),
    ],
)  # fmt: skip
def test_bound_names(test, bound):
    assert bound_names(ast.parse(test)) == bound


@pytest.mark.parametrize(
    ("function", "closed"),
    [
        ("lambda x: x + len([1])", True), ("lambda x: x + k", False), ("lambda x, y=2: (lambda z: z + y)(x)", True),
        ("lambda x: f(x)", False), ("lambda: [i for i in range(3)]", True),
    ],
)  # fmt: skip
def test_closed_functions(function, closed):
    assert is_closed(ast.parse(function).body[0].value) is closed


def text(test):
    tree = ast.parse(test)
    return ast.unparse(rewritten(tree, free_names(tree) & KNOWN.keys()))


def test_no_text_of_a_test_can_name_the_judges_functions():
    made = text("assert f(1) is g(2) and type(f(1)) == abs(f(1) - 2)\nx = lambda v: v\nCounter")
    for name in ("is_same", "type_of", "distance", "with_source", "known", "guessing"):
        assert f"codepref.{name}(" in made
    names = {node.id for node in ast.walk(ast.parse(made)) if isinstance(node, ast.Name)}
    assert not any("." in name for name in names)  # a name with a dot is no text


def test_what_is_rewritten():
    assert "codepref.is_same(f(1), None)" in text("x = f(1) is None")
    assert "not codepref.is_same(f(1), None)" in text("x = f(1) is not None")
    assert text("x = type('A', (), {})") == "x = type('A', (), {})"
    assert text("x = abs(f(1))") == "x = abs(f(1))"
    assert "codepref.known('math').pi" in text("x = math.pi")
    assert text("import math\nx = math.pi") == "import math\nx = math.pi"
    assert text("x = 1 < f(1) < 3") == "x = 1 < f(1) < 3"


@given(
    st.sampled_from(["assert {}", "x = {}", "def t():\n    assert {}"]), st.text("fx(1)[]=<>is not.,:+ ", max_size=20)
)
def test_whatever_parses_can_be_rewritten_and_compiled(form, inner):
    try:
        tree = ast.parse(form.format(inner))
        compile(tree, "<test>", "exec")
    except (SyntaxError, ValueError):
        return
    compile(rewritten(tree, set()), "<test>", "exec")
