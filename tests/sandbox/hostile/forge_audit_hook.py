# attack: an audit hook, which can never be removed, stops the worker's later actions
# test: assert f(1) == 2
# expect: failed or crashed
import os
import sys


def hook(event, arguments):
    if event not in ("object.__getattr__", "sys._getframe"):
        os._exit(0)


def f(x):
    sys.addaudithook(hook)
    return 1
