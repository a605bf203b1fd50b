# attack: raises what a grader may take for the user's Ctrl-C
# test: assert f(1) == 2
# expect: failed or crashed
def f(x):
    raise KeyboardInterrupt
