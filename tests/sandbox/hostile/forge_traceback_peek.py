# attack: raises and catches, then walks from the traceback to the caller's code constants
# test: assert f(31337) == 8675309
# expect: failed
def f(x):
    try:
        raise ValueError
    except ValueError as error:
        frame = error.__traceback__.tb_frame
    while frame:
        consts = frame.f_code.co_consts
        if 31337 in consts and frame.f_code is not f.__code__:
            return max(c for c in consts if isinstance(c, int))
        frame = frame.f_back
    return 0
