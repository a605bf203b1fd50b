"""Half a minute of the fuzzer of the transport (benchmarks/wire_fuzz.py), and proof that it would find something."""

import json
import struct
import subprocess
import sys
import time

import pytest

pytest.importorskip("numpy", reason="the fuzzer makes arrays")
SECONDS = 30


@pytest.fixture(scope="module")
def fuzzer(root):
    """The script as a module, in this process only for its parts; its audit hook would stay."""
    sys.path.insert(0, str(root / "benchmarks"))
    import wire_fuzz

    yield wire_fuzz
    sys.path.remove(str(root / "benchmarks"))


def test_half_a_minute_of_messages(root):
    seed = str(int(time.time()))
    command = [sys.executable, "benchmarks/wire_fuzz.py", "--seconds", str(SECONDS), "--seed", seed]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=20 * SECONDS)
    assert done.returncode == 0, f"seed {seed}: {done.stdout[-3000:]}{done.stderr[-3000:]}"
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["messages"] > 10_000
    assert all(found[f"{how} value"] > 100 for how in ("valid", "crafted", "damaged"))


def test_a_transport_that_looks_names_up_is_found_out(root):
    """The table with one wrong entry, an import by name: the fuzzer must not be deaf."""
    script = (
        "import sys, importlib; sys.path[:0] = ['.', 'benchmarks']; import wire_fuzz\n"
        "wire_fuzz.table.BUILD['module'] = lambda *parts: importlib.import_module(parts[0])\n"
        "wire_fuzz.NAMES[:] = ['module', 'xmlrpc', 'antigravity']\n"
        "counts, breaches = wire_fuzz.run(20000, 60, 1)\n"
        "assert counts['breaches'] and any('caused open' in line or 'made a builtins.module' in line for line in breaches), counts\n"
    )
    subprocess.run([sys.executable, "-c", script], cwd=root, check=True, timeout=300)


def test_crafted_messages_are_mostly_readable(fuzzer):
    import random

    made = [fuzzer.crafted(random.Random(seed)) for seed in range(2000)]
    world = fuzzer.wire.World
    readable = 0
    for data in made:
        try:
            fuzzer.wire.decode(data, world())
            readable += 1
        except (fuzzer.wire.Malformed, struct.error):
            continue
    assert readable > 400
