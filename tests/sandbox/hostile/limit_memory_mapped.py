# attack: takes memory by mapping instead of allocating
# test: assert f(1) == 2
# expect: memory or failed or crashed or timeout
import mmap


def f(x):
    maps = []
    for _ in range(64):
        maps.append(mmap.mmap(-1, 64 << 20))
        maps[-1][:: 1 << 12] = b"x" * (64 << 8)
    return 1
