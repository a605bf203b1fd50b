# attack: attaches to its parent as a debugger
# test: assert f(1) == 0
# expect: failed or crashed
import ctypes
import os


def f(x):
    attached = 0
    for number in (os.getppid(), @BYSTANDER@):
        attached += ctypes.CDLL(None).ptrace(16, number, 0, 0) == 0
    return attached or -1
