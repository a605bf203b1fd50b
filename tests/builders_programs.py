"""Tasks for programs that read standard input: right, wrong and slow programs, and tests of which some are wrong."""

import json
from dataclasses import dataclass

from codepref.stdin import StdinTest


@dataclass(frozen=True)
class Task:
    """One task; the first program is right."""

    prompt: str
    codes: tuple[str, ...]
    tests: tuple[tuple[str, str], ...]
    """Inputs and outputs; the last one is wrong where `wrong_test` says so."""
    wrong_test: bool = False


SUM = Task(
    "Read two whole numbers on one line. Print their sum.",
    (
        "a, b = map(int, input().split())\nprint(a + b)\n",
        "import sys\nprint(sum(int(word) for word in sys.stdin.read().split()))\n",
        "a, b = map(int, input().split())\nprint(a - b)\n",
        "a, b = input().split()\nprint(a + b)\n",
        "a = int(input())\nb = int(input())\nprint(a + b)\n",
    ),
    (("1 2\n", "3\n"), ("-5 5\n", "0\n"), ("10 0\n", "10\n"), ("7 7\n", "15\n")),
    wrong_test=True,
)
LARGEST = Task(
    "The first line has n, the second n whole numbers. Print the largest of them and how often it stands there.",
    (
        "n = int(input())\nvalues = list(map(int, input().split()))\nprint(max(values), values.count(max(values)))\n",
        "n = int(input())\nbest, times = None, 0\nfor value in map(int, input().split()):\n"
        "    if best is None or value > best:\n        best, times = value, 0\n    times += value == best\nprint(best, times)\n",
        "n = int(input())\nvalues = list(map(int, input().split()))\nprint(max(values), 1)\n",
        "n = int(input())\nbest = 0\nfor value in map(int, input().split()):\n    best = max(best, value)\nprint(best, 1)\n",
        "values = list(map(int, input().split()))\nprint(max(values), values.count(max(values)))\n",
    ),
    (("3\n1 3 3\n", "3 2\n"), ("1\n-4\n", "-4 1\n"), ("4\n2 2 2 2\n", "2 4\n"), ("2\n-1 -2\n", "-1 1\n")),
)
WORDS = Task(
    "Read lines up to the end of the input. Print every different word with its number, a line each, in order of words.",
    (
        "import sys\nfrom collections import Counter\n"
        "for word, count in sorted(Counter(sys.stdin.read().split()).items()):\n    print(word, count)\n",
        "import sys\nwords = sys.stdin.read().split()\nfor word in sorted(set(words)):\n    print(word, words.count(word))\n",
        "import sys\nfor word in sorted(sys.stdin.read().split()):\n    print(word, 1)\n",
        "words = input().split()\nfor word in sorted(set(words)):\n    print(word, words.count(word))\n",
        "while True:\n    print(end='')\n",
    ),
    (("b a\nb\n", "a 1\nb 2\n"), ("", ""), ("x\n", "x 1\n"), ("c\nb\na\nc\n", "a 1\nb 1\nc 2\n")),
)
PRIMES = Task(
    "Read a whole number n of at least 2. Print the number of primes up to n.",
    (
        "n = int(input())\nsieve = bytearray([1]) * (n + 1)\nsieve[:2] = b'\\0\\0'\nfor i in range(2, int(n**0.5) + 1):\n"
        "    if sieve[i]:\n        sieve[i * i :: i] = bytes(len(range(i * i, n + 1, i)))\nprint(sum(sieve))\n",
        "n = int(input())\ncount = 0\nfor i in range(2, n + 1):\n    if all(i % j for j in range(2, int(i**0.5) + 1)):\n"
        "        count += 1\nprint(count)\n",
        "n = int(input())\nprint(sum(all(i % j for j in range(2, i)) for i in range(2, n)))\n",
        "def main():\n    n = int(input())\n    print(n // 2)\nmain()\n",
        "n = int(input())\nprint(sum(n % j == 0 for j in range(1, n + 1)))\nraise SystemExit(2)\n",
    ),
    (("10\n", "4\n"), ("2\n", "1\n"), ("40000\n", "4203\n"), ("30000\n", "3245\n"), ("20000\n", "2262\n")),
)
MEAN = Task(
    "Read numbers on one line. Print their mean with at least six digits after the point.",
    (
        "values = list(map(float, input().split()))\nprint(f'{sum(values) / len(values):.6f}')\n",
        "from statistics import mean\nprint(f'{mean(map(float, input().split())):.9f}')\n",
        "values = list(map(float, input().split()))\nprint(sum(values) // len(values))\n",
        "values = list(map(float, input().split()))\nprint(sorted(values)[len(values) // 2])\n",
    ),
    (("1 2\n", "1.5\n"), ("1 1 2\n", "1.333333\n"), ("-1 2 5 7\n", "3.25\n")),
)
TASKS = {"largest": LARGEST, "mean": MEAN, "primes": PRIMES, "sum": SUM, "words": WORDS}


def given_tests(name: str) -> list[dict[str, object]]:
    """The tests of a task as objects of a file; numbers have a tolerance where the task is about fractions."""
    more = {"tolerance": 1e-6} if name == "mean" else {}
    return [{"input": given, "output": output, **more} for given, output in TASKS[name].tests]


def recordings() -> list[dict[str, object]]:
    """Recorded samples: no line has an entry point."""
    return [
        {"prompt_id": name, "prompt": task.prompt, "codes": list(task.codes), "tests": given_tests(name)}
        for name, task in TASKS.items()
    ]


def trajectories() -> list[dict[str, object]]:
    """The wrong programs of a task one after the other, then the right one; wrong tests left out."""
    return [
        {
            "prompt_id": name,
            "prompt": task.prompt,
            "versions": [*reversed(task.codes[2:]), task.codes[0]],
            "tests": given_tests(name)[: -1 if task.wrong_test else None],
        }
        for name, task in TASKS.items()
    ]


def prompts(tests: bool = False) -> list[dict[str, object]]:
    """Prompts to ask a model for; with the right tests of each, or with none."""
    return [
        {"prompt_id": row["prompt_id"], "prompt": row["prompt"], "entry_point": None, "source": "made for this test"}
        | ({"tests": row["tests"]} if tests else {})
        for row in trajectories()
    ]


def script() -> list[dict[str, object]]:
    """Answers of a scripted model: programs in Markdown, tests in blocks, and repairs."""
    found: list[dict[str, object]] = []
    for name, task in TASKS.items():
        codes = [f"Here it is:\n\n```python\n{code}```\n\nIt prints what is asked for." for code in task.codes]
        tests = ["\n\n".join(StdinTest(given, (output,)).blocks() for given, output in task.tests)]
        repairs = [*reversed(codes[2:]), codes[0]]
        found.append({"prompt_id": name, "purpose": "code", "answers": [repairs[0], *codes]})
        found.append({"prompt_id": name, "purpose": "test", "answers": tests})
        found += [
            {"prompt_id": name, "purpose": f"refine{number}", "answers": [answer]}
            for number, answer in enumerate([*repairs[1:], *[codes[0]] * 5], 1)
        ]
    return found


def write(path, rows):
    """Writes JSON lines."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path
