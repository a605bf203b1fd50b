"""What a program in a shared process may use: audited name by name, each for the thing it belongs to.

None of these names keeps a state that another program could see: no caches that are looked up by equality or hold what
a program gives them, no registries, no settings. `typing` and `re` have such caches; what reading.py says of them keeps
programs out of there.
"""

from __future__ import annotations

import builtins
import dis
import importlib
import sys
from typing import Any


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
BUILTINS = frozenset(dir(builtins))
_CLASSES_OF_COLLECTIONS = words("Counter defaultdict deque OrderedDict namedtuple")
# module: the names of it that may be used. None: every public name of a module written in C.
_MODULES: dict[str, Any] = {
    "math": None,
    "cmath": None,
    "itertools": None,
    "bisect": words("bisect bisect_left bisect_right insort insort_left insort_right"),
    "heapq": words("heapify heappush heappop heappushpop heapreplace nlargest nsmallest merge"),
    "string": words("ascii_letters ascii_lowercase ascii_uppercase digits hexdigits punctuation whitespace capwords"),
    "collections": _CLASSES_OF_COLLECTIONS | {"abc"},
    "collections.abc": words("""Callable Iterable Iterator Sequence Mapping Generator Hashable Collection Sized
        Container MutableMapping MutableSequence Set MutableSet"""),
    "functools": words("reduce lru_cache cache cmp_to_key partial"),
    "operator": words("add sub mul truediv floordiv mod pow neg xor and_ or_ not_ lt le eq ne gt ge itemgetter index"),
    "re": words("""compile match search fullmatch sub subn split findall finditer escape IGNORECASE I MULTILINE M DOTALL
        S VERBOSE X ASCII A"""),
    "typing": words("""List Dict Tuple Set FrozenSet Optional Union Any Callable Iterable Iterator Sequence Mapping
        Generator Type Text Deque DefaultDict Counter Hashable Collection Literal MutableMapping NoReturn"""),
    "fractions": words("Fraction"),
    "statistics": words("mean median mode stdev variance pstdev pvariance median_low median_high fmean multimode")
    # since 3.12 itertools.count is a name of this module, and a list's method is called so, too
    | words("count" if sys.version_info >= (3, 12) else ""),
    "datetime": words("date datetime timedelta time"),
    "hashlib": words("md5 sha1 sha224 sha256 sha384 sha512"),
    "json": words("loads dumps JSONDecodeError"),
    "textwrap": words("wrap fill dedent indent shorten"),
    "sys": words("maxsize"),
    "__future__": words("annotations division print_function absolute_import unicode_literals"),
}
# Methods and fields of the values that those names make. No module is such a value: none can get so far.
_VALUES = words(
    """most_common elements subtract appendleft popleft extendleft rotate maxlen move_to_end popitem total
    match search fullmatch sub subn split findall finditer group groups groupdict start end span pattern
    numerator denominator limit_denominator year month day hour minute second microsecond days seconds total_seconds
    isoformat weekday isoweekday toordinal fromordinal strptime strftime date time hexdigest digest
    args close send throw"""
)
_OWNERS = (str, bytes, bytearray, int, float, complex, list, tuple, dict, set, frozenset, range, slice)
METHODS = _VALUES.union(*({name for name in dir(owner) if name[0] != "_"} for owner in _OWNERS))


def _public(module: str) -> frozenset[str]:
    return frozenset(name for name in dir(importlib.import_module(module)) if name[0] != "_")


SAFE_MODULES: dict[str, frozenset[str]] = {module: names or _public(module) for module, names in _MODULES.items()}
TYPE_WORDS = SAFE_BUILTINS | {"typing"}
"""What a type may be made of, besides what `typing` itself has."""
STRICT = frozenset(("type", "format", "format_map"))
"""Could look an attribute up, or name a method, by a text; reading.py says which uses can not."""


def operations(text: str) -> frozenset[int]:
    """Numbers of those of these instructions that this Python has."""
    return frozenset(dis.opmap[name] for name in text.split() if name in dis.opmap)


def attribute_names() -> set[str]:
    """Every name that is an attribute of any type or module loaded in this interpreter, and of every module."""
    found = set(dir(builtins))
    types_left, done = [object], set()
    while types_left:
        kind = types_left.pop()
        if kind not in done:
            done.add(kind)
            found.update(type.__dir__(kind))
            types_left.extend(type.__subclasses__(kind))
    for name, module in list(sys.modules.items()):
        found.update(name.split("."))
        found.update(getattr(module, "__dict__", ()))
    return found
