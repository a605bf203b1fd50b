"""What the statements of a module do with names when they run, and when what they define is called.

`Facts` of a statement are of two kinds. What happens at load: a `def` runs its decorators and defaults, a `class` its
whole body. What may happen later: everything that is in it. Names are those of the module; parameters and other local
names of functions are told apart by Python's own compiler.
"""

import ast
import builtins
import dis
from collections.abc import Iterator
from dataclasses import dataclass
from types import CodeType

from codepref.extract.syntax import bound, compiled

BUILTINS = frozenset(dir(builtins)) | {"__name__", "__file__", "__doc__", "__builtins__"}
_QUIET_METHODS = frozenset((
    "split", "rsplit", "splitlines", "strip", "lstrip", "rstrip", "join", "format", "get", "items", "keys",
    "values", "copy", "index", "count", "startswith", "endswith", "lower", "upper", "title", "capitalize",
    "replace", "find", "rfind", "encode", "decode", "read", "readline", "readlines", "isdigit", "isalpha",
    "isalnum", "isnumeric", "isspace", "islower", "isupper", "zfill", "center", "ljust", "rjust", "union",
    "intersection", "difference", "issubset", "issuperset", "bit_length", "bit_count", "conjugate", "is_integer",
    "most_common", "elements", "total_seconds", "strftime", "isoformat", "date", "time", "group", "groups", "span",
    "partition", "rpartition", "casefold", "swapcase", "translate", "hex", "tolist", "to_string", "head",
    "describe", "cache_info",
))  # fmt: skip
"""Methods that leave their object as it is, whatever it is."""
_MUTATORS = frozenset((
    "append", "appendleft", "extend", "insert", "add", "update", "setdefault", "pop", "popitem", "remove", "discard",
    "clear", "sort", "reverse", "__setitem__", "__delitem__", "__setattr__", "send", "__next__", "register",
))  # fmt: skip
"""Methods that change their object."""
_CHANGERS = frozenset((
    "shuffle", "heapify", "heappush", "heappop", "heapreplace", "heappushpop", "insort", "insort_left",
    "insort_right", "setitem", "delitem", "iadd", "setattr", "delattr", "next", "put", "place", "copyto",
    "fill_diagonal", "update_wrapper",
))  # fmt: skip
"""Functions that change their first argument."""
_LOUD_BUILTINS = frozenset((
    "next", "setattr", "delattr", "exec", "eval", "globals", "vars", "locals", "compile", "__import__",
))  # fmt: skip
_DYNAMIC = frozenset((
    "globals", "exec", "eval", "vars", "locals", "__import__", "__subclasses__", "modules", "__main__", "getmembers",
))  # fmt: skip
"""Names that reach others by a text: then any of the program's names may be meant."""
_FRESH = (
    ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp, ast.Constant, ast.JoinedStr, ast.BinOp,
    ast.Compare, ast.UnaryOp, ast.GeneratorExp, ast.Lambda,
)  # fmt: skip
_MAKERS = frozenset((
    "list", "dict", "set", "sorted", "bytearray", "deque", "defaultdict", "Counter", "OrderedDict", "len", "int",
    "str", "float", "sum", "abs", "range", "enumerate", "zip", "map", "filter", "tuple", "frozenset", "reversed",
    "min", "max", "round", "divmod", "pow", "ord", "chr", "bin", "deepcopy", "copy", "array", "zeros", "ones",
))  # fmt: skip


@dataclass(frozen=True)
class Facts:
    """What a top-level statement does."""

    binds: frozenset[str]
    """Names of the module that it binds or deletes at load."""
    reads: frozenset[str]
    """Names of the module that are read in it, at load or later."""
    reads_at_load: frozenset[str]
    writes: frozenset[str]
    """Names of the module that functions in it bind (`global`)."""
    changes: frozenset[str]
    """Names whose objects may be changed in it: attributes and items set, methods called."""
    changes_at_load: frozenset[str]
    calls_at_load: frozenset[str]
    """Names that are called at load."""
    hands: frozenset[str]
    """Names that are arguments of calls at load whose functions might change them."""
    loose: bool
    """Whether functions in it change objects that they were given."""
    calls_given: bool
    """Whether functions in it call what they were given."""
    dynamic: bool
    """Whether names are reached by a text in it (`globals()`, `eval`)."""
    is_definition: bool


def facts(node: ast.stmt, imported: frozenset[str]) -> Facts:
    """What a statement does; `imported` are names of modules and of what comes from them."""
    code = compiled(ast.Module([node], []))
    reads, binds, writes = _scoped(code) if code is not None else (_all_names(node), bound(node), set[str]())
    at_load = list(_run_at_load(node))
    changes = set(_changed(ast.walk(node)))
    local = changes - reads - binds - imported
    return Facts(
        frozenset(binds),
        frozenset(reads),
        frozenset(_loaded(at_load) & reads),
        frozenset(writes),
        frozenset(changes & (reads | binds)),
        frozenset(set(_changed(at_load)) & (reads | binds)),
        frozenset(n.func.id for n in at_load if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)),
        frozenset(set(_handed(at_load)) & reads),
        bool(local - _fresh(node)),
        _calls_a_local(node, reads | imported),
        _is_dynamic(node, reads),
        isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef),
    )


def imports(tree: ast.Module) -> dict[str, str]:
    """Names bound by the imports of a program, those in functions included, and what they stand for, dotted."""
    found: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                found[alias.asname or alias.name.partition(".")[0]] = (
                    alias.name if alias.asname else alias.name.partition(".")[0]
                )
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            for alias in node.names:
                found[alias.asname or alias.name] = f"{module}.{alias.name}"
    return found


def dotted(node: ast.expr, imported: dict[str, str]) -> str:
    """What a name or attribute of an imported module stands for, such as `sys.stdin.read`; empty for anything else."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if isinstance(node, ast.Name) and node.id in imported:
        return ".".join([imported[node.id], *reversed(parts)])
    return ""


def _all_names(node: ast.AST) -> set[str]:
    return {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}


def _scoped(code: CodeType, top: bool = True) -> tuple[set[str], set[str], set[str]]:
    """Names of the module that a code object and those inside it read, bind at load, and bind by `global`."""
    reads, binds, writes = set[str](), set[str](), set[str]()
    for step in dis.get_instructions(code):
        if not isinstance(step.argval, str) or not ("NAME" in step.opname or "GLOBAL" in step.opname):
            continue
        if step.opname.startswith("LOAD"):
            reads.add(step.argval)
        elif "GLOBAL" in step.opname:
            (binds if top else writes).add(step.argval)
        elif top and not step.opname.startswith("IMPORT"):
            binds.add(step.argval)
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            more, _, written = _scoped(inner, top=False)
            reads |= more
            writes |= written
    return reads, binds, writes


def _run_at_load(node: ast.AST) -> Iterator[ast.AST]:
    """The parts of a statement that run when it does; bodies of functions do not, lambdas may."""
    todo = [node]
    while todo:
        node = todo.pop()
        yield node
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            defaults = [default for default in node.args.kw_defaults if default is not None]
            todo += [*node.decorator_list, *node.args.defaults, *defaults]
        else:
            todo += ast.iter_child_nodes(node)


def _loaded(nodes: list[ast.AST]) -> set[str]:
    found = {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load | ast.Del)}
    return found | {n.target.id for n in nodes if isinstance(n, ast.AugAssign) and isinstance(n.target, ast.Name)}


def _roots(node: ast.AST) -> set[str]:
    """Names whose objects an expression may lead to: `a` of `a.b[i]`, every name of a call."""
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Starred):
        node = node.value
    return {node.id} if isinstance(node, ast.Name) else _all_names(node)


def _changed(nodes: Iterator[ast.AST] | list[ast.AST]) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, ast.Attribute | ast.Subscript) and isinstance(node.ctx, ast.Store | ast.Del):
            yield from _roots(node)
        elif isinstance(node, ast.Attribute) and node.attr in _MUTATORS:
            yield from _roots(node.value)  # `put = table.append`: whoever has it may call it
        elif isinstance(node, ast.AugAssign):
            yield from _roots(node.target)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            for decorator in node.decorator_list:  # called, though it need not look like a call
                yield from _roots(decorator) if isinstance(decorator, ast.Attribute) else ()
        elif isinstance(node, ast.Call):
            name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
            if name in _CHANGERS and node.args:
                yield from _roots(node.args[0])
            if isinstance(node.func, ast.Attribute) and name not in _QUIET_METHODS:
                yield from _roots(node.func.value)


def _handed(nodes: list[ast.AST]) -> Iterator[str]:
    """Names of arguments, and of the bases of classes, which may keep a list of their subclasses."""
    for node in nodes:
        if isinstance(node, ast.Call):
            if not (isinstance(node.func, ast.Name) and node.func.id in BUILTINS - _LOUD_BUILTINS):
                for argument in (*node.args, *(keyword.value for keyword in node.keywords)):
                    yield from _roots(argument)
        elif isinstance(node, ast.ClassDef):
            for base in (*node.bases, *(keyword.value for keyword in node.keywords)):
                yield from _roots(base)


def _fresh(node: ast.stmt) -> set[str]:
    """Local names that only ever hold objects made in the function itself."""
    fresh, other = set[str](), set[str]()
    for inner in ast.walk(node):
        if isinstance(inner, ast.Assign | ast.AnnAssign) and inner.value is not None:
            targets = inner.targets if isinstance(inner, ast.Assign) else [inner.target]
            names = {target.id for target in targets if isinstance(target, ast.Name)}
            (fresh if _is_fresh(inner.value) else other).update(names)
            other |= set().union(*map(bound, targets)) - names
        elif isinstance(inner, ast.For | ast.AsyncFor | ast.NamedExpr | ast.comprehension):
            other |= bound(inner.target)
        elif isinstance(inner, ast.withitem) and inner.optional_vars is not None:
            other |= bound(inner.optional_vars)
        elif isinstance(inner, ast.arg):
            other.add(inner.arg)
    return (fresh - other) | _receivers(node)


def _receivers(node: ast.stmt) -> set[str]:
    """First parameters of methods: what is changed through them is the object that the method was called on."""
    found = set[str]()
    for inner in ast.walk(node):
        if isinstance(inner, ast.ClassDef):
            methods = (m for m in inner.body if isinstance(m, ast.FunctionDef | ast.AsyncFunctionDef))
            found |= {m.args.args[0].arg for m in methods if m.args.args}
    return found


def _is_fresh(value: ast.expr) -> bool:
    if isinstance(value, ast.Call):
        name = value.func.id if isinstance(value.func, ast.Name) else getattr(value.func, "attr", "")
        return name in _MAKERS or name in _QUIET_METHODS - {"get", "values", "items"}
    return isinstance(value, _FRESH)


def _calls_a_local(node: ast.stmt, known: frozenset[str] | set[str]) -> bool:
    """Whether a parameter, or another local name that is no function of its own, is called."""
    own = {n.name for n in ast.walk(node) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)}
    called = {n.func.id for n in ast.walk(node) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)}
    return bool(called - known - own - BUILTINS)


def _is_dynamic(node: ast.stmt, reads: set[str]) -> bool:
    if reads & _DYNAMIC & BUILTINS:
        return True
    attributes = {n.attr for n in ast.walk(node) if isinstance(n, ast.Attribute)}
    return bool(attributes & (_DYNAMIC - BUILTINS)) or "__main__" in {
        alias.name for n in ast.walk(node) if isinstance(n, ast.Import) for alias in n.names
    }
