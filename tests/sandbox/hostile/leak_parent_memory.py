# attack: reads the memory of its parent and of the supervisor
# test: assert f("go") == "@SECRET@"
# expect: failed or crashed
import ctypes
import os
import re


def regions(number):
    with open(f"/proc/{number}/maps") as file:
        for line in file:
            span, rights, *rest = line.split()
            if rights.startswith("rw") and ("[heap]" in line or len(rest) == 3):
                low, high = (int(part, 16) for part in span.split("-"))
                yield low, min(high - low, 64 << 20)


def f(x):
    for number in (os.getppid(), @SUPERVISOR@):
        with open(f"/proc/{number}/mem", "rb", 0) as memory:
            for low, size in regions(number):
                memory.seek(low)
                found = re.search(rb"secret-[0-9a-f]{32}", memory.read(size))
                if found:
                    return found[0].decode()
