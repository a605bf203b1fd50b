"""Derives which codes and tests of the quickstart input are right, from the reference solutions and hidden checks.

    python tests/builders/quickstart_judge.py > tests/builders/quickstart_truth.json

With `--prompt` it judges one prompt, read as JSON from the standard input; that is how each prompt gets its own process.
"""

import ast
import contextlib
import copy
import io
import json
import re
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import quickstart_reference
from quickstart_checks import CHECKS

INPUT = Path(__file__).resolve().parents[2] / "builders" / "quickstart" / "generations.jsonl"
CPU_SECONDS = 1.0
"""CPU time for one code on all hidden checks, or for one test on the reference; right ones need about 0.01 s."""


class OutOfTime(BaseException):
    """Not an Exception, so that an `except Exception` in a code under test does not swallow it."""


def unfenced(text):
    """The text inside the first Markdown code fence, or the whole text where there is none."""
    match = re.search(r"^```\w*\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    return match[1] if match else text


def program(prompt, code, entry_point):
    """The whole program of a generated code, which may be fenced or a completion of its prompt."""
    code = unfenced(code)
    return code if f"def {entry_point}(" in code else prompt + code


def raises(function, *args):
    try:
        function(*args)
    except ValueError:
        return True
    return False


def unchanged(function, *args):
    before = copy.deepcopy(args)
    function(*args)
    return args == before


def close(values, expected):
    return len(values) == len(expected) and all(abs(a - b) < 1e-6 for a, b in zip(values, expected, strict=True))


@contextlib.contextmanager
def limited():
    """Raises OutOfTime in the block after CPU_SECONDS, and keeps what it prints from the standard output."""

    def stop(signum, frame):
        raise OutOfTime

    signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def code_is_right(source, checks):
    """Whether the program compiles, runs and passes every hidden check."""
    names = {"__name__": "candidate"}
    try:
        with limited():
            exec(compile(source, "candidate", "exec"), names)
            names |= {"raises": raises, "unchanged": unchanged, "close": close}
            return all(eval(check, names) for check in checks)
    except (Exception, OutOfTime):
        return False


def test_is_valid(test, entry_point):
    """Whether the test parses, calls the function under test and holds for the reference solution."""
    source = unfenced(test)
    try:
        calls = {node.id for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Name)}
        with limited():
            exec(source, {entry_point: getattr(quickstart_reference, entry_point)})
    except (Exception, OutOfTime):
        return False
    return entry_point in calls


def judge(record):
    """Truth about one line of the input: booleans for its codes and tests, by position."""
    name = record["entry_point"]
    checks = CHECKS[name].strip().splitlines()
    return {
        "codes": [code_is_right(program(record["prompt"], code, name), checks) for code in record["codes"]],
        "tests": [test_is_valid(test, name) for test in record["tests"]],
    }


def judge_apart(record):
    """`judge` in a process of its own."""
    command = [sys.executable, __file__, "--prompt"]
    done = subprocess.run(command, input=json.dumps(record), capture_output=True, text=True, check=True, timeout=60)
    return json.loads(done.stdout)


def judge_all(records, processes=2):
    """Truth about every prompt, by prompt id."""
    with ThreadPoolExecutor(processes) as pool:
        return {r["prompt_id"]: truth for r, truth in zip(records, pool.map(judge_apart, records), strict=True)}


def read_input():
    return [json.loads(line) for line in INPUT.read_text(encoding="utf-8").splitlines()]


if __name__ == "__main__":
    if sys.argv[1:] == ["--prompt"]:
        print(json.dumps(judge(json.load(sys.stdin))))
    else:
        rows = [f"{json.dumps(key)}: {json.dumps(truth)}" for key, truth in judge_all(read_input()).items()]
        print("{\n" + ",\n".join(rows) + "\n}")
