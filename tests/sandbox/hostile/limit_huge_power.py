# attack: one native operation on integers of hundreds of megabytes
# test: assert f(1) == 2
# expect: timeout or memory
def f(x):
    return 9**9**9
