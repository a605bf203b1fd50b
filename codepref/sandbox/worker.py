"""The worker: a sandboxed fork server that runs candidates. One stand-alone file for any CPython >= 3.8.

It is started by isolation.py as PID 1 of its namespaces with requests on descriptor 10 and answers on 11. It imports the
libraries it is told to, locks itself down (rlimits, no new privileges, not dumpable, seccomp) and then only forks,
watches and copies bytes: untrusted text is compiled and run in forked children alone. A child reports through one
shared page range, without a system call, so whatever it finished survives its death.

A child never holds an expected value. It is given programs and the calls to make, and returns plain data (`encode`).

Messages: 4 bytes of length, then marshal version 2. First message: a `dict` of settings. Every further request is a
list of units `(payload, load_s, cpu_s, wall_s, cells, group)`; the answer to each is a header `ANSWER` and the child's
records. When a unit of a group was killed, the later ones of that group in the request get a fifth of the time.
"""

from __future__ import annotations

import builtins
import ctypes
import dis
import gc
import importlib
import marshal
import mmap
import os
import random
import resource
import select
import signal
import struct
import sys
import time
import types
from typing import Any, Callable, Iterable, Iterator  # noqa: UP035 - Python 3.8

REQUESTS, ANSWERS = 10, 11
HEAD = struct.Struct("<Q")  # bytes used
RECORD = struct.Struct("<IIBBIf")  # program, test, slot, status, bytes of data, CPU seconds since the previous record
ANSWER = struct.Struct("<iBdI")  # wait status, why it was killed, CPU seconds, bytes of records
VALUE, RAISED, OPAQUE, UNCOMPILED, IMPURE, TOO_LARGE, NO_MEMORY, LOADED, DONE, NO_TEST = range(10)
ENDED, CPU_LIMIT, WALL_LIMIT, LOAD_LIMIT = range(4)
FRESH, SHARED = 0, 1  # how a unit runs: alone, or with other programs that were proven harmless
TICK_S = 0.01
HUNG_SHARE = 5
MODULE = "solution"  # name of the candidate's module

# ---------------------------------------------------------------------------------------------- values as plain data

SCALARS = frozenset((type(None), bool, int, float, complex, str, bytes))
PLAIN_BASES = (bool, int, float, complex, str, bytes)
COPY_BASE = {
    bool: bool, int: int.__pos__, float: float.__pos__, complex: complex.__pos__, str: str.__str__,
    bytes: lambda value: bytes.__getitem__(value, slice(None)),
}  # fmt: skip
# Standard types that the judge can rebuild from plain data: name -> constructor arguments.
REBUILT = {
    ("decimal", "Decimal"): lambda v: (str(v),), ("fractions", "Fraction"): lambda v: (v.numerator, v.denominator),
    ("builtins", "range"): lambda v: (v.start, v.stop, v.step), ("builtins", "bytearray"): lambda v: (bytes(v),),
    ("datetime", "date"): lambda v: (v.year, v.month, v.day),
    ("datetime", "timedelta"): lambda v: (v.days, v.seconds, v.microseconds),
    ("datetime", "time"): lambda v: (v.hour, v.minute, v.second, v.microsecond),
    ("datetime", "datetime"): lambda v: (v.year, v.month, v.day, v.hour, v.minute, v.second, v.microsecond),
    ("collections", "deque"): lambda v: (list(v),),
}  # fmt: skip
MAX_DEPTH, MAX_NODES = 200, 200_000
BUILTIN_FUNCTIONS = (types.BuiltinFunctionType, types.FunctionType, type)


class NotPlain(Exception):
    """The value is not plain data."""


def is_exact(value: Any) -> bool:
    """True if `value` is made of exact builtin types only, which marshal writes faithfully and without any call."""
    todo, seen = [value], 0
    while todo:
        item = todo.pop()
        kind = type(item)
        if kind in SCALARS:
            continue
        seen += 1
        if seen > MAX_NODES:
            return False
        if kind is dict:
            todo.extend(item.keys())
            todo.extend(item.values())
        elif kind in (list, tuple, set, frozenset):
            todo.extend(item)
        else:
            return False
    return True


def plain(value: Any, depth: int = 0) -> Any:
    """Plain-data image: subclasses become their builtin base, known types `(..., module, name, arguments)`.

    Only methods of the builtin bases are called, never a candidate's.
    """
    kind = type(value)
    if kind in SCALARS:
        return value
    if depth > MAX_DEPTH:
        raise NotPlain
    if kind.__module__ == "numpy" and kind is getattr(sys.modules.get("numpy"), kind.__name__, None):
        return numpy_image(value, depth)
    for base in PLAIN_BASES:
        if isinstance_exactly(kind, base):
            return COPY_BASE[base](value)
    for sequence in (list, tuple):
        if isinstance_exactly(kind, sequence):
            return sequence(plain(item, depth + 1) for item in sequence.__getitem__(value, slice(None)))  # type: ignore[attr-defined]
    for collection in (set, frozenset):
        if isinstance_exactly(kind, collection):
            return collection(plain(item, depth + 1) for item in set.__or__(set(), value))
    if isinstance_exactly(kind, dict):
        return {plain(key, depth + 1): plain(item, depth + 1) for key, item in dict.items(value)}
    return reference(value, kind, depth)


def isinstance_exactly(kind: type, base: type) -> bool:
    """Like issubclass, but reads the real inheritance, which no metaclass can change."""
    return base in type.__dict__["__mro__"].__get__(kind)


def numpy_image(value: Any, depth: int) -> Any:
    """Scalars become Python numbers; arrays keep their element type and shape."""
    if value.ndim == 0 and not hasattr(value, "__array_finalize__"):
        return plain(value.item(), depth + 1)
    return (Ellipsis, "numpy", "array", (plain(value.tolist(), depth + 1), str(value.dtype)))


def reference(value: Any, kind: type, depth: int) -> Any:
    """Image of a module, type or function of the standard library, or of a value of a type in `REBUILT`."""
    if kind is types.ModuleType and sys.modules.get(value.__name__) is value:
        return (Ellipsis, "", value.__name__, ())
    name = (kind.__module__, kind.__name__)
    arguments = REBUILT.get(name)
    if arguments is not None and getattr(sys.modules[name[0]], name[1]) is kind:
        if name[0] == "datetime" and getattr(value, "tzinfo", None) is not None:
            raise NotPlain
        return (Ellipsis, *name, plain(arguments(value), depth + 1))
    if kind in BUILTIN_FUNCTIONS:
        name = (value.__module__, value.__name__)
        if name[0] != MODULE and getattr(sys.modules.get(name[0]), name[1], None) is value:
            return (Ellipsis, *name, None)
    raise NotPlain


def encode(value: Any, shared: bool) -> bytes:
    """Bytes of the value; raises NotPlain. `shared` programs can not make the buffers that marshal takes for bytes."""
    try:
        if shared or is_exact(value):
            return marshal.dumps(value, 2)
    except ValueError:
        pass
    try:
        return marshal.dumps(plain(value), 2)
    except (MemoryError, NotPlain):
        raise
    except Exception:
        raise NotPlain from None


def truth(value: Any) -> bytes:
    """What `if value` would see, for tests that ask a value that is not plain data for nothing else."""
    try:
        return b"T" if value else b"F"
    except Exception:
        return b"E"


def describe(error: BaseException) -> bytes:
    """Type and message, without running anything a candidate may have overridden."""
    kind = type(error)
    name = str.__str__(type.__dict__["__name__"].__get__(kind))
    arguments = BaseException.__dict__["args"].__get__(error)
    first = arguments[0] if arguments else ""
    text = first if type(first) is str else ""
    return f"{name}: {text[:200]}".encode("utf-8", "replace")


# -------------------------------------------------------------------------------------------------------- batching


def words(text: str) -> frozenset[str]:
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
    for name in """STORE_ATTR DELETE_ATTR LOAD_BUILD_CLASS MATCH_CLASS GET_AWAITABLE GET_AITER GET_ANEXT
    BEFORE_ASYNC_WITH SETUP_ANNOTATIONS PRINT_EXPR INTERPRETER_EXIT""".split()
    if name in dis.opmap
)
IMPORT, EXTENDED = dis.opmap["IMPORT_NAME"], dis.opmap["EXTENDED_ARG"]
GLOBAL_OPS = frozenset(("LOAD_NAME", "STORE_NAME", "LOAD_GLOBAL", "STORE_GLOBAL", "LOAD_FROM_DICT_OR_GLOBALS"))


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


def is_own_global(module: types.CodeType, name: str) -> bool:
    """True if the program itself binds this global name and uses it as nothing else."""
    bound = False
    for code in code_objects(module):
        if name in code.co_names:
            for step in dis.get_instructions(code):
                if step.argval == name and step.opcode in dis.hasname:
                    if step.opname not in GLOBAL_OPS:
                        return False
                    bound |= code is module and step.opname == "STORE_NAME"
    return bound and name not in dir(builtins)


def is_harmless(module: types.CodeType, risky: frozenset[str]) -> bool:
    """True if two runs of this program in one process can not influence each other or anything else.

    It writes no attribute, makes no class, imports only audited modules and uses no attribute that could reach an
    object which outlives its namespace. A criterion for batching, not the security boundary: that is the kernel's.
    """
    for code in code_objects(module):
        operations = set(code.co_code[::2])
        if operations & RISKY_OPS:
            return False
        for name in code.co_names:
            if name[:1] == "_" and name.strip("_") and name != "__name__":
                return False
            if name in risky and not is_own_global(module, name):
                return False
        if IMPORT in operations and any(name not in SAFE_MODULES for name in imports(code)):
            return False
    return True


# ---------------------------------------------------------------------------------------------- the candidate's child


class Report:
    """Writes records to the shared pages, readable for the parent the moment they are complete."""

    def __init__(self, size: int, output_bytes: int) -> None:
        self.pages = mmap.mmap(-1, size)
        self.limit = size - 4096
        self.output_bytes = output_bytes
        self.clear()

    def clear(self) -> None:
        """Forgets every record."""
        self.offset, self.where, self.room = HEAD.size, (0, 0), self.output_bytes
        self.clock = 0.0
        HEAD.pack_into(self.pages, 0, HEAD.size)

    def used(self) -> int:
        """Bytes written; the child may have scribbled anything here."""
        return min(max(HEAD.unpack_from(self.pages)[0], HEAD.size), self.limit)

    def put(self, program: int, test: int, slot: int, status: int, data: bytes = b"") -> None:
        """Appends one record. The child ends when the pages are full; the driver asks again for the rest."""
        now = time.process_time()
        start, size = self.offset, len(data)
        if start + RECORD.size + size > self.limit:
            os._exit(0)
        RECORD.pack_into(self.pages, start, program, test, slot, status, size, now - self.clock)
        start += RECORD.size
        if size:
            self.pages[start : start + size] = data
        self.offset = start + size
        self.clock = now
        HEAD.pack_into(self.pages, 0, self.offset)


class Sink:
    """Standard output and error of a candidate: counted, then dropped; ends the child at the output limit."""

    encoding, errors, newlines, closed, mode, name = "utf-8", "strict", None, False, "w", "<stdout>"

    def __init__(self, report: Report) -> None:
        self._report = report

    @property
    def buffer(self) -> Sink:
        """The binary layer, which counts the same way."""
        return self

    def write(self, text: Any) -> int:
        """Accepts anything with a length."""
        report, size = self._report, len(text)
        report.room -= size
        if report.room < 0:
            report.put(*report.where, 0, TOO_LARGE)
            os._exit(0)
        return size

    def writelines(self, lines: Iterable[Any]) -> None:
        """As of a text file."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Nothing to flush."""

    def isatty(self) -> bool:
        """Never a terminal."""
        return False

    def writable(self) -> bool:
        """Always."""
        return True

    readable = seekable = isatty

    def fileno(self) -> int:
        """Descriptor 1 is /dev/null."""
        return 1


def compiled(source: str | bytes) -> types.CodeType | None:
    """Code object of a program (text, or marshalled by another child), or None."""
    try:
        if type(source) is bytes:
            return marshal.loads(source)  # type: ignore[no-any-return]
        return compile(source, "<solution>", "exec", dont_inherit=True)
    except (MemoryError, SystemExit):
        raise
    except BaseException:
        return None


def load(module: types.CodeType) -> None:
    """Imports what the program will import, so that the cost of loading a library is not charged to a test."""
    for code in code_objects(module):
        for name in imports(code):
            if name not in sys.modules:
                try:
                    __import__(name)
                except BaseException:  # noqa: S110 - the program will meet the same error itself
                    pass


def run_test(report: Report, place: tuple[int, int], module: types.CodeType, test: Any, shared: bool) -> None:
    """One cell: the module in a fresh namespace, then each expression of the test; one record each."""
    program, index = report.where = place
    report.room = report.output_bytes
    namespace: dict[str, Any] = {"__name__": MODULE, "__builtins__": builtins}
    if not shared:  # dataclasses, enum and pickle look their module up by name
        sys.modules[MODULE] = home = types.ModuleType(MODULE)
        namespace = home.__dict__
        namespace["__builtins__"] = builtins
    slot = 0
    try:
        exec(module, namespace)  # noqa: S102 - what the sandbox is for
        for slot, expression in enumerate(test):
            value = eval(expression, namespace)
            try:
                data, status = encode(value, shared), VALUE
            except NotPlain:
                data, status = truth(value) + type.__dict__["__name__"].__get__(type(value)).encode(), OPAQUE
            if len(data) > report.output_bytes:
                data, status = b"", TOO_LARGE
            report.put(program, index, slot, status, data)
    except MemoryError:
        report.put(program, index, slot, NO_MEMORY)
    except BaseException as error:
        report.put(program, index, slot, RAISED, describe(error))
    value = None
    if shared:
        namespace.clear()  # breaks the cycle between the functions and their globals


def expressions(test: tuple[str, list[str]]) -> list[types.CodeType] | None:
    """Compiles a test: `("eval", [expression, ...])` or `("exec", [statements])`."""
    mode, sources = test
    try:
        return [compile(source, "<test>", mode, dont_inherit=True) for source in sources]
    except (SyntaxError, ValueError, RecursionError):
        return None


def run(report: Report, payload: bytes, risky: frozenset[str]) -> None:
    """Body of a child. Payload: `(how, jobs)`; job: `(tests, programs)`; program: `(number, source, todo)`."""
    how, jobs = marshal.loads(payload)
    report.clock = time.process_time()
    for sources, programs in jobs:
        tests = [expressions(test) for test in sources]
        for number, source, todo in programs:
            report.where, report.room = (number, todo[0]), report.output_bytes
            module = compiled(source)
            if module is None:
                report.put(number, 0, 0, UNCOMPILED)
                continue
            if how == SHARED and not is_harmless(module, risky):
                report.put(number, 0, 0, IMPURE, marshal.dumps(module))
                continue
            if how == FRESH:
                load(module)
            report.put(number, 0, 0, LOADED)
            for index in todo:
                test = tests[index]
                if test is None:
                    report.put(number, index, 0, NO_TEST)
                else:
                    run_test(report, (number, index), module, test, how == SHARED)
            report.put(number, 0, 0, DONE)


# ------------------------------------------------------------------------------------------------------- lock-down


def address_space() -> int:
    """Bytes of address space in use, found by asking for one more page under ever smaller limits."""
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    low, high = 0, 1 << 42
    while high - low > 1 << 20:
        middle = (low + high) // 2
        resource.setrlimit(resource.RLIMIT_AS, (middle, hard))
        try:
            mmap.mmap(-1, 1 << 16).close()
            high = middle
        except (OSError, MemoryError):
            low = middle
    resource.setrlimit(resource.RLIMIT_AS, (hard, hard))
    return high


def limit(name: str, value: int) -> None:
    """Sets a resource limit where the system has it and it is not lower already."""
    number = getattr(resource, "RLIMIT_" + name, None)
    if number is not None:
        hard = resource.getrlimit(number)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(number, (value, value))


def limit_processes(extra: int) -> bool:
    """Allows exactly one child (and `extra`). False where the limit does not bind, as for uid 0."""
    hard = resource.getrlimit(resource.RLIMIT_NPROC)[1]
    for count in range(1, 64):
        resource.setrlimit(resource.RLIMIT_NPROC, (count, hard))
        try:
            child = os.fork()
        except BlockingIOError:
            continue
        if child == 0:
            os._exit(0)
        os.waitpid(child, 0)
        if count == 1:
            break
        resource.setrlimit(resource.RLIMIT_NPROC, (count + extra, count + extra))
        return True
    resource.setrlimit(resource.RLIMIT_NPROC, (hard, hard))
    return False


def install_filter(program: bytes) -> bool:
    """Installs a seccomp filter for this process and its children."""
    if not program:
        return False
    code = ctypes.create_string_buffer(program, len(program))
    head = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(code))
    return ctypes.CDLL(None).prctl(22, 2, head, 0, 0) == 0


def lock_down(settings: dict[str, Any]) -> list[str]:
    """Applies everything that is inherited by children. Returns the layers in force."""
    library = settings["library"]
    layers = ["rlimits"]
    limit("CORE", 0)
    limit("MEMLOCK", 0)
    limit("MSGQUEUE", 0)
    limit("FSIZE", settings["scratch_mb"] << 20 if library else 0)
    limit("NOFILE", 256 if library else 64)
    if sys.platform != "linux":
        limit("AS", settings["memory_mb"] << 20)
        return layers
    limit("AS", address_space() + (settings["memory_mb"] << 20))
    if limit_processes(64 if library else 0):
        layers.append("process-limit")
    libc = ctypes.CDLL(None)
    if libc.prctl(38, 1, 0, 0, 0) == 0:
        layers.append("no-new-privs")
    libc.prctl(4, 0, 0, 0, 0)  # not dumpable: no ptrace, no core
    if install_filter(settings["filter"]):
        layers.append("seccomp")
    return layers


# ---------------------------------------------------------------------------------------------------------- serving

Handler = Callable[[Report, bytes], None]


def read(size: int) -> bytes:
    """Exactly `size` bytes of the request pipe; ends the process when the driver is gone."""
    parts = []
    while size:
        part = os.read(REQUESTS, min(size, 1 << 20))
        if not part:
            os._exit(0)
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def message() -> Any:
    """One request."""
    return marshal.loads(read(struct.unpack("<I", read(4))[0]))


def write(data: bytes) -> None:
    """All of `data` to the answer pipe."""
    view = memoryview(data)
    while view:
        view = view[os.write(ANSWERS, view) :]


def cpu_clock(pid: int) -> Callable[[], float]:
    """Reader of a process' CPU clock; constant zero on systems without one, where the wall limit stays."""
    if sys.platform != "linux":
        return lambda: 0.0
    clock = (~pid << 3) | 2
    return lambda: time.clock_gettime(clock)


class Fork:
    """One forked child under limits."""

    def __init__(self, report: Report, hung_up: Callable[[], bool]) -> None:
        self.report, self.hung_up = report, hung_up

    def watch(self, pid: int, load_s: float, cpu_s: float, wall_s: float, cells: int) -> tuple[int, int, float]:
        """Waits for the child or kills it. Limits are per record; `cells` bounds how often a record may renew them."""
        clock, now = cpu_clock(pid), time.monotonic
        used, since_cpu, since, renewals = HEAD.size, 0.0, now(), 0
        while True:
            if sys.platform == "linux":
                signal.sigtimedwait([signal.SIGCHLD], TICK_S)
            else:
                time.sleep(TICK_S)
            done, status, usage = os.wait4(pid, os.WNOHANG)
            if done:
                return status, ENDED, usage.ru_utime + usage.ru_stime
            if self.hung_up():
                os.kill(pid, signal.SIGKILL)
                os._exit(0)
            cpu, fresh = clock(), self.report.used()
            if fresh != used and renewals < cells:
                used, since_cpu, since, renewals = fresh, cpu, now(), renewals + 1
                continue
            loading = used == HEAD.size
            why = WALL_LIMIT if now() - since > wall_s else ENDED
            if cpu - since_cpu > (load_s if loading else cpu_s):
                why = LOAD_LIMIT if loading else CPU_LIMIT
            if why != ENDED:
                os.kill(pid, signal.SIGKILL)
                _, status, usage = os.wait4(pid, 0)
                return status, why, usage.ru_utime + usage.ru_stime


def sweep(folders: list[str]) -> None:
    """Library profile: ends every process a candidate left in this PID namespace and empties the writable folders."""
    import shutil

    if os.getpid() == 1:
        try:
            os.kill(-1, signal.SIGKILL)
        except ProcessLookupError:
            pass
        try:
            while True:
                os.wait4(-1, 0)
        except ChildProcessError:
            pass
    for folder in folders:
        for entry in os.scandir(folder):
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path, ignore_errors=True)
            else:
                os.unlink(entry.path)


def become_child(settings: dict[str, Any]) -> None:
    """What is not inherited, or must not be."""
    os.close(REQUESTS)
    os.close(ANSWERS)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGCHLD])
    if settings["lonely"]:  # no PID namespace, so nothing else ends this process with its parent
        ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)
        install_filter(settings["lonely_filter"])


def serve(report: Report, handler: Handler, settings: dict[str, Any]) -> None:
    """Answers requests until the driver closes the pipe."""
    poll = select.poll()
    poll.register(REQUESTS, 0)
    fork = Fork(report, lambda: bool(poll.poll(0)))
    while True:
        hung: dict[int, int] = {}
        for payload, load_s, cpu_s, wall_s, cells, group in message():
            share = hung.get(group, 1)
            report.clear()
            pid = os.fork()
            if pid == 0:
                try:
                    become_child(settings)
                    handler(report, payload)
                finally:
                    os._exit(0)
            status, why, cpu = fork.watch(pid, load_s / share, cpu_s / share, wall_s / share, cells)
            if why != ENDED:
                hung[group] = HUNG_SHARE
            if settings["library"]:
                sweep(settings["writable"])
            used = report.used()
            write(ANSWER.pack(status, why, cpu, used - HEAD.size) + report.pages[HEAD.size : used])


def preload(names: Iterable[str]) -> None:
    """Imports libraries once, for all children. One that is missing or broken is left to the candidate to find out."""
    for name in names:
        try:
            importlib.import_module(name)
        except Exception:  # noqa: S112
            continue


def main(make_handler: Callable[[], Handler]) -> None:
    """Reads the settings, imports, locks down, says which layers are in force, serves."""
    settings = message()
    namespaces = [layer for layer in sys.argv[-1].split(",") if layer]
    sys.path[:], sys.argv[:] = settings["path"], [""]
    preload((*PRELOADED, *settings["preload"]))
    report = Report(settings["pages"], settings["output_bytes"])
    handler = make_handler()
    random.seed(0)  # children inherit one state, so that an unseeded program behaves the same in every run
    if "numpy" in settings["preload"] and "numpy" in sys.modules:
        sys.modules["numpy"].random.seed(0)  # type: ignore[attr-defined]
    if sys.platform == "linux":
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])
    layers = namespaces + lock_down(settings)
    sys.stdout = sys.__stdout__ = sys.stderr = sys.__stderr__ = Sink(report)  # type: ignore[assignment, misc]
    gc.collect()
    gc.freeze()
    ready = marshal.dumps(layers, 2)
    write(struct.pack("<I", len(ready)) + ready)
    serve(report, handler, settings)


def candidate_handler() -> Handler:
    """Handler of the candidates' worker."""
    risky = risky_names()
    return lambda report, payload: run(report, payload, risky)


if __name__ == "__main__":
    sys.modules["__main__"] = types.ModuleType("__main__")
    main(candidate_handler)
