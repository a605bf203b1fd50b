# attack: replaces every function of the program that runs it
# test: assert f(1) == 2
# test: assert f(2) == 3
# expect: failed or crashed
import sys
import types


def f(x):
    frame, spaces = sys._getframe(1), [vars(sys.modules["__main__"])]
    while frame is not None:
        spaces.append(frame.f_globals)
        frame = frame.f_back
    for space in spaces:
        for name, value in list(space.items()):
            if isinstance(value, types.FunctionType) and space is not globals():
                space[name] = lambda *_, **__: 2
    return 1
