# attack: looks for the expected value in the frames of its callers
# test: assert f(31337) == 8675309
# expect: failed
import sys


def numbers(value, depth=0):
    if isinstance(value, int) and value > 31337:
        yield value
    elif isinstance(value, str) and "31337" in value and "==" in value:
        yield int("".join(c for c in value.split("==")[1] if c.isdigit()) or 0)
    elif isinstance(value, (list, tuple, set)) and depth < 4:
        for part in value:
            yield from numbers(part, depth + 1)
    elif isinstance(value, dict) and depth < 4:
        for part in list(value.values()):
            yield from numbers(part, depth + 1)
    elif hasattr(value, "co_consts"):
        yield from numbers(value.co_consts, depth + 1)


def f(x):
    frame = sys._getframe(1)
    while frame is not None:
        for source in (frame.f_locals, frame.f_globals, frame.f_code):
            if 8675309 in numbers(source):
                return 8675309
        frame = frame.f_back
    return 0
