# attack: returns bytes that would run a program if anybody unpickled them; as bytes they are an honest value
# test: assert f(1) == b"cos\nsystem\n(S'touch @CWD@/@MARK@-pickle'\ntR."
# test: assert f(1) == 2
# expect: passed
# expect 2: failed
def f(x):
    return b"cos\nsystem\n(S'touch @CWD@/@MARK@-pickle'\ntR."
