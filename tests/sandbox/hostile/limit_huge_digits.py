# attack: turns a large integer into decimal digits, quadratic work inside one native call
# test: assert f(1) == "2"
# expect: timeout
import sys


def f(x):
    getattr(sys, "set_int_max_str_digits", lambda _: None)(0)
    return str(7**4_000_000)
