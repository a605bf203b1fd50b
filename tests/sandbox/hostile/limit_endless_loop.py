# attack: never returns
# test: assert f(1) == 2
# expect: timeout
def f(x):
    while True:
        pass
