# attack: the module body never ends
# test: assert f(1) == 2
# expect: timeout
while True:
    pass
