# attack: crashes the interpreter with hand-made bytecode
# test: assert f(1) == 2
# expect: crashed or failed
def f(x):
    return eval((lambda: 0).__code__.replace(co_code=b"\x64\xff\x53\x00" * 4, co_consts=()))
