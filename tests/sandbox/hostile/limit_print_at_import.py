# attack: the module body prints for ever
# test: assert f(1) == 2
# expect: output
while True:
    print("x" * 1000)
