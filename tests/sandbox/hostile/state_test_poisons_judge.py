# attack: a test, whose text is also untrusted, changes the process in which tests are judged
# test: assert f(1) == exec("import sys\nfor m in list(sys.modules.values()):\n    if hasattr(m, 'condition'): m.condition = lambda *_: (0, b'')")
# test: assert f(1) == 1 + 1
# test: assert f(1) == exec("import gc\nfor o in gc.get_objects():\n    if type(o).__name__ == 'Report': type(o).put = lambda *_: None")
# test: assert f(1) == 3 + 3
# test: assert f(1) == exec("import builtins\nbuiltins.eval = lambda *_: True")
# test: assert f(1) == 4 + 4
# test: assert f(1) == exec("raise SystemExit(0)")
# test: assert f(1) == 1 + 0
# expect: failed or crashed or timeout
# expect 8: passed
def f(x):
    return 1
