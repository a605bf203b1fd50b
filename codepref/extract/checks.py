"""Checks in the words of pytest and unittest, said with `assert` and `try` alone: a sandbox may have neither."""

import ast
import copy

from codepref.extract.tables import new

_COMPARED = {
    "assertEqual": ast.Eq, "assertEquals": ast.Eq, "assertListEqual": ast.Eq, "assertDictEqual": ast.Eq,
    "assertTupleEqual": ast.Eq, "assertSetEqual": ast.Eq, "assertSequenceEqual": ast.Eq, "assertMultiLineEqual": ast.Eq,
    "assertNotEqual": ast.NotEq, "assertIs": ast.Is, "assertIsNot": ast.IsNot, "assertIn": ast.In,
    "assertNotIn": ast.NotIn, "assertGreater": ast.Gt, "assertGreaterEqual": ast.GtE, "assertLess": ast.Lt,
    "assertLessEqual": ast.LtE,
}  # fmt: skip


def raised(node: ast.stmt) -> tuple[ast.expr, list[ast.stmt]] | None:
    """The exception and the body of `with pytest.raises(...)` or `with self.assertRaises(...)`."""
    if not isinstance(node, ast.With) or len(node.items) != 1 or node.items[0].optional_vars is not None:
        return None
    call = node.items[0].context_expr
    if not isinstance(call, ast.Call) or getattr(call.func, "attr", "") not in ("raises", "assertRaises"):
        return None
    return (call.args[0], node.body) if len(call.args) == 1 and not call.keywords else None


def raising(node: ast.stmt) -> ast.stmt:
    """The same check without pytest or unittest: `try`, and a failure where nothing was raised."""
    found = raised(node)
    if found is None:
        return node
    failure = ast.parse("raise AssertionError('nothing was raised')").body
    handler = ast.ExceptHandler(found[0], None, [ast.Pass()])
    return new(ast.copy_location(ast.Try(found[1], [handler], failure, []), node))


def sub_test(node: ast.stmt) -> list[ast.stmt] | None:
    """The body of `with self.subTest(...)`."""
    if isinstance(node, ast.With) and "subTest" in ast.dump(node.items[0].context_expr):
        return node.body
    return None


def plain(node: ast.stmt) -> ast.stmt:
    """A statement of a test method with plain assertions."""
    found = raised(node)
    if found is not None:
        return raising(node)
    return new(_Plain().visit(copy.deepcopy(node)))


class _Plain(ast.NodeTransformer):
    """Turns `self.assertEqual(a, b)` and its kin into `assert a == b`."""

    def visit_With(self, node: ast.With) -> ast.AST | list[ast.stmt]:
        self.generic_visit(node)
        within = sub_test(node)
        return node if within is None else within

    def visit_Expr(self, node: ast.Expr) -> ast.stmt:
        call = node.value
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute) or call.keywords:
            return node
        test = _asserted(call.func.attr, call.args)
        return node if test is None else ast.copy_location(ast.Assert(test, None), node)


def _asserted(name: str, values: list[ast.expr]) -> ast.expr | None:
    if name in _COMPARED and len(values) >= 2:
        return ast.Compare(values[0], [_COMPARED[name]()], [values[1]])
    if name in ("assertTrue", "assertFalse") and values:
        return values[0] if name == "assertTrue" else ast.UnaryOp(ast.Not(), values[0])
    if name in ("assertIsNone", "assertIsNotNone") and values:
        return ast.Compare(values[0], [ast.Is() if name == "assertIsNone" else ast.IsNot()], [ast.Constant(None)])
    if name == "assertAlmostEqual" and len(values) == 2:
        difference = ast.BinOp(values[0], ast.Sub(), values[1])
        close = ast.Call(ast.Name("round", ast.Load()), [difference, ast.Constant(7)], [])
        return ast.Compare(close, [ast.Eq()], [ast.Constant(0)])
    return None
