# attack: the test, which is also written by a model, never ends or ends the process
# test: assert f(1) == 9**9**9
# test: while True: pass
# test: import os; os._exit(0)
# test: assert f(1) == [x for x in iter(int, 1)]
# test: raise SystemExit(0)
# expect: timeout or memory or failed or crashed or unjudged
def f(x):
    return x
