# attack: an accomplice leaves the answer in a library module, a builtin and the interpreter
# test: assert f(1) == "answer"
# expect: passed ; failed
import builtins
import string
import sys


def f(x):
    string.answer = builtins.answer = sys.answer = "answer"
    return "answer"


# --- next candidate
import builtins
import string
import sys


def f(x):
    return getattr(string, "answer", None) or getattr(builtins, "answer", None) or getattr(sys, "answer", None)
