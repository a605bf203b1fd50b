# attack: leaves a trace function that skips over failing lines of its callers
# test: assert f(1) == 1
# test: assert f(2) == 3
# expect: passed or failed
# expect 2: failed
import sys


def tracer(frame, event, argument):
    if event == "line" and frame.f_code.co_name == "<module>":
        try:
            frame.f_lineno = frame.f_lineno + 1
        except ValueError:
            pass
    return tracer


def f(x):
    sys.settrace(tracer)
    frame = sys._getframe(1)
    while frame is not None:
        frame.f_trace = tracer
        frame = frame.f_back
    return x
