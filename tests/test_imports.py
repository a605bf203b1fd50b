"""Imports run one way: builders, recipes and evaluation import the spine; never each other, never upward."""

import ast
import subprocess
import sys

import pytest

ROOMS = ("codepref", "builders", "recipes", "evaluation")
HEAVY = {"torch", "transformers", "trl", "peft", "accelerate", "bitsandbytes", "ray"}
HEAVY_ALLOWED = (
    "recipes/", "codepref/generate/local", "codepref/generate/tiny", "codepref/cluster.py", "builders/offline",
)  # fmt: skip


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


@pytest.mark.parametrize("room", ROOMS)
def test_direction(root, room):
    allowed = {room} if room == "codepref" else {room, "codepref"}
    for name, path in modules(root):
        if name.startswith(f"{room}/"):
            assert not set(imported(path)) & set(ROOMS) - allowed, name


def test_heavy_libraries_stay_where_training_is(root):
    for name, path in modules(root):
        if not name.startswith(HEAVY_ALLOWED):
            assert not set(imported(path)) & HEAVY, name


def test_the_sandbox_needs_nothing_but_the_standard_library(root):
    for path in (root / "codepref" / "sandbox").glob("*.py"):
        outside = set(imported(path)) - sys.stdlib_module_names - {"codepref"}
        # `codepref execute` shows progress with tqdm
        assert outside <= ({"tqdm"} if path.name == "command.py" else set()), path.name


@pytest.mark.parametrize("module", ["codepref.cli", "codepref.sandbox", "codepref.generate"])
def test_what_must_start_quickly_imports_nothing_heavy(module):
    heavy = HEAVY | {"datasets", "pyarrow", "openai", "pandas", "numpy", "huggingface_hub", "jinja2"}
    program = f"import sys, {module}; print(*(set(sys.modules) & {heavy!r}))"
    output = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert output.strip() == ""
