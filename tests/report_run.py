"""A quickstart run's folder from small real builds, with texts that try to break out of a page in every place."""

import json

from codepref import cli

HOSTILE = "</script><b>bold</b><img src=http://127.0.0.1:9/x onerror=alert(1)> &amp; \" ' <!-- \x1b[31m \u202egnp"
LINEAR = f"def f(x):\n    # {HOSTILE.replace(chr(27), '')}\n    return len(set(x)) != len(x)\n"
SHORT = "def f(x):\n    return len(x) != len(set(x))\n"
SLOW = "def f(x):\n    for _ in range(5000):\n        found = len(set(x)) != len(x)\n    return found\n"
WRONG = "def f(x):\n    return '</pre><b>' if x else False\n"
WORSE = "def f(x):\n    return None\n"
TESTS = [
    "assert f([1, 2]) == False",
    "assert f([3, 1, 3]) == True",
    "assert f([]) == False",
    "assert f([9]) == False",
    "assert f(['</script><b>']) == True  # <i>wrong</i>",
]
CODES = [WORSE, LINEAR, WRONG, SLOW, SHORT]
CODES_RIGHT = [False, True, False, True, True]
TESTS_RIGHT = [True, True, True, True, False]
TOLD = {
    "seed": 3,
    "model": {"name": "tiny <b>6477f166</b>", "parameters": 984192},
    "steps": [
        {"name": "CodeDPO <b>dataset</b>", "seconds": 97.2, "folder": "codedpo"},
        {"name": "Prompts", "seconds": 0.42, "folder": None},
    ],
    "evidence": {
        "prompts": 250,
        "codes_right": [0.5, 0.46, 0.54],
        "tests_right": None,
        "tests_dead": 0.302,
        "auc": 0.806,
        "weak": False,
        "words": "The tests tell right from wrong.",
    },
    "scores": [
        {
            "name": "base",
            "title": "before",
            "greedy": [0.7, 0.64, 0.76],
            "sampled": [0.502, 0.463, 0.541],
            "n": 8,
            "temperature": 0.8,
            "tasks": 240,
        },
        {
            "name": "dpo",
            "title": "DPO",
            "greedy": [0.804, 0.75, 0.85],
            "sampled": [0.611, 0.569, 0.652],
            "n": 8,
            "temperature": 0.8,
            "tasks": 240,
        },
    ],
    "gains": [
        {"name": "dpo", "greedy": [0.104, 0.054, 0.154], "sampled": [0.109, 0.078, 0.14], "won": 31, "lost": 6},
    ],
    "labels": {"codedpo": {"pairs": 250, "right": 0.66, "inverted": 0.05}},
    "commands": [f"codepref build codedpo --set prompts='{HOSTILE}'"],
}


def make(root):
    """Builds the three datasets, leaves a training's manifest and writes quickstart.json."""
    root.mkdir()
    more = {"prompt_id": "p<1>", "prompt": f"Has x twins? {HOSTILE}", "entry_point": "f", "licence": "MIT"}
    generations, trajectories = root / "generations.jsonl", root / "trajectories.jsonl"
    generations.write_text(json.dumps({**more, "codes": CODES, "tests": TESTS}) + "\n")
    trajectories.write_text(json.dumps({**more, "tests": TESTS[:4], "versions": [WRONG, LINEAR]}) + "\n")
    build(root, "codedpo", f"generations={generations}", "efficiency.enabled=true")
    build(root, "codeflow", f"trajectories={trajectories}")
    build(root, "dstc", f"generations={generations}")
    points = {"loss": [[1, 0.85], [2, 0.9], [3, 0.7]], "reward margin": [[1, 0.0], [2, -0.01], [3, 0.2]]}
    (root / "dpo").mkdir()
    (root / "dpo" / "manifest.json").write_text(json.dumps({"method": "dpo", "result": {"curve": points}}))
    tell(root, TOLD)


def build(root, method, *settings):
    words = [word for item in ("limits.cpu_s=1.0", *settings) for word in ("--set", item)]
    assert cli.main(["build", method, "--quiet", "--workers", "1", "--out", str(root / method), *words]) == 0


def tell(root, told):
    (root / "quickstart.json").write_text(json.dumps(told))
