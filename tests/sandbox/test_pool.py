"""Several sandboxes at once: order, back-pressure, the end."""

import itertools

import pytest

from codepref.sandbox import Job, Limits, SandboxUnavailable, execute

LIMITS = Limits(cpu_s=0.3)


def job(i, codes=2):
    sources = tuple(f"def f(x):\n    return x + {k}" for k in range(codes))
    return Job(f"job {i}", sources, (f"assert f({i}) == {i}", "assert f(1) == 2"), "f")


@pytest.mark.parametrize("workers", [1, 2])
def test_input_order(workers):
    jobs = [job(i) for i in range(20)]
    matrices = list(execute(jobs, LIMITS, workers=workers, batch_cells=8))
    assert [matrix.job_id for matrix in matrices] == [job.job_id for job in jobs]
    for i, matrix in enumerate(matrices):
        assert matrix.job_id == f"job {i}"
        assert [[cell.verdict for cell in row] for row in matrix.cells] == [["passed", "failed"], ["failed", "passed"]]


@pytest.mark.parametrize("workers", [1, 2])
def test_back_pressure_on_an_endless_input(workers):
    taken = itertools.count()
    answers = execute((job(next(taken)) for _ in itertools.count()), LIMITS, workers=workers, batch_cells=4)
    first = [matrix.job_id for matrix in itertools.islice(answers, 5)]
    answers.close()
    assert first == [f"job {i}" for i in range(5)]
    assert next(taken) < 40


def test_errors_reach_the_caller():
    for workers in (1, 2):
        with pytest.raises(SandboxUnavailable):
            list(execute([job(1)], LIMITS, workers=workers, python="/nonexistent/python"))
        with pytest.raises(ValueError, match="lane"):
            list(execute([job(1)], LIMITS, workers=workers, lane="quick"))
    with pytest.raises(ValueError, match="workers"):
        list(execute([], workers=0))


def test_no_jobs():
    assert list(execute([], LIMITS, workers=2)) == []
