"""What came back from a worker, whatever the bytes are: nothing raises, and no cell is touched by another one's."""

import math
import os
import signal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codepref.sandbox import Job, Limits, Sandbox, trial, worker
from codepref.sandbox.calls import Calls, _read, pack
from codepref.sandbox.plan import Plan
from codepref.sandbox.process import Answer
from codepref.sandbox.verdict import find

LIMITS = Limits(cpu_s=0.5, output_bytes=1000)
FLOATS = st.floats(width=32, allow_nan=True, allow_infinity=True)
BYTE, WORD = st.integers(0, 255), st.integers(0, 2**32 - 1)
STATUS = st.integers(-(2**31), 2**31 - 1)


@st.composite
def record(draw, places=WORD):
    data = draw(st.binary(max_size=40))
    fields = draw(places), draw(places), draw(BYTE), draw(BYTE | st.integers(0, 12))
    return worker.RECORD.pack(*fields, draw(st.just(len(data)) | WORD), draw(FLOATS)) + data


@st.composite
def cell(draw, number, place, why=None):
    """A `CELL` record as the worker writes it, around anything a candidate may have written."""
    inner = b"".join(draw(st.lists(record(st.integers(0, 3)), max_size=6)))
    reason = draw(st.integers(0, 4)) if why is None else why
    data = worker.ENDING.pack(draw(STATUS), reason, draw(FLOATS), draw(FLOATS)) + inner
    return worker.RECORD.pack(number, place, 0, worker.CELL, len(data), 0.0) + data


NOISE = st.binary(max_size=400) | st.lists(record(), max_size=8).map(b"".join)


def program(tests=3):
    plans = [Plan("eq", [("eval", "f(1)")], 1) for _ in range(tests)]
    return trial.Program(1, "def f(x): return 1", plans, [1] * tests)


@given(NOISE, st.integers(0, 400))
def test_any_bytes_are_read_as_records_with_a_sane_time(data, cut):
    for _, _, _, _, cpu_s, _ in trial.records(data[:cut]):
        assert math.isfinite(cpu_s)
        assert cpu_s >= 0.0


@given(st.binary(max_size=200), FLOATS)
def test_any_bytes_are_read_as_an_end(data, claimed_s):
    process = trial.ended(data)
    state, words = process.reason(LIMITS)
    assert state in (trial.TIMEOUT, trial.CRASH, worker.TOO_LARGE)
    assert words.isprintable()
    assert math.isfinite(process.cost(0.0))


@given(STATUS)
def test_every_wait_status_has_words(status):
    assert trial.exit_words(status)


@pytest.mark.parametrize(
    ("status", "words"),
    [(0, "exit status 0"), (3 << 8, "exit status 3"), (9, "SIGKILL"), (40, "signal 40"), (0x137F, "exit status 19")],
)
def test_words(status, words):
    assert trial.exit_words(status) == words


@given(NOISE, STATUS, BYTE, FLOATS, st.booleans())
def test_any_answer_gives_the_first_cell_a_trace(data, status, why, cpu_s, lost):
    one = program()
    trial._absorb_cells(one, [0, 1, 2], Answer(status, why, cpu_s, data, lost), LIMITS)
    assert 0 in one.traces
    for test, trace in one.traces.items():
        assert math.isfinite(trace.cpu_s) or trace.state in (trial.TIMEOUT, trial.CRASH)
        if trace.state != worker.VALUE:
            assert find(one.plans[test], trace, None).verdict in (
                "timeout",
                "crashed",
                "failed",
                "memory",
                "output",
                "unjudged",
            )


@given(cell(1, 1), cell(1, 0, why=worker.ENDED))
def test_a_candidates_records_stay_in_its_own_cell(forged, honest):
    alone, beside = program(), program()
    trial._absorb_cells(alone, [0, 1, 2], Answer(0, 0, 0.0, honest), LIMITS)
    trial._absorb_cells(beside, [0, 1, 2], Answer(0, 0, 0.0, honest + forged), LIMITS)
    assert beside.traces[0] == alone.traces[0]
    assert set(alone.traces) == {0}
    assert set(beside.traces) == {0, 1}


@given(NOISE, STATUS, BYTE)
def test_any_answer_gives_every_group_an_end(data, status, why):
    calls = Calls("f", (pack([[1]]), pack([[2]])), (1, 1), 0.5, 2.0)
    for group in _read(Answer(status, why, 0.0, data), calls):
        assert len(group.values) == len(group.cpu_s) <= 1
        assert all(math.isfinite(used_s) and used_s >= 0.0 for used_s in group.cpu_s)


def traced(*cells):
    """A job's programs with these (state, cpu_s, limit_s) of the only test but the last, which is of all first tests."""
    programs = []
    for number, tests in enumerate(cells):
        one = trial.Program(number, str(number), [Plan("eq", [])] * len(tests), [1] * len(tests))
        one.traces = {test: trial.Trace(state, cpu, (), b"", limit) for test, (state, cpu, limit) in enumerate(tests)}
        programs.append(one)
    return programs


QUICK, FULL, SHORT = (worker.VALUE, 1e-5, 0.0), (trial.TIMEOUT, 0.5, 0.5), (trial.TIMEOUT, 0.01, 0.01)


@pytest.mark.parametrize(("passing", "expected"), [({1, 2, 3}, []), ({1, 2}, [1]), (set(), [1])])
def test_only_programs_that_passed_a_test_show_that_it_is_easy(passing, expected):
    slow, *others = programs = traced([FULL, SHORT], *[[QUICK, QUICK]] * 4)
    assert len(others) == 4
    assert trial.unsure(slow, programs, LIMITS, lambda number, _: number in passing) == expected


def test_quick_wrong_companions_do_not_cut_a_slow_right_program():
    slow = (
        "class K: pass\ndef f(x):\n    while x == 0: pass\n    total = 0\n"
        "    for i in range(2_000_000): total += i & 1\n    return total\n"
    )
    codes = (slow, *(f"def f(x):\n    return {n}\n" for n in range(4)))
    with Sandbox(Limits(cpu_s=0.8)) as sandbox:
        rows = sandbox.run(Job("x", codes, ("assert f(0) == 1", "assert f(5) == 1000000"), "f")).cells
    assert [cell.verdict for cell in rows[0]] == ["timeout", "passed"]


FORGE = """
import os, struct, sys
def f(x):
    frame = sys._getframe()
    while "report" not in frame.f_locals:
        frame = frame.f_back
    report = frame.f_locals["report"]
    @DO@
"""
HONEST = "class K: pass\ndef f(x):\n    return 2\n"


@pytest.mark.parametrize(
    "line",
    [
        "report.put(*report.where, 0, 10, struct.pack('<iBdd', 0x137F, 0, 0.0, 0.0)); os._exit(0)",
        "report.put(*report.where, 0, 10, struct.pack('<iBdd', -1, 77, 0.0, 0.0)); os._exit(0)",
        "report.put(*report.where, 0, 10, b''); report.put(0, 0, 0, 11, b'x'); os._exit(0)",
        "report.pages[:] = os.urandom(len(report.pages)); os._exit(0)",
        "report.pages[:8] = b'\\xff' * 8; os._exit(7)",
        "os.kill(os.getpid(), 40)",
        "os.kill(os.getpid(), 19)",
        "report.outer[:8] = b'x'",
    ],
)
def test_forged_records_end_in_a_verdict_of_their_own_cell(line):
    codes = (FORGE.replace("@DO@", line), HONEST)
    with Sandbox(Limits(cpu_s=0.4, wall_s=1.5)) as sandbox:
        rows = sandbox.run(Job("x", codes, ("assert f(1) == 2", "assert f(2) == 3"), "f")).cells
    assert {cell.verdict for cell in rows[0]} <= {"failed", "crashed", "timeout", "output"}
    assert [cell.verdict for cell in rows[1]] == ["passed", "failed"]


@pytest.mark.parametrize("clock", ["lambda: float('nan')", "lambda: -1e9", "lambda: 1e9", "lambda: 0.0"])
def test_cpu_time_is_measured_outside(clock):
    code = (
        "import time\nclock = time.process_time\n"
        "def f(x):\n    end = clock() + 0.2\n    while clock() < end: pass\n    return x\n"
        f"time.process_time = {clock}\n"
    )
    with Sandbox(Limits(cpu_s=1.0)) as sandbox:
        (cell,) = sandbox.run(Job("x", (code,), ("assert f(1) == 1",), "f")).cells[0]
    assert cell.verdict == "passed"
    assert 0.19 < cell.cpu_s < 0.5


def test_a_signal_without_a_name_is_a_crash():
    code = "import os\ndef f(x):\n    os.kill(os.getpid(), 40)\n"
    with Sandbox() as sandbox:
        (cell,) = sandbox.run(Job("x", (code,), ("assert f(1) == 1",), "f")).cells[0]
    assert (cell.verdict, cell.error) == ("crashed", "signal 40")
    assert signal.SIGRTMIN <= 40 <= signal.SIGRTMAX
    assert os.WIFSIGNALED(40)
