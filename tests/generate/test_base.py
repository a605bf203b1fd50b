import itertools
import subprocess
import sys
from pathlib import Path

import pytest

import codepref
from codepref.generate import Request, Stats, check_requests, sample_seed

ENV = {"PYTHONPATH": str(Path(codepref.__file__).parent.parent)}


def test_seed_is_stable_across_processes_and_hash_seeds():
    # Pinned values: a change of these makes every cached answer of every user unreachable.
    assert sample_seed(0, "p1", "code", 0) == 1844782998
    code = "from codepref.generate import sample_seed; print(sample_seed(7, 'é', 'test', 3))"
    for hash_seed in ("0", "1"):
        out = subprocess.run(
            [sys.executable, "-c", code],
            env={**ENV, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        )
        assert int(out.stdout) == sample_seed(7, "é", "test", 3)


def test_seeds_fit_31_bits_and_depend_on_every_argument():
    base = (0, "p", "code", 0, 0)
    variants = [
        (1, "p", "code", 0, 0),
        (0, "q", "code", 0, 0),
        (0, "p", "test", 0, 0),
        (0, "p", "code", 1, 0),
        (0, "p", "code", 0, 1),
    ]
    seeds = {sample_seed(*arguments) for arguments in [base, *variants]}
    assert len(seeds) == 6
    assert all(0 <= seed < 2**31 for seed in seeds)


def test_ranges_of_neighbouring_requests_do_not_overlap():
    # A server may use seed, seed + 1, ... for the choices of one request.
    seeds = sorted(
        sample_seed(0, f"prompt{i}", purpose, j) for i in range(40) for purpose in ("code", "test") for j in range(15)
    )
    neighbours = sum(b - a < 15 for a, b in itertools.pairwise(seeds))
    assert len(set(seeds)) == 1200
    assert neighbours < 40  # seed + i arithmetic would give about 1120


def test_joined_arguments_do_not_collide():
    assert sample_seed(1, "1", "code", 1) != sample_seed(11, "", "code", 1)
    assert sample_seed(0, "a", "bc", 0) != sample_seed(0, "ab", "c", 0)


def test_requests_are_checked():
    check_requests([Request("a", "code", "x"), Request("a", "test", "x"), Request("a", "code", "y")])
    with pytest.raises(ValueError, match=r"'a'.*n is 0"):
        check_requests([Request("a", "code", "x", n=0)])
    with pytest.raises(ValueError, match="'a' holds half a surrogate pair"):
        check_requests([Request("a", "code", "\ud800")])
    with pytest.raises(ValueError, match=r"'a'.*requested twice"):
        check_requests([Request("a", "code", "x"), Request("b", "code", "x"), Request("a", "code", "x", n=3)])


def test_stats_are_one_line():
    line = str(Stats(answers=1200, cached=3, empty=1, repeated=2, prompt_tokens=10, completion_tokens=2000))
    assert line == "1,200 answers, 3 completions from cache, 1 empty, 2 repeated; 10 prompt + 2,000 completion tokens"


def test_import_is_light():
    code = "import sys, codepref.generate, codepref.generate.server, codepref.generate.recorded, codepref.generate.scripted; print(*sorted(set(sys.modules) & {'openai', 'httpx', 'httpx2', 'pydantic', 'numpy', 'torch', 'transformers', 'pyarrow', 'datasets'}))"
    out = subprocess.run([sys.executable, "-c", code], env=ENV, capture_output=True, text=True, check=True)
    assert out.stdout.strip() == ""
