# attack: prints for ever
# test: assert f(1) == 2
# expect: output
def f(x):
    while True:
        print("x" * 1000)
