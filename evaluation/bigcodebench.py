"""BigCodeBench (Zhuo et al. 2024, arXiv:2406.15877): full and hard set, complete and instruct split.

A program is run as upstream does in its calibrated form: the code prompt with an empty body, then the solution, then
the problem's unittest class, in one module (`official`). The versions that upstream pins are in
environments/bigcodebench.txt.
"""

import functools
from collections.abc import Iterator
from pathlib import Path

from evaluation import evalplus
from evaluation.benchmark import Asked, Benchmark, Graded, Problem, Settings, Work, located_rows, require
from evaluation.grade import official

NEEDED = (
    (
        "the network, which the sandbox does not have",
        r"https?://|urlopen|requests\.get|gethostbyaddr|create_connection",
        (101, 176, 314, 590, 1005, 1012),
    ),
    ("a socket, which the sandbox does not allow", r"socket\.socket\(", (147, 1038, 1040)),
    (
        "NLTK data, which --prepare fetches where there is a network",
        r"word_tokenize|stopwords|nltk\.corpus|nltk\.pos_tag|TextBlob",
        (177, 290, 332, 334, 376, 383, 633, 635, 655, 658, 726, 734, 806, 808, 849, 940, 1109),
    ),
)
"""What a reference or its tests need, the text there that asks for it, and the tasks."""
EXCUSED = {f"BigCodeBench/{number}": f"needs {what}" for what, _, numbers in NEEDED for number in numbers}
"""References that pass only where that is there."""
PRELOAD = (
    "unittest", "unittest.mock", "numpy", "pandas", "scipy.stats", "sklearn", "matplotlib.pyplot", "seaborn", "nltk",
    "requests", "bs4", "statsmodels.api", "sympy", "networkx",
)  # fmt: skip


def load(path: Path | None) -> list[Problem]:
    """The problems of the full set, in the order of the file."""
    problems = []
    columns = ("task_id", "complete_prompt", "instruct_prompt", "canonical_solution", "code_prompt", "test")
    for where, row in located_rows("bigcodebench_complete", path):
        require(row, columns, where)
        data = {key: row[key] for key in ("instruct_prompt", "code_prompt", "test")}
        entry_point = row.get("entry_point", "task_func")
        problems.append(
            Problem(row["task_id"], row["complete_prompt"], row["canonical_solution"], entry_point, row=data)
        )
    return problems


def load_hard(path: Path | None) -> list[Problem]:
    """The problems of the hard set, whose ids the Hub names; of a file all problems."""
    if path is not None:
        return load(path)
    ids = {row["task_id"] for _, row in located_rows("bigcodebench_complete_hard", None)}
    return [problem for problem in load(None) if problem.task_id in ids]


def program(problem: Problem, text: str) -> str:
    """Upstream's calibrated form: names of the code prompt are there even if the solution leaves them out."""
    return f"{problem.row['code_prompt']}\n    pass\n{text}"


def reference(problem: Problem) -> str:
    """The data set's own solution as upstream checks it."""
    return f"{problem.row['code_prompt']}\n    pass\n{problem.prompt}{problem.reference}"


_HEAD = """import sys, os
from os import environ
__file__ = '__test__.py'
if 'nltk' in sys.modules:
    sys.modules['nltk'].data.path.append(os.path.dirname(os.path.dirname(sys.modules['nltk'].__file__)) + '/nltk_data')
"""
_RUN = (
    official.GUARD
    + """
def _guard(method):
    import functools
    @functools.wraps(method)
    def guarded(self, *values, **named):
        for value in values:
            _refuse(value)
        return method(self, *values, **named)
    return guarded

def _run_tests():
    import unittest
    for name in dir(unittest.TestCase):
        if name.startswith("assert") and "Raises" not in name and "Warns" not in name and "Logs" not in name:
            setattr(unittest.TestCase, name, _guard(getattr(unittest.TestCase, name)))
    result = unittest.TestResult()
    unittest.TestLoader().loadTestsFromTestCase(TestCases).run(result)
    issues = [test.id().split(".")[-1] + ": " + trace.strip().split(chr(10))[-1][:60]
              for test, trace in result.failures + result.errors]
    if issues:
        raise AssertionError("; ".join(sorted(issues)))

_run_tests()
"""
)


def parts(problem: Problem, code: str) -> tuple[str, str]:
    """The program, and the problem's tests with what runs them."""
    return f"{_HEAD}{code}\n", f"{problem.row['test']}\n{_RUN}"


SUITE = official.Suite(PRELOAD, 240.0, 480.0, 16384, parts)


def grade(work: Work, settings: Settings) -> Iterator[list[Graded]]:
    """Verdicts on programs, problem by problem, in order."""
    return official.grade_official(SUITE, work, settings)


def question(problem: Problem, chat: bool, prefill: bool, *, split: str) -> Asked:
    """What a model is shown: `complete` shows a function head, `instruct` a task in words (chat models only)."""
    if not chat:
        return Asked(problem.prompt, stop=(*evalplus.EVERYWHERE, *evalplus.AFTER_FUNCTION))
    prompt = (problem.prompt if split == "complete" else problem.row["instruct_prompt"]).strip()
    text = f"{evalplus.TASK}\n```\n{prompt}\n```\n" if split == "complete" else f"{evalplus.TASK}\n{prompt}\n"
    if not prefill:
        return Asked(text)
    return Asked(text, f"{evalplus.EVALPLUS_BEGIN}\n```python\n", stop=(*evalplus.EVERYWHERE, evalplus.FENCE_END))


def _benchmark(split: str, subset: str) -> Benchmark:
    return Benchmark(
        name=f"bigcodebench_{split}" + ("_hard" if subset == "hard" else ""),
        paper="arXiv:2406.15877",
        load=load_hard if subset == "hard" else load,
        program=program,
        reference=reference,
        grade=grade,
        ask=functools.partial(question, split=split),
        max_tokens=1280,
        environment="bigcodebench",
        threshold=0.99,
        excused=EXCUSED,
        framed=True,
    )


BENCHMARKS = tuple(_benchmark(split, subset) for subset in ("full", "hard") for split in ("complete", "instruct"))
