"""Signatures that others rely on: what the README shows, what a method, a command and a benchmark must have.

A change here is a change for users: say it in CHANGELOG.md.
"""

import dataclasses
import inspect

import pytest

from codepref.commands.options import builder, methods
from codepref.sandbox import Cell, Job, Limits, Matrix, Sandbox
from codepref.stages import locked_runner


def parameters(function):
    """Names of the parameters; those by keyword only have a star before them."""
    found = []
    for name, parameter in inspect.signature(function).parameters.items():
        star = "*" if parameter.kind is inspect.Parameter.KEYWORD_ONLY else ""
        found.append(star + name)
    return found


def fields(record):
    return [field.name for field in dataclasses.fields(record)]


def test_the_sandbox():
    keywords = ["*mode", "*lane", "*profile", "*python", "*preload", "*allow_unisolated", "*proc"]
    assert parameters(Sandbox) == ["limits", *keywords]
    assert parameters(Sandbox.run) == ["self", "job"]
    assert parameters(Sandbox.run_many) == ["self", "jobs"]
    assert fields(Job) == ["job_id", "codes", "tests", "entry_point"]
    assert {"job_id", "cells", "layers"} <= set(fields(Matrix))
    assert {"verdict", "mode", "cpu_s", "fingerprint", "error"} <= set(fields(Cell))
    assert {"cpu_s", "screen_s", "load_s", "wall_s", "memory_mb", "output_bytes"} <= set(fields(Limits))


def test_runs_are_locked_by_one_function():
    assert parameters(locked_runner) == ["out", "workers", "quiet", "cluster", "url"]


def test_the_methods():
    assert {"codedpo", "codeflow", "dstc"} <= set(methods())


@pytest.mark.parametrize("method", methods())
def test_a_method(method):
    module = builder(method)
    assert parameters(module.build) == ["config", "runner", "*skip_bad"]
    assert parameters(module.plan) == ["config", "*skip_bad"]
    shared = {
        "prompts",
        "seeds",
        "generation",
        "gates",
        "decontaminate",
        "benchmarks_dir",
        "seed",
        "shard_size",
        "licence",
    }
    assert shared | {"limits", "pretty_name"} <= set(fields(module.Config))
    assert module.Config() is not None, "every key has a default"


def test_the_ranking_of_an_old_run():
    assert parameters(builder("codedpo").rerank) == ["run", "name", "overrides", "out"]


def test_a_benchmark():
    from evaluation.benchmark import Benchmark
    from evaluation.catalogue import NAMES, benchmark

    assert fields(Benchmark) == [
        "name", "paper", "load", "program", "reference", "grade", "ask", "max_tokens", "environment", "threshold", "excused",
        "bare", "framed",
    ]  # fmt: skip
    for name in NAMES:
        found = benchmark(name)
        assert len(parameters(found.load)) == 1
        assert parameters(found.program) == ["problem", "text"] or parameters(found.program) == ["_", "text"]


def test_the_scores():
    from evaluation.compare import compare_runs, mcnemar
    from evaluation.score import pass_at_k, pass_at_ks, score

    assert parameters(pass_at_k) == ["n", "c", "k"]
    assert parameters(pass_at_ks) == ["counts", "ks"]
    assert parameters(score) == ["estimates"]
    assert parameters(compare_runs) == ["a", "b"]
    assert parameters(mcnemar) == ["wins", "losses"]
