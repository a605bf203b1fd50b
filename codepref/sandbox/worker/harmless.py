"""Decides which programs may share a process: those that provably leave nothing behind."""

from __future__ import annotations

import ast
import builtins
import dis
import importlib.util
import re
import sys
import types
from typing import Iterator  # noqa: UP035 - Python 3.8


def words(text: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(text.split())


SAFE_BUILTINS = words(
    """abs all any ascii bin bool bytearray bytes callable chr complex dict divmod enumerate filter float format
    frozenset hash hex int isinstance issubclass iter len list map max min next object oct ord pow print range repr
    reversed round set slice sorted str sum tuple type zip True False None NotImplemented Ellipsis hasattr input
    ArithmeticError AssertionError AttributeError BaseException EOFError Exception FloatingPointError GeneratorExit
    ImportError IndexError KeyError KeyboardInterrupt LookupError MemoryError NameError NotImplementedError OSError
    OverflowError RecursionError RuntimeError StopIteration SyntaxError SystemExit TypeError UnboundLocalError
    UnicodeDecodeError UnicodeEncodeError UnicodeError ValueError ZeroDivisionError IOError"""
)
# Modules a batched program may import, with the public names audited to keep no state that another program could see.
# A program that uses any other attribute of anything runs alone. None: every public name of a module written in C.
SAFE_MODULES = {
    "math": None,
    "cmath": None,
    "itertools": None,
    "bisect": None,
    "heapq": words("heapify heappush heappop heappushpop heapreplace nlargest nsmallest merge"),
    "string": words("ascii_letters ascii_lowercase ascii_uppercase digits hexdigits punctuation whitespace capwords"),
    "collections": words("""Counter defaultdict deque OrderedDict namedtuple abc most_common elements subtract
        appendleft popleft extendleft rotate maxlen move_to_end popitem total"""),
    "functools": words("reduce lru_cache cache cmp_to_key partial"),
    "operator": words("add sub mul truediv floordiv mod pow neg xor and_ or_ not_ lt le eq ne gt ge itemgetter"),
    "re": words("""compile match search fullmatch sub subn split findall finditer escape group groups groupdict start
        end span IGNORECASE I MULTILINE M DOTALL S VERBOSE X ASCII A pattern"""),
    "typing": words("""List Dict Tuple Set FrozenSet Optional Union Any Callable Iterable Iterator Sequence Mapping
        Generator Type Text Deque DefaultDict Counter Hashable Collection Literal MutableMapping NoReturn"""),
    "fractions": words("Fraction numerator denominator limit_denominator"),
    "statistics": words("mean median mode stdev variance pstdev pvariance median_low median_high fmean multimode"),
    "datetime": words("""date datetime timedelta time strptime strftime year month day hour minute second microsecond
        days seconds total_seconds isoformat weekday isoweekday toordinal fromordinal"""),
    "hashlib": words("md5 sha1 sha224 sha256 sha384 sha512 hexdigest digest"),
    "json": words("loads dumps JSONDecodeError"),
    "textwrap": words("wrap fill dedent indent shorten"),
    "sys": words("maxsize"),
    "__future__": words("annotations division print_function absolute_import unicode_literals"),
}
PRELOADED = (*SAFE_MODULES, "copy", "decimal", "enum", "dataclasses", "abc", "contextlib", "numbers", "io", "warnings")
SAFE_METHOD_OWNERS = (str, bytes, bytearray, int, float, complex, list, tuple, dict, set, frozenset, range, slice)
RISKY_OPS = frozenset(
    dis.opmap[name]
    for name in words(
        """STORE_ATTR DELETE_ATTR LOAD_BUILD_CLASS MATCH_CLASS GET_AWAITABLE GET_AITER GET_ANEXT BEFORE_ASYNC_WITH
        SETUP_ANNOTATIONS PRINT_EXPR INTERPRETER_EXIT"""
    )
    if name in dis.opmap
)
BUILTINS = frozenset(dir(builtins))
READ_ONLY = frozenset(("__name__", "__doc__"))
STRICT = frozenset(("type", "format", "format_map"))
LOOKUP = re.compile(r"\{[^{}:!]*[.\[]")
IMPORT, IMPORT_FROM, EXTENDED = (dis.opmap[name] for name in ("IMPORT_NAME", "IMPORT_FROM", "EXTENDED_ARG"))
GLOBAL_OPS = words("LOAD_NAME STORE_NAME LOAD_GLOBAL STORE_GLOBAL LOAD_FROM_DICT_OR_GLOBALS IMPORT_NAME")


def attribute_names() -> set[str]:
    """Every name that is an attribute of any type or module loaded in this interpreter."""
    found = set(dir(builtins))
    types_left, done = [object], set()
    while types_left:
        kind = types_left.pop()
        if kind not in done:
            done.add(kind)
            found.update(type.__dir__(kind))
            types_left.extend(type.__subclasses__(kind))
    for module in list(sys.modules.values()):
        found.update(getattr(module, "__dict__", ()))
    return found


def risky_names() -> frozenset[str]:
    """Names whose use as an attribute or global might reach something that outlives a namespace."""
    _loaded.update(sys.modules)
    allowed = set(SAFE_BUILTINS) | {"args", "close", "send", "throw"}
    for owner in SAFE_METHOD_OWNERS:
        allowed.update(name for name in dir(owner) if name[0] != "_")
    for module, names in SAFE_MODULES.items():
        public = names or [name for name in dir(importlib.import_module(module)) if name[0] != "_"]
        allowed.update(public, [module])
    return frozenset(attribute_names() - allowed)


def code_objects(code: types.CodeType) -> Iterator[types.CodeType]:
    """The code object and all nested in it."""
    todo = [code]
    while todo:
        current = todo.pop()
        yield current
        todo.extend(const for const in current.co_consts if type(const) is types.CodeType)


def imports(code: types.CodeType) -> list[str]:
    """Names of the modules this code object imports itself."""
    found, raw, extended = [], code.co_code, 0
    for i in range(0, len(raw), 2):
        if raw[i] == EXTENDED:
            extended = (extended | raw[i + 1]) << 8
            continue
        if raw[i] == IMPORT:
            found.append(code.co_names[extended | raw[i + 1]])
        extended = 0
    return found


def is_missing(module: str) -> bool:
    """True if an import of this name fails, whatever the program did before (as long as that was harmless)."""
    top = module.partition(".")[0]
    if top not in _missing:
        try:
            _missing[top] = top not in sys.modules and importlib.util.find_spec(top) is None
        except (ValueError, ImportError):
            _missing[top] = False
    return _missing[top]


def is_inert(module: str) -> bool:
    """True if an import changes nothing: it fails, or the module is there already (its attributes are risky names)."""
    return module in SAFE_MODULES or module in _loaded or is_missing(module)


_loaded: set[str] = set()
_missing: dict[str, bool] = {}


def reachable(source: str) -> types.CodeType | None:
    """The program up to its first import that is bound to fail, or None if there is no such import.

    Generated programs often end in useless imports of libraries that are not installed; the rest can not run.
    """
    tree = ast.parse(source)
    for i, node in enumerate(tree.body):
        if isinstance(node, ast.ImportFrom):
            fails = node.level > 0 or is_missing(node.module or "")
        else:
            fails = isinstance(node, ast.Import) and any(is_missing(alias.name) for alias in node.names)
        if fails:
            del tree.body[i + 1 :]
            return compile(tree, "<solution>", "exec", dont_inherit=True)
    return None


def imports_star(module: types.CodeType) -> bool:
    """True if globals may be bound without being named."""
    return any(("*",) in code.co_consts for code in code_objects(module))


def binds_foreign(module: types.CodeType, risky: frozenset[str]) -> bool:
    """True if a harmless program may bind a global that it does not use, but that a test must not use here either."""
    return imports_star(module) or (IMPORT_FROM in module.co_code[::2] and not risky.isdisjoint(module.co_names))


def is_own_global(module: types.CodeType, name: str) -> bool:
    """True if the program uses this name for nothing but a global of its own, bound or not, that hides no builtin.

    Or if it imports it from somewhere and never uses it.
    """
    if name in BUILTINS or imports_star(module):
        return False
    uses = set()
    for code in code_objects(module):
        if name in code.co_names:
            steps = list(dis.get_instructions(code))
            for step, after in zip(steps, steps[1:]):  # noqa: B905, RUF007 - Python 3.8; the last is a return
                if step.argval == name and step.opcode in dis.hasname:
                    kept = code is module and after.opname == "STORE_NAME" and after.argval == name
                    uses.add("import" if step.opcode == IMPORT_FROM and kept else step.opname)
    return uses <= GLOBAL_OPS or uses == {"import", "STORE_NAME"}


def uses_strictly(source: str) -> bool:
    """True if `type` only serves to compare and name types, and `format` only fills plain fields of literal text.

    `type` could make classes whose methods are named by strings, `format` could read attributes named by strings.
    """
    nodes = list(ast.walk(ast.parse(source)))
    allowed: set[int] = set()
    for node in nodes:
        seen: list[ast.expr] = []  # whatever class they are, it goes nowhere from here
        if isinstance(node, ast.Compare):
            seen = [node.left, *node.comparators]
        elif isinstance(node, ast.FormattedValue) or (isinstance(node, ast.Attribute) and node.attr == "__name__"):
            seen = [node.value]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "format":
            text = getattr(node.func.value, "value", None)
            if isinstance(node.func.value, ast.Constant) and type(text) is str and not LOOKUP.search(text):
                allowed.add(id(node.func))
                seen = node.args
        calls = [item for item in seen if isinstance(item, ast.Call) and len(item.args) == 1 and not item.keywords]
        allowed.update(id(call.func) for call in calls if not isinstance(call.args[0], ast.Starred))
    named = [n for n in nodes if getattr(n, "id", "") == "type" or getattr(n, "attr", "") in ("format", "format_map")]
    return all(id(node) in allowed for node in named)


def is_harmless(module: types.CodeType, source: str, risky: frozenset[str]) -> bool:
    """True if two runs of this program in one process can not influence each other or anything else.

    It writes no attribute, makes no class, imports only audited modules and uses no attribute that could reach an
    object which outlives its namespace. A criterion for batching, not the security boundary: that is the kernel's.
    The same holds for a piece of a test, if it does not bind what the program may use: its globals are the program's.
    """
    for code in code_objects(module):
        operations = set(code.co_code[::2])
        if operations & RISKY_OPS:
            return False
        for name in code.co_names:
            if name in READ_ONLY:
                continue
            if name[:1] == "_" and name.strip("_"):
                return False
            if name in risky and not is_own_global(module, name):
                return False
        if not STRICT.isdisjoint(code.co_names) and not uses_strictly(source):
            return False
        if IMPORT in operations and not all(map(is_inert, imports(code))):
            return False
    return True
