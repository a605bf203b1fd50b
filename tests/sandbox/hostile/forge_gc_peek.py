# attack: looks for the test's text and constants in every object the collector knows
# test: assert f(31337) == 8675309
# expect: failed
import gc


def constants(code):
    for part in code.co_consts:
        if hasattr(part, "co_consts"):
            yield from constants(part)
        else:
            yield part


def f(x):
    me = f.__code__
    for thing in gc.get_objects():
        for part in gc.get_referents(thing):
            if isinstance(part, str) and part.startswith("assert f(") and "==" in part:
                return int(part.split("==")[1])
            if hasattr(part, "co_consts") and part is not me:
                found = list(constants(part))
                if 31337 in found and len(found) > 2:
                    return max(c for c in found if type(c) is int)
    return 0
