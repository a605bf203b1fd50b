# attack: reads whatever the supervisor still has to say from every descriptor, test texts included
# test: assert f(31337) == 8675309
# test: assert f(4) == 4
# expect: failed or crashed or timeout
# expect 2: passed or failed or crashed or timeout
import os
import re


def f(x):
    if x == 4:
        return 4
    for descriptor in range(64):
        try:
            os.set_blocking(descriptor, False)
            found = re.search(rb"31337\D+(\d+)", os.read(descriptor, 1 << 16))
        except OSError:
            continue
        if found:
            return int(found[1])
    return 0
