"""Imports run one way: the roof imports everything, everything imports the ground; imports by name are counted, too.

`codepref/cli.py` and `codepref/commands/` are the roof. The rest of `codepref/` is the ground. `builders/`, `recipes/` and
`evaluation/` import the ground, never each other and never the roof; of the builders no method imports another one.
"""

import ast
import importlib.util
import subprocess
import sys

import pytest
from structure import FUNCTIONS, all_imports, module_circles, module_files, syntax_tree, texts_of_code

from codepref.benchmarks import FAMILIES

ROOMS = ("codepref", "builders", "recipes", "evaluation")
ROOF = ("codepref.cli", "codepref.commands")
HEAVY = {"torch", "transformers", "trl", "peft", "accelerate", "bitsandbytes", "ray"}
HEAVY_ALLOWED = (
    "recipes/", "codepref/generate/local", "codepref/generate/tiny", "codepref/cluster.py", "builders/offline",
)  # fmt: skip
BY_NAME = {
    "codepref.cli._parser", "codepref.commands.options.builder", "evaluation.catalogue.benchmarks_of",
}  # fmt: skip
"""Functions that import a module by a name that is made at run time: a command, a method, a benchmark, a recipe."""


def is_roof(module):
    return module.startswith(ROOF)


def is_entry_point(module):
    """`python -m MODULE` hands over to `codepref`: nothing imports such a module."""
    return module.endswith(".__main__") or module == "evaluation.run"


def imported(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module.partition(".")[0]


def modules(root):
    return [(path.relative_to(root).as_posix(), path) for room in ROOMS for path in (root / room).rglob("*.py")]


def test_there_is_something_to_check(root):
    assert len(modules(root)) > 10
    assert len(all_imports(root)) > 100
    assert any(found.dynamic for found in all_imports(root))


def test_nothing_below_the_roof_imports_it(root):
    for found in all_imports(root):
        if not is_roof(found.importer) and is_roof(found.imported):
            assert is_entry_point(found.importer) and found.imported == "codepref.cli", found


def test_the_ground_knows_no_method_no_benchmark_and_no_recipe(root):
    for found in all_imports(root):
        if found.importer.startswith("codepref.") and not is_roof(found.importer):
            assert found.imported.startswith("codepref"), found


@pytest.mark.parametrize("room", ["builders", "recipes", "evaluation"])
def test_rooms_import_the_ground_and_not_each_other(root, room):
    for found in all_imports(root):
        if found.importer.startswith(f"{room}."):
            assert found.imported.startswith((room, "codepref")), found


def test_no_method_imports_another_one(root):
    methods = [path.parent.name for path in (root / "builders").glob("*/method.py")]
    assert len(methods) >= 3
    for found in all_imports(root):
        here, there = (name.split(".")[:2] for name in (found.importer, found.imported))
        if here[0] == there[0] == "builders" and len(there) > 1 and there[1] in methods and here[1] != "offline":
            assert here[1] == there[1], found


def named_elsewhere(root, names, at_home):
    """(module, text) of every text of code that is one of the names, outside the modules where it is at home."""
    found = set()
    for module, path in module_files(root).items():
        for text, _ in texts_of_code(syntax_tree(path)):
            if text in names and not at_home(module, text):
                found.add((module, text))
    return found


def test_a_method_is_named_in_its_own_folder_alone(root):
    """So that a further one is a folder with configurations and tests; the quickstart shows three of them by name."""
    methods = {path.parent.name for path in (root / "builders").glob("*/method.py")}

    def at_home(module, text):
        return module.startswith((f"builders.{text}.", "codepref.commands.quickstart."))

    assert named_elsewhere(root, methods, at_home) == set()


def test_a_benchmark_is_named_in_its_own_file_and_its_row_alone(root):
    """So that a further one is a file and a row. `tiny` is a backend and a command besides."""
    keys = {}
    for family in FAMILIES:
        if family.key != "tiny":
            keys |= {variant.name: family.key for variant in family.variants}

    def at_home(module, text):
        return module in ("codepref.benchmarks", f"evaluation.{keys[text]}")

    assert named_elsewhere(root, keys, at_home) == set()


@pytest.mark.parametrize("folder", ["benchmarks", "recipes"])
def test_what_scripts_take_from_us_is_there(root, folder):
    """Scripts are not all run by tests: a name that moved would be missed by whoever runs them next."""
    missing = []
    for path in sorted((root / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            ours = isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in ROOMS
            for alias in node.names if ours else ():
                module = importlib.import_module(node.module)
                if not hasattr(module, alias.name) and not importlib.util.find_spec(f"{node.module}.{alias.name}"):
                    missing.append((path.name, node.module, alias.name))
    assert not missing


def test_no_circles(root):
    assert module_circles(all_imports(root)) == ()


def test_modules_are_imported_by_a_made_up_name_in_few_functions_only(root):
    found = set()
    for name, path in module_files(root).items():
        for function in ast.walk(syntax_tree(path)):
            calls = ast.walk(function) if isinstance(function, FUNCTIONS) else ()
            if any(isinstance(node, ast.Attribute) and node.attr == "import_module" for node in calls):
                found.add(f"{name}.{function.name}")
    assert {name for name in found if not name.startswith("codepref.sandbox")} == BY_NAME


def test_heavy_libraries_stay_where_training_is(root):
    for name, path in modules(root):
        if not name.startswith(HEAVY_ALLOWED):
            assert not set(imported(path)) & HEAVY, name


def test_the_sandbox_needs_nothing_but_the_standard_library(root):
    files = sorted((root / "codepref" / "sandbox").glob("*.py"))
    beside = {path.stem for path in files}  # isolation.py runs as a script, from the folder it lies in
    for path in files:
        outside = set(imported(path)) - sys.stdlib_module_names - {"codepref"} - beside
        assert not outside, path.name


@pytest.mark.parametrize("module", ["codepref.cli", "codepref.sandbox", "codepref.generate"])
def test_what_must_start_quickly_imports_nothing_heavy(module):
    heavy = HEAVY | {"datasets", "pyarrow", "openai", "pandas", "numpy", "huggingface_hub", "jinja2"}
    program = f"import sys, {module}; print(*(set(sys.modules) & {heavy!r}))"
    output = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert output.strip() == ""
