"""The other ways to judge a cell that sandbox_speed.py measures.

Each takes the jobs, the cells to judge and a number of workers, and yields (cell, passed). None of them protects the
machine from the code that it runs.
"""

import contextlib
import faulthandler
import io
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from typing import NamedTuple

from codepref.sandbox import Job

LIMIT_S = 1.0
"""Time limit for one test: CPU seconds for codepref, wall seconds for peers that measure those."""


class Cell(NamedTuple):
    """One code and one test by their places in the matrix."""

    job: int
    code: int
    test: int


Verdicts = Iterable[tuple[Cell, bool]]


def in_process(jobs: list[Job], cells: list[Cell], workers: int) -> Verdicts:
    """The limit: compile once, a fresh namespace per cell, no isolation, no limits."""
    quiet, compiled = io.StringIO(), {}
    for cell in cells:
        job = jobs[cell.job]
        with contextlib.redirect_stdout(quiet):
            try:
                for text in (job.codes[cell.code], job.tests[cell.test]):
                    if text not in compiled:
                        compiled[text] = compile(text, "<cell>", "exec")
                space = {"__name__": "candidate"}
                exec(compiled[job.codes[cell.code]], space)  # noqa: S102
                exec(compiled[job.tests[cell.test]], space)  # noqa: S102
                passed = True
            except BaseException:
                passed = False
        quiet.seek(0)
        quiet.truncate()
        yield cell, passed


def program(jobs: list[Job], cell: Cell) -> str:
    return f"{jobs[cell.job].codes[cell.code]}\n\n{jobs[cell.job].tests[cell.test]}\n"


def plain_subprocess(jobs: list[Job], cells: list[Cell], workers: int) -> Verdicts:
    """A fresh isolated interpreter per cell; the exit status is the verdict."""

    def one(cell: Cell) -> tuple[Cell, bool]:
        command = [sys.executable, "-I", "-c", program(jobs, cell)]
        with contextlib.suppress(subprocess.TimeoutExpired, ValueError):
            quiet = subprocess.DEVNULL
            done = subprocess.run(command, stdin=quiet, stdout=quiet, stderr=quiet, timeout=LIMIT_S, check=False)
            return cell, done.returncode == 0
        return cell, False

    with ThreadPoolExecutor(workers) as pool:
        yield from pool.map(one, cells)


def guarded_exec(text: str, answer: list) -> None:
    """The child of the `code_eval` design: scratch folder, dangerous functions removed, output swallowed, timer."""

    def expire(*_: object) -> None:
        raise TimeoutError

    with tempfile.TemporaryDirectory() as folder:
        kept = os.chdir, os.rmdir, os.unlink, shutil.rmtree
        os.chdir(folder)
        faulthandler.disable()
        for module, names in (
            (os, "kill system putenv remove removedirs rmdir fchdir setuid fork forkpty killpg rename truncate unlink"),
            (shutil, "rmtree move chown"),
            (subprocess, "Popen"),
        ):
            for name in names.split():
                setattr(module, name, None)
        signal.signal(signal.SIGALRM, expire)
        signal.setitimer(signal.ITIMER_REAL, LIMIT_S)
        try:
            with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
                exec(text, {})  # noqa: S102
            answer.append("passed")
        except BaseException as error:
            answer.append(f"failed: {type(error).__name__}")
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            os.chdir, os.rmdir, os.unlink, shutil.rmtree = kept
            os.chdir("/")


def code_eval_design(jobs: list[Job], cells: list[Cell], workers: int) -> Verdicts:
    """The design of HumanEval's and `evaluate`'s code_eval: for every cell a manager process for the answer and a
    child forked from the (threaded) parent."""
    fork = multiprocessing.get_context("fork")

    def one(cell: Cell) -> tuple[Cell, bool]:
        with fork.Manager() as manager:
            answer = manager.list()
            child = fork.Process(target=guarded_exec, args=(program(jobs, cell), answer))
            child.start()
            child.join(LIMIT_S + 1)
            if child.is_alive():
                child.kill()
                child.join()
            return cell, list(answer) == ["passed"]

    with ThreadPoolExecutor(workers) as pool:
        yield from pool.map(one, cells)


def evalplus_check(texts: tuple[str, list[str]]) -> list[bool]:
    """EvalPlus' checker on one code: the tests become a function under test that must return True for each index."""
    from evalplus.eval import untrusted_check

    code, tests = texts
    wrapped = "".join(
        f"    if index == {i}:\n" + "".join(f"        {line}\n" for line in test.splitlines())
        for i, test in enumerate(tests)
    )
    text = f"{code}\n\ndef all_tests(index):\n{wrapped}    return True\n"
    count = len(tests)
    _, details = untrusted_check(
        "mbpp", text, [[i] for i in range(count)], "all_tests", [True] * count, 0, [0.0] * count, False, LIMIT_S, 1.0
    )
    return [bool(passed) for passed in details] + [False] * (count - len(details))


def evalplus_pair(jobs: list[Job], cells: list[Cell], workers: int) -> Verdicts:
    texts = [(jobs[cell.job].codes[cell.code], [jobs[cell.job].tests[cell.test]]) for cell in cells]
    with ProcessPoolExecutor(workers) as pool:
        yield from zip(cells, (passed[0] for passed in pool.map(evalplus_check, texts)), strict=True)


def evalplus_code(jobs: list[Job], cells: list[Cell], workers: int) -> Verdicts:
    whole = sorted({(cell.job, cell.code) for cell in cells})
    with ProcessPoolExecutor(workers) as pool:
        results = pool.map(evalplus_check, [(jobs[i].codes[j], list(jobs[i].tests)) for i, j in whole])
        for (i, j), passed in zip(whole, results, strict=True):
            yield from ((Cell(i, j, k), verdict) for k, verdict in enumerate(passed))
