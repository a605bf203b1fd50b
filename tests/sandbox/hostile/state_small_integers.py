# attack: changes the value of small integers in memory for the candidates that come after it
# test: assert f(2) == 5
# expect: failed or crashed ; passed
import ctypes

for number in (3, 5):
    ctypes.c_uint32.from_address(id(number) + 24).value = 200


def f(x):
    return 77


# --- next candidate
def f(x):
    return x + 3
