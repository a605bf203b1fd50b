# attack: leaves trace, profile, audit and collector hooks for the candidates that come after it
# test: assert f(1) == 2
# expect: failed or crashed ; passed
import gc
import os
import sys
import threading


def tracer(frame, event, argument):
    if frame.f_code.co_name == "f" and event == "return":
        os._exit(0)
    return tracer


def hook(event, arguments):
    if event == "compile":
        raise RuntimeError("no more code")


sys.settrace(tracer)
sys.setprofile(tracer)
threading.settrace(tracer)
sys.addaudithook(hook)
gc.callbacks.append(lambda *_: os._exit(0))


def f(x):
    return 0


# --- next candidate
def f(x):
    values = [[n] for n in range(2000)]
    return len(values) // 1000
