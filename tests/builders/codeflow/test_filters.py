import ast

import pytest
from tokenizers_trained import FAMILIES

from builders.codeflow import filters
from builders.codeflow.filters import Filters, Sizes, rule, same_tree, silent_lines
from builders.codeflow.linediff import diff, lines_of
from builders.codeflow.spans import located
from codepref.errors import CodeprefError

GOOD = 'def f(x):\n    """Adds."""\n    # one more\n    y = x + 1\n    return y\n'


def hit(rejected, chosen=GOOD, config=None, sizes=None):
    found = rule(
        config or Filters(), chosen, rejected, diff(lines_of(chosen), lines_of(rejected)), sizes or Sizes(1, 1)
    )
    return found and found[0]


@pytest.mark.parametrize(
    ("rejected", "name"),
    [
        (GOOD.replace("+ 1", "+ 2"), None),
        (GOOD.replace("    y = x + 1\n", ""), "empty D-"),
        (GOOD.replace("    y = x + 1\n", "    # y = x + 1\n\n"), "comments only"),
        (
            GOOD.replace('"""Adds."""', '"""Adds one,\n    # or more.\n    """').replace("    y = x + 1\n", ""),
            "comments only",
        ),
        (GOOD.replace('    """Adds."""\n', '    """Adds.""" ; x = 2\n'), None),
        (GOOD.replace("x + 1", "x+1"), "same syntax tree"),
        (GOOD.replace("    # one more\n    y = x + 1\n", "    y = (x +  # comment\n         1)\n"), "same syntax tree"),
        (GOOD.replace('    """Adds."""\n', "    'other'\n").replace("x + 1", "x  + 1"), "same syntax tree"),
        ("def f(x:\n", "unparseable"),
        ("def f(x):\n" + "".join(f"    x += {n}\n" for n in range(20)) + "    return x\n", "too many lines"),
    ],
)
def test_rules(rejected, name):
    assert hit(rejected) == name


def test_bounds():
    rejected = GOOD.replace("    y = x + 1\n", "    y = x\n    y += 2\n")
    assert hit(rejected, config=Filters(max_changed_lines=2)) is None
    assert hit(rejected, config=Filters(max_changed_lines=1)) == "too many lines"
    assert hit(rejected, sizes=Sizes(2048, 2048)) is None
    assert hit(rejected, sizes=Sizes(2049, 1)) == hit(rejected, sizes=Sizes(1, 2049)) == "too long"


def test_the_first_rule_counts():
    same = GOOD.replace("    # one more\n", "    #  one more\n")
    assert hit(same) == "comments only"  # and the same tree
    assert hit(same, sizes=Sizes(9999, 1)) == "comments only"
    assert hit(GOOD.replace("x + 1", "x+1"), sizes=Sizes(9999, 1)) == "too long"


def test_a_function_of_nothing_but_a_docstring_is_pass():
    assert same_tree(ast.parse('def f():\n    """x"""\n'), ast.parse("def f():\n    pass\n"))
    assert not same_tree(ast.parse("x = 'a'\n"), ast.parse("x = 'b'\n"))
    assert not same_tree(ast.parse("x = 1\n"), ast.parse("x = True\n"))
    assert not same_tree(ast.parse("x = 1\n"), ast.parse("x = 1.0\n"))
    assert same_tree(ast.parse("x = u'a'\n"), ast.parse("x = 'a'\n"))
    assert not same_tree(ast.parse("f(1)\n"), ast.parse("f(1, 2)\n"))


def test_lines_that_say_nothing():
    source = 'x = 1  # one\n"""no docstring"""\nclass A:\n    """a\n\n    b"""  # c\n\n    def f(self): "d"\n'
    assert silent_lines(source, ast.parse(source)) == {3, 4, 5, 6}


def test_repairs_that_only_insert():
    rejected, chosen = "def f(x):\n    y = 1\n    return y\n", "def f(x):\n    y = 1\n    y += x\n    return y\n"
    config = Filters(insertions="next_line")
    found = filters.marked(config, rejected, located("line", chosen, rejected))
    assert [rejected[a:b] for a, b in found.rejected] == ["    return y"]
    assert [chosen[a:b] for a, b in found.chosen] == ["    y += x"]
    assert rule(config, chosen, rejected, found.diff, Sizes(1, 1)) is None
    at_end = chosen + "f(1)\n"
    found = filters.marked(config, chosen, located("line", at_end, chosen))
    assert [chosen[a:b] for a, b in found.rejected] == ["    return y"]  # nothing follows: the last line
    assert filters.marked(Filters(), chosen, located("line", at_end, chosen)).rejected == ()
    changed = located("line", chosen, rejected.replace("1", "2"))
    assert filters.marked(config, rejected, changed) == changed


def test_lengths(tmp_path):
    assert filters.sizes(Filters(), "x" * 6, "x" * 7) == Sizes(2, 3)
    path = tmp_path / "tokenizer.json"
    tokenizer = FAMILIES["unigram"]()  # adds two special tokens, which are no part of a program's length
    tokenizer.save(str(path))
    count = len(tokenizer.encode(GOOD, add_special_tokens=False).ids)
    assert filters.sizes(Filters(tokenizer=str(path)), GOOD, "") == Sizes(count, 0)
    path.write_text("{}")
    filters._tokenizer.cache_clear()
    with pytest.raises(CodeprefError, match=r"tokenizer.json: .*; name a tokenizer.json"):
        filters.sizes(Filters(tokenizer=str(path)), GOOD, "")
