"""The shape of the tree in figures: who imports whom, which names stand twice, how dense the lines are.

    python tests/structure.py            the tables
    python tests/structure.py --names    besides: every public name that two or more modules define

A room is a file or folder directly inside a package. An arrow runs from a room to another one that it imports. A floor is
a step of the longest way down along arrows. A circle is a set of rooms that reach each other. Dynamic imports count:
a text of code that names a module of ours, or begins such a name, is an arrow like any other.
"""

import argparse
import ast
import collections
import dataclasses
import functools
import statistics
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("codepref", "builders", "evaluation", "recipes")
MOST_PARAMETERS = 6
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclasses.dataclass(frozen=True)
class Import:
    """One import: from which module, of which, and whether it is written as text (dynamic)."""

    importer: str
    imported: str
    dynamic: bool
    line: int


@dataclasses.dataclass(frozen=True)
class Shape:
    """The import graph of one package."""

    rooms: int
    floors: int
    arrows: int
    circles: tuple[tuple[str, ...], ...]


def module_files(root: Path = ROOT) -> dict[str, Path]:
    """Dotted name -> file, of every module of the four packages."""
    found = {}
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            parts = path.relative_to(root).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


@functools.cache
def syntax_tree(path: Path) -> ast.Module:
    """The parsed file."""
    return ast.parse(path.read_text())


def imports_of(name: str, path: Path, modules: frozenset[str]) -> Iterator[Import]:
    """Every import of our own modules in one file, the deepest module that is meant, dynamic ones included."""
    tree = syntax_tree(path)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name in modules:
                    yield Import(name, alias.name, False, node.lineno)
        elif isinstance(node, ast.ImportFrom) and node.module in modules:
            for alias in node.names:
                deeper = f"{node.module}.{alias.name}"
                yield Import(name, deeper if deeper in modules else node.module, False, node.lineno)
    for text, line in texts_of_code(tree):
        target = _named_module(text, modules)
        if target:
            yield Import(name, target, True, line)


def texts_of_code(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Every constant text that is no docstring, and does not follow `-m`: a process that is started is no import."""
    passed_over = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, (ast.List, ast.Tuple)):
            for before, item in zip(node.elts, node.elts[1:], strict=False):
                if isinstance(before, ast.Constant) and before.value == "-m":
                    passed_over.add(id(item))
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in passed_over:
            yield node.value, node.lineno


def _named_module(text: str, modules: frozenset[str]) -> str | None:
    """The module a text names: all of it (`builders.chain.ranking`), or its begin (`builders.`, of an f-string)."""
    if "." not in text:
        return None
    if text in modules:
        return text
    if text.endswith(".") and text[:-1] in modules:
        return text[:-1]
    return None


def all_imports(root: Path = ROOT) -> list[Import]:
    """Every import between modules of ours."""
    files = module_files(root)
    modules = frozenset(files)
    return [found for name, path in files.items() for found in imports_of(name, path, modules)]


def room_of(module: str) -> str:
    """The room a module lies in: the second part of its name; a package's own file is the room `__init__`."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def package_arrows(package: str, imports: list[Import]) -> dict[str, set[str]]:
    """Room -> rooms of the same package that it imports."""
    arrows: dict[str, set[str]] = collections.defaultdict(set)
    for found in imports:
        inside = found.importer.split(".")[0] == package == found.imported.split(".")[0]
        here, there = room_of(found.importer), room_of(found.imported)
        if inside and here != there and "__init__" not in (here, there):
            arrows[here].add(there)
    return arrows


def circles(arrows: dict[str, set[str]]) -> tuple[tuple[str, ...], ...]:
    """Sets of nodes that reach each other, of two or more."""
    nodes = set(arrows) | {end for ends in arrows.values() for end in ends}
    reached = {node: _reachable(node, arrows) for node in nodes}
    groups = set()
    for node in nodes:
        group = {other for other in reached[node] if node in reached[other]} | {node}
        if len(group) > 1:
            groups.add(tuple(sorted(group)))
    return tuple(sorted(groups))


def _reachable(start: str, arrows: dict[str, set[str]]) -> set[str]:
    seen: set[str] = set()
    ahead = list(arrows.get(start, ()))
    while ahead:
        node = ahead.pop()
        if node not in seen:
            seen.add(node)
            ahead.extend(arrows.get(node, ()))
    return seen


def floors(rooms: set[str], arrows: dict[str, set[str]]) -> int:
    """Rooms on the longest way down; of a circle every room is counted once."""

    def depth(room: str, above: tuple[str, ...]) -> int:
        below = arrows.get(room, set()) - set(above)
        return 1 + max((depth(other, (*above, room)) for other in below), default=0)

    return max((depth(room, ()) for room in rooms), default=0)


def shape(package: str, imports: list[Import], modules: dict[str, Path]) -> Shape:
    """Rooms, floors, arrows and circles of one package."""
    rooms = {room_of(name) for name in modules if name.split(".")[0] == package} - {"__init__"}
    arrows = package_arrows(package, imports)
    count = sum(len(ends) for ends in arrows.values())
    return Shape(len(rooms), floors(rooms, arrows), count, circles(arrows))


def module_circles(imports: list[Import]) -> tuple[tuple[str, ...], ...]:
    """Circles between single modules, all packages together."""
    arrows: dict[str, set[str]] = collections.defaultdict(set)
    for found in imports:
        if found.importer != found.imported and not found.dynamic:
            arrows[found.importer].add(found.imported)
    return circles(arrows)


def package_pairs(imports: list[Import]) -> dict[tuple[str, str], list[Import]]:
    """(package, other package) -> the imports that cross."""
    crossing: dict[tuple[str, str], list[Import]] = collections.defaultdict(list)
    for found in imports:
        here, there = found.importer.split(".")[0], found.imported.split(".")[0]
        if here != there:
            crossing[here, there].append(found)
    return crossing


def public_names(tree: ast.Module) -> set[str]:
    """Functions, classes and type names that a module defines for others."""
    found = set()
    for node in tree.body:
        if isinstance(node, (*FUNCTIONS, ast.ClassDef)):
            found.add(node.name)
    return {name for name in found if not name.startswith("_")}


def homonyms(modules: dict[str, Path]) -> dict[str, list[str]]:
    """Public name -> the modules that define it, where those are two or more."""
    owners: dict[str, list[str]] = collections.defaultdict(list)
    for name, path in modules.items():
        for public in public_names(syntax_tree(path)):
            owners[public].append(name)
    return {public: sorted(names) for public, names in sorted(owners.items()) if len(names) > 1}


def nested_comprehensions(tree: ast.AST) -> int:
    """Comprehensions that stand inside another one."""
    inner = set()
    for outer in ast.walk(tree):
        if isinstance(outer, COMPREHENSIONS):
            inner |= {id(node) for node in ast.walk(outer) if isinstance(node, COMPREHENSIONS) and node is not outer}
    return len(inner)


def code_lines(path: Path) -> int:
    """Lines that hold more than white space or a comment."""
    lines = (line.strip() for line in path.read_text().splitlines())
    return sum(bool(line) and not line.startswith("#") for line in lines)


def parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Parameters of a function, without self and cls."""
    names = [item.arg for item in (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)]
    return len([name for name in names if name not in ("self", "cls")])


def crowded_functions(modules: dict[str, Path]) -> list[str]:
    """`module.function (count)` of every function with more than six parameters."""
    found = []
    for name, path in modules.items():
        for node in ast.walk(syntax_tree(path)):
            if isinstance(node, FUNCTIONS) and parameters(node) > MOST_PARAMETERS:
                found.append(f"{name}.{node.name} ({parameters(node)})")
    return found


def function_lengths(modules: dict[str, Path]) -> list[int]:
    """Lines of every function, shortest first."""
    lengths = []
    for path in modules.values():
        for node in ast.walk(syntax_tree(path)):
            if isinstance(node, FUNCTIONS):
                lengths.append((node.end_lineno or node.lineno) - node.lineno + 1)
    return sorted(lengths)


def report(show_names: bool) -> str:
    """The tables, in Markdown."""
    modules, imports = module_files(), all_imports()
    lines = ["| package | files | rooms | floors | arrows | circles |", "|---|---|---|---|---|---|"]
    for package in PACKAGES[:3]:
        files = sum(name.split(".")[0] == package for name in modules)
        found = shape(package, imports, modules)
        rings = "; ".join(" <-> ".join(ring) for ring in found.circles) or "0"
        lines.append(f"| {package} | {files} | {found.rooms} | {found.floors} | {found.arrows} | {rings} |")
    lines += ["", f"circles of single modules: {'; '.join(map(' <-> '.join, module_circles(imports))) or 0}"]
    crossing = package_pairs(imports)
    for (here, there), between in sorted(crossing.items()):
        dynamic = [found for found in between if found.dynamic]
        lines.append(f"{here} -> {there}: {len(between)} imports, {len(dynamic)} of them dynamic")
        if here == "codepref":
            lines += [f"    {found.importer}, line {found.line}: {found.imported}" for found in between]
    twice = homonyms(modules)
    lines += ["", f"public names defined in two or more modules: {len(twice)}"]
    if show_names:
        lines += [f"    {name} ({len(owners)}): {', '.join(owners)}" for name, owners in twice.items()]
    lines += ["", "| package | code lines | nested comprehensions | per 100 lines |", "|---|---|---|---|"]
    for package in PACKAGES:
        inside = [path for name, path in modules.items() if name.split(".")[0] == package]
        count = sum(nested_comprehensions(syntax_tree(path)) for path in inside)
        total = sum(code_lines(path) for path in inside)
        lines.append(f"| {package} | {total:,} | {count} | {100 * count / total:.2f} |")
    crowded = crowded_functions(modules)
    lines += ["", f"functions with more than {MOST_PARAMETERS} parameters: {len(crowded)}"]
    lines += [f"    {name}" for name in crowded]
    lengths = function_lengths(modules)
    sizes = sorted(len(path.read_text().splitlines()) for path in modules.values())
    lines += [
        "",
        f"functions: {len(lengths):,}, lines median {statistics.median(lengths):.0f}, "
        f"90th percentile {lengths[len(lengths) * 9 // 10]}, longest {lengths[-1]}",
        f"files: {len(sizes)}, lines median {statistics.median(sizes):.0f}, longest {sizes[-1]}",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--names", action="store_true", help="list the names that stand twice")
    print(report(parser.parse_args().names))
