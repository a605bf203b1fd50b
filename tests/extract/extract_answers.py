"""Answers of every kind that models give, with what should come of them: six hundred variants, made by rule.

`right`: the program taken from an answer adds two numbers; `none`: there is no program.
"""

from dataclasses import dataclass

from extract_needed import NEEDED


@dataclass(frozen=True)
class Case:
    """One answer."""

    name: str
    answer: str
    want: str
    prompt: str


P = 'def add(x: int, y: int):\n    """Return the sum of x and y."""\n'
R = "def add(x, y):\n    return x + y\n"
W = "def add(x, y):\n    return x - y\n"
CASES: list[Case] = []


def case(name, answer, want="right", prompt=P):
    CASES.append(Case(name, answer, want, prompt))


def block(code, tag="python", mark="```"):
    return f"{mark}{tag}\n{code}{mark}\n"


# 1 thoughts
for o, cl in [
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("<thought>", "</thought>"),
    ("<reasoning>", "</reasoning>"),
    ("<analysis>", "</analysis>"),
    ("<Think>", "</Think>"),
    ("[THINK]", "[/THINK]"),
    ("<|begin_of_thought|>", "<|end_of_thought|>"),
    ("<seed:think>", "</seed:think>"),
    ("◁think▷", "◁/think▷"),
    ("<|channel|>analysis<|message|>", "<|end|><|start|>assistant<|channel|>final<|message|>"),
    ("<unused94>thought\n", "<unused95>"),
    ("<scratchpad>", "</scratchpad>"),
    ("<reflection>", "</reflection>"),
    ('<think time="2">', "</think>"),
    ("<antThinking>", "</antThinking>"),
    ("<thought_process>", "</thought_process>"),
]:
    case(f"1/{o}fenced", f"{o}\nDraft:\n{block(W)}Wrong.\n{cl}\n\n{block(R)}")
    case(f"1/{o}bare", f"{o}Maybe\n{W}\nno.{cl}{R}")
    case(f"1/{o}cut", f"{o}\nDraft:\n{block(R)}Hmm, so", "none")
    case(f"1/{o}onlyend", f"Draft:\n{block(W)}Wrong.\n{cl}\n\n{block(R)}")
case("1/openfence", f"<think>\n```python\n{W}</think>\n{block(R)}")
case("1/openfence_onlyend", f"hm\n```python\n{W}\nno\n</think>\n{block(R)}")
case("1/openfence_bare", f"<think>\n```python\n{W}</think>\n{R}")
case("1/two", f"<think>a {W}</think>\nwait\n<think>\n{block(W)}</think>\n{block(R)}")
case("1/nested", f"<think>\n<think>\n{block(W)}</think>\n{block(W)}</think>\n{block(R)}")
case("1/strings", 'def add(x, y):\n    s = "<think>a</think>".split("</think>")\n    return x + y\n')
case(
    "1/strings_fenced",
    "Here:\n"
    + block(
        'import re\ndef add(x, y):\n    s = re.sub(r"<think>.*?</think>", "", "q")\n    assert s == "q"\n    return x + y\n'
    ),
)
case("1/strings_prose", "I remove the `<think>` and `</think>` tags.\n\n" + block(R))
case("1/strings_prose2", "I remove the <think> tag.\n\n" + block(R))
case("1/strings_thought", '<think>\nsplit at "</think>" maybe\n' + block(W) + "</think>\n" + block(R))
case("1/answer_tags", f"<think>x</think>\n<answer>\n{block(R)}</answer>")
case("1/answer_tags_bare", f"<think>x</think>\n<answer>\n{R}</answer>")
case("1/empty_thought", f"<think>\n\n</think>\n\n{block(R)}")
case("1/selfclose", f"<think></think>{R}")
case("1/only_thought_closed", f"<think>\n{block(R)}</think>\n", "none")
case("1/thought_then_cut", "<think>\nhm\n</think>\nHere is the", "none")
case("1/body_after", f"<think>\nhm {W}\n</think>\n    return x + y\n")
case("1/after_answer", f"{block(R)}<think>was that right? maybe\n{block(W)}")
case("1/mixedclose", f"<think>\n{block(W)}</thinking>\n{block(R)}")
case("1/bos", f"<|im_start|>assistant\n<think>\n{block(W)}</think>\n{block(R)}<|im_end|>")
case("1/harmony_text", f"analysisWe need to add. {W} assistantfinal{block(R)}")
case("1/question", f"<think>\nis it x - y?</think>{block(R)}")
# 2 several blocks
case("2/three", f"{block(W)}Hm\n{block(W)}Now:\n{block(R)}")
case("2/stub_raise", block(P + "    raise NotImplementedError\n") + "\n" + block(R))
case("2/stub_ellipsis", block("def add(x, y): ...\n") + "\n" + block(R))
case("2/stub_after", block(R) + "\nThe signature:\n" + block(P + "    pass\n"))
case("2/stub_after_doc", block(R) + "\nThe signature:\n" + block(P))
case("2/stub_todo", block(P + "    # TODO\n    pass\n") + "\n" + block(R))
case("2/usage_rebinds", block(R) + "\nUse:\n" + block("from solution import add\nprint(add(1,2))\n"))
case("2/usage_rebinds2", block(R) + "\nUse:\n" + block("add = add(1, 2)\nprint(add)\n"))
case("2/cut_correction", block(R) + "\nFaster:\n```python\ndef add(x, y):\n    total = x\n    for")
case("2/cut_correction2", block(R) + "\nFaster:\n```python\ndef add(x, y):\n    total = x")
case("2/unclosed_correction", block(W) + "\nCorrected:\n```python\ndef add(x, y):\n    return x + y")
case("2/bare_correction", "First:\n" + W + "\nThat is wrong. Corrected:\n" + R)
case("2/correction_glued", block(W) + "\nCorrected:\n```python\ndef add(x, y):\n    return x + y```\n")
case("2/correction_list", block(W) + "\n1. Fix:\n\n   ```python\n   def add(x, y):\n       return x + y\n   ```\n")
case("2/class_then", block("class A:\n    def add(self, x, y):\n        return x - y\n") + block(R))
case("2/stub_then_bare", block(P) + "\nSolution:\n\n" + R)
case("2/other_language", block(R) + "\nIn JS:\n" + block("function add(x, y) { return x - y }\n", "js"))
case("2/bash", block("pip install x\n", "bash") + block(R) + block("python add.py\n", "sh"))
case("2/output", block(R) + "Output:\n" + block("3\n", "") + block("add(1, 2)  # 3\n", ""))
case("2/tests_after", block(R) + block("def test_add():\n    assert add(1, 2) == 3\n\ntest_add()\n"))
# 3 parts in several blocks
case("3/constants", block("OFFSET = 0\n") + block("def add(x, y):\n    return x + y + OFFSET\n"))
case(
    "3/three",
    block("import operator\n")
    + block("def plus(a, b):\n    return operator.add(a, b)\n")
    + block("def add(x, y):\n    return plus(x, y)\n"),
)
case("3/helper_after", block("def add(x, y):\n    return plus(x, y)\n") + block("def plus(a, b):\n    return a + b\n"))
case(
    "3/draft_with_helper",
    block("import operator\ndef plus(a, b):\n    return operator.add(a, b)\ndef add(x, y):\n    return plus(x, -y)\n")
    + block("def add(x, y):\n    return plus(x, y)\n"),
)
case(
    "3/table_blocks",
    block("T = {}\nfor i in range(3):\n    T[i] = 0\n") + block("def add(x, y):\n    return x + y + T[0]\n"),
)
case(
    "3/class_blocks",
    block("class Box:\n    def __init__(self, v):\n        self.v = v\n")
    + block("def add(x, y):\n    return Box(x).v + y\n"),
)
case(
    "3/from_import",
    block("from functools import reduce\n") + block("def add(x, y):\n    return reduce(lambda a, b: a + b, [x, y])\n"),
)
case(
    "3/solution_alias",
    block("class Solution:\n    def add(self, x, y):\n        return x + y\n") + block("add = Solution().add\n"),
)
case(
    "3/bare_helper",
    "First a helper:\n\ndef plus(a, b):\n    return a + b\n\nThen the function:\n\ndef add(x, y):\n    return plus(x, y)\n",
)
case(
    "3/helper_redefined",
    block("def plus(a, b):\n    return a - b\n")
    + block("def plus(a, b):\n    return a + b\n")
    + block("def add(x, y):\n    return plus(x, y)\n"),
)
case(
    "3/future",
    block("import operator\n")
    + block("from __future__ import annotations\ndef add(x: Foo, y):\n    return operator.add(x, y)\n"),
)
case(
    "3/import_in_usage_block",
    block("from math import fsum\nprint(fsum([1]))\n") + block("def add(x, y):\n    return int(fsum([x, y]))\n"),
)
case(
    "3/typing_deco",
    block("from functools import lru_cache\n") + block("@lru_cache(None)\ndef add(x, y):\n    return x + y\n"),
)
# 4 fences
for tag in [
    "py",
    "py3",
    "Python",
    "PYTHON",
    "python3.12",
    "python title=x",
    "{.python}",
    "{python}",
    "python:add.py",
    "text",
    "plaintext",
    "",
    "ipython3",
    "jupyter",
    "python,linenos",
    "solution.py",
    "tool_code",
    "python {linenos=true}",
    "{code-cell} ipython3",
    "code",
    "pycon",
]:
    case(f"4/tag {tag}", block(R, tag))
for tag in ["java", "c++", "rust", "typescript", "json", "sql", "ruby"]:
    case(f"4/other {tag}", block(R, tag), "none")
case("4/tilde", block(R, "python", "~~~"))
case("4/five", block(R, "python", "`````"))
case("4/md_in", block("Text\n\n" + block(R), "md", "````"))
case("4/md_unclosed", "```markdown\n" + block(R) + "```\n")
case("4/list", "1. Do:\n\n    ```python\n    def add(x, y):\n        return x + y\n    ```\n2. Done\n")
case("4/list2", "- Do:\n  ```python\n  def add(x, y):\n      return x + y\n  ```\n")
case("4/list_tab", "1.\tDo:\n\n\t```python\n\tdef add(x, y):\n\t    return x + y\n\t```\n")
case("4/quote_list", "> - ```python\n>   def add(x, y):\n>       return x + y\n>   ```\n")
case("4/quote_lazy", "> Answer:\n> ```py\n> def add(x, y):\n>     return x + y\n")
case("4/indent_block", "Here:\n\n    def add(x, y):\n        return x + y\n\nDone.\n")
case("4/indented_fence", "  ```python\n  def add(x, y):\n      return x + y\n  ```\n")
case("4/indented_fence4", "    ```python\n    def add(x, y):\n        return x + y\n    ```\n")
case("4/doc3", block('def add(x, y):\n  """Adds.\n\n  ```\n  add(1, 2)\n  ```\n  """\n  return x + y\n'))
case("4/doc_tick_py", block('def add(x, y):\n  """Adds.\n\n  ```python\n  add(1, 2)\n  ```\n  """\n  return x + y\n'))
case("4/fstring", block('def add(x, y):\n    s = f"""\n```\n{x}\n```\n"""\n    return x + y\n'))
case("4/bare_fstring", 'def add(x, y):\n    s = f"""\n```python\n{x}\n```\n"""\n    return x + y\n')
case(
    "4/bare_with_prose",
    'Here it is:\n\ndef add(x, y):\n    """Adds.\n\n    ```\n    add(1, 2)\n    ```\n    """\n    return x + y\n',
)
case("4/two_spaces_close", "```python\n" + R + "  ```\n")
case("4/close_tag", "```python\n" + R + "``` python\n")
case("4/close_prose", "```python\n" + R + "```This adds.\n")
case("4/close_prose2", "```python\n" + R + "``` That is all.\nMore words.\n")
case("4/open_same_line", "```python def add(x, y):\n    return x + y\n```\n")
case("4/inline", "Use `def add(x, y): return x + y`.")
case("4/no_newline_after_lang", "Answer:```py\n" + R + "```")
case("4/mismatch", "```python\n" + R + "~~~\n")
case("4/four_three", "````python\n" + R + "```\n")
case("4/code_tags", "<code>\n" + block(R) + "</code>\n")
case("4/html_pre", "<pre>\n" + R + "</pre>\n")
case("4/details", "<details>\n<summary>Solution</summary>\n" + block(R) + "</details>\n")
case("4/session", "```pycon\n>>> def add(x, y):\n...     return x + y\n...\n>>> add(1, 2)\n3\n```\n")
case("4/table_cell_only", "```\nInput | Output\n```\n" + block(R))
case("4/crlf", ("Here:\n" + block(R)).replace("\n", "\r\n"))
case("4/cr", R.replace("\n", "\r"))
case("4/bold", "**Solution:**\n" + block(R))
case("4/heading", "### Code\n" + block(R) + "### Notes\n---\n")
case("4/unclosed", "```python\n" + R)
case("4/html_comment", "<!-- a -->\n" + block(R))
case("4/body_block", block("    return x + y\n"))
case("4/body_block_noindent", block("return x + y\n"))
case("4/body_bare_noindent", "return x + y\n")
case("4/body_lost_first", "total = x\n    return total + y\n")
case("4/line_start_junk", "python\n" + R)
case("4/python_label", "Python:\n" + R)
# 5 usage that fails when loaded
imp = "import sys, os, json, argparse, time\n"
for n, t in {
    "exit": "sys.exit(add(1, 2))\n",
    "main": "def main():\n    n = int(input())\n    print(add(n, n))\n\nmain()\n",
    "main_exit": "def main():\n    return 0\nif True:\n    sys.exit(main())\n",
    "args": 'parser = argparse.ArgumentParser()\nparser.add_argument("n")\nargs = parser.parse_args()\nprint(add(int(args.n), 1))\n',
    "open": 'with open("in.txt") as f:\n    for line in f:\n        print(add(*map(int, line.split())))\n',
    "stdin_loop": "for line in sys.stdin:\n    print(add(*map(int, line.split())))\n",
    "x_param": 'x = int(input("x: "))\ny = int(input("y: "))\nprint(add(x, y))\n',
    "walrus": "while (line := input()):\n    print(add(int(line), 1))\n",
    "readlines": "data = sys.stdin.read().split()\nn = int(data[0])\nfor i in range(n):\n    print(add(int(data[i]), 1))\n",
    "req": 'import requests\nr = requests.get("http://x.y/z")\nprint(add(r.status_code, 1))\n',
    "url": 'from urllib.request import urlopen\nprint(add(len(urlopen("http://x.y").read()), 1))\n',
    "quit": "print(add(1,2))\nquit()\n",
    "exit2": "exit()\n",
    "osexit": "os._exit(0)\n",
    "assertfail": "assert add(1, 1) == 3\n",
    "raise": 'raise RuntimeError("no")\n',
    "div": "print(1 / 0)\n",
    "thread": "import threading\nthreading.Thread(target=lambda: print(add(int(input()), 1))).start()\n",
    "async": "import asyncio\nasync def main():\n    print(add(int(input()), 1))\nasyncio.run(main())\n",
    "unittest": "import unittest\nclass T(unittest.TestCase):\n    def test(self):\n        self.assertEqual(add(1, 2), 3)\nunittest.main()\n",
    "eval_input": "n = eval(input())\nprint(add(n, 1))\n",
    "gui": "import tkinter as tk\nroot = tk.Tk()\nroot.mainloop()\n",
    "rebind": "add = add(1, 2)\nprint(add)\n",
    "rebind_input": "add = add(int(input()), 2)\n",
    "fast_input": "input = sys.stdin.readline\nn, m = map(int, input().split())\nprint(add(n, m))\n",
    "global_solve": "def solve():\n    global n\n    n = int(input())\n    print(add(n, 1))\nsolve()\n",
    "try_main": "try:\n    main()\nexcept NameError:\n    raise\n",
    "match": "match sys.argv:\n    case [_, a]:\n        print(add(int(a), 1))\n    case _:\n        sys.exit(2)\n",
    "loop_forever": "n = 0\nwhile True:\n    n = add(n, 1)\n",
    "relative": "from .solution import add\nprint(add(1,2))\n",
    "getpass": "import getpass\np = getpass.getpass()\n",
    "big_loop": "for i in range(10**9):\n    add(i, i)\n",
    "class_run": "class App:\n    def run(self):\n        print(add(int(input()), 1))\nApp().run()\n",
    "list_input": "xs = [int(input()) for _ in range(3)]\nprint(sum(add(x, 1) for x in xs))\n",
    "environ": 'KEY = os.environ["API_KEY"]\n',
    "import_missing": "import torch_missing_zz as tz\nprint(tz.tensor(add(1, 2)))\n",
    "your_module": "from your_module import add\nassert add(1, 2) == 3\n",
    "star": "from solution_zz import *\nprint(add(1,2))\n",
    "if_len": 'if len(sys.argv) < 3:\n    print("usage")\n    sys.exit(1)\nprint(add(int(sys.argv[1]), int(sys.argv[2])))\n',
}.items():
    case(f"5/{n}", block(imp + "\n" + R + "\n" + t))
    case(f"5b/{n}", imp + "\n" + R + "\n" + t)
case(
    "5/config_used_default",
    block('import os\nZ = int(os.environ.get("ZERO", "0"))\ndef add(x, y):\n    return x + y + Z\n'),
)
case("5/before", block("n = int(input())\n\n" + R + "\nprint(add(n, 1))\n"))
case(
    "5/counter_input",
    block(
        "CALLS = 0\ndef add(x, y):\n    global CALLS\n    CALLS += 1\n    return x + y\n\nprint(add(int(input()), 1))\n"
    ),
)
case(
    "5/eval_and_input",
    block(
        'def plus(x, y):\n    return x + y\ndef add(x, y):\n    return eval("plus(x, y)")\nn = int(input())\nprint(add(n, 1))\n'
    ),
)
# 6 what looks like usage and is needed
for n, t in NEEDED.items():
    case(f"6/{n}", t)
    case(f"6f/{n}", block(t))
    case(f"6p/{n}", block(t + '\nprint("done")\nif __name__ == "__main__":\n    print(add(1, 2))\n'))
# 7 lines as Python counts them
for n, ch in {
    "ff": "\x0c",
    "vt": "\x0b",
    "fs": "\x1c",
    "gs": "\x1d",
    "rs": "\x1e",
    "nel": "\x85",
    "ls": "\u2028",
    "ps": "\u2029",
}.items():
    case(f"7/str {n}", f'S = "a{ch}b"\nprint(S)\n{R}\nprint(add(1, 2))\n')
    case(f"7/comment {n}", f"# a{ch}b\nprint(1)\n{R}\nprint(add(1, 2))\n")
    case(f"7/fence {n}", block(f'print("q")\ndef add(x, y):\n    """a{ch}b"""\n    return x + y\nprint(add(1, 2))\n'))
    case(f"7/prose {n}", f"Here{ch}is:\n\n{R}\nDone{ch}.\n")
case("7/ff_line", "import sys\n\x0c\ndef add(x, y):\n    return x + y\n\x0c\nprint(add(1, 2))\n")
case("7/semi_utf8", 'Z = 0; s = "äöü€"; print(s); Y = 0\ndef add(x, y):\n    return x + y + Z + Y\n')
case("7/semi_def", "def add(x, y): return x + y + Z\nprint(1); Z = 0; print(2)\n")
case("7/cont", "Z = \\\n  0\nprint(Z)\ndef add(x, y):\n    return x + y + Z\n")
case("7/crlf_cut", (R + "\nprint(add(1, 2))\n").replace("\n", "\r\n"))
# 8 prose and bare code
case("8/after", "Here is the function:\n\n" + R + "\nIt adds two numbers.\n")
case("8/word", "Sure\n" + R + "\nDone\n")
case("8/colon", "Output: 5\n" + R)
case("8/bullets", "- step one\n- step two\n\n" + R + "\n* Note: fine\n")
case("8/imports", "Here:\n\nimport operator\n\ndef add(x, y):\n    return operator.add(x, y)\n\nThat is it.")
case("8/helper_between", "Here:\n\nZ = 0\n\ndef add(x, y):\n    return x + y + Z\n\nExplanation: Z is zero.")
case("8/quote", "The answer's here:\n" + R + "It's done")
case("8/numbered", "1. Define\n" + R + "2. Done")
case("8/multi", 'Text.\n\ndef add(x, y):\n    s = """\ncol0 text\n"""\n    return x + y\n\nEnd.')
case("8/paren", "Text.\n\ndef add(x, y):\n    z = [\n0,\n]\n    return x + y + z[0]\n\nEnd (really).")
case("8/deco", "Text.\n\nimport functools\n@functools.cache\ndef add(x, y):\n    return x + y\n\nEnd.")
case("8/call_like", "Example (usage)\n" + R)
case("8/usage_prose", R + "\nYou can call add(1, 2) to get 3.\n")
case("8/cut", "Here:\n\n" + R + "\ndef main():\n    print(add(1,")
case("8/refuse", "I can't help with that.", "none")
case("8/prose_only", "The function adds x and y.", "none")
case("8/indented", "Here:\n  def add(x, y):\n      return x + y\nDone\n")
# 9 what the prompt has
PI = 'from typing import List\nimport operator\n\ndef plus(a, b):\n    return a + b\n\nZERO = 0\n\ndef add(x: int, y: int) -> int:\n    """Sum."""\n'
for n, t in {
    "helper": "def add(x: int, y: int) -> int:\n    return plus(x, y)\n",
    "import": "def add(x, y):\n    return operator.add(x, y)\n",
    "typing": "def add(x: int, y: int, z: List[int] = None):\n    return x + y\n",
    "const": "def add(x, y):\n    return x + y + ZERO\n",
    "own": "def plus(a, b):\n    return a + b\ndef add(x, y):\n    return plus(x, y)\n",
}.items():
    case(f"9/{n}", t, prompt=PI)
    case(f"9f/{n}", block(t), prompt=PI)
    case(f"9p/{n}", "Sure:\n\n" + t + "\nDone.", prompt=PI)
    case(f"9u/{n}", t + "\nprint(add(1, 2))\n", prompt=PI)
    case(f"9m/{n}", block(t), prompt="Complete:\n\n```python\n" + PI + "```\n")
    case(f"9e/{n}", t, prompt=PI + "    pass\n")
case("9/body", "    return plus(x, y)\n", prompt=PI)
case("9/bodyf", block("    return plus(x, y)\n"), prompt=PI)
case("9/body_prose", "    return plus(x, y)\n\nThis adds.\n", prompt=PI)
case("9/body_tail", "    return plus(x, y)\n\nprint(add(1, 2))\nn = int(input())\n", prompt=PI)
case("9/nonl", "    return plus(x, y)\n", prompt=PI.rstrip())
case("9/nested_def", "    def go(a, b):\n        return a + b\n    return go(x, y)\n")
case("9/body_helper_after", "    return go(x, y)\n\n\ndef go(a, b):\n    return a + b\n")
case("9/runon", "    return x + y\n\n\ndef sub(x, y):\n    return x -")
case("9/echo_prompt", P + "    return x + y\n")
case("9/echo_only", P, "none")
