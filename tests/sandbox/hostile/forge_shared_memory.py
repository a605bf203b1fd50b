# attack: finds the mappings through which the worker reports and fills them with success
# test: assert f(1) == 2
# test: assert f(2) == 3
# expect: failed or crashed
import gc
import marshal
import mmap


def f(x):
    wanted = [b"\x00", b"\x01", b"\xff", b"passed\n", marshal.dumps(2), marshal.dumps((0, 2))]
    for thing in gc.get_objects():
        views = [thing] if isinstance(thing, (mmap.mmap, memoryview, bytearray)) else []
        for view in views:
            try:
                size = len(view)
                fill = wanted[x % len(wanted)]
                view[:] = (fill * (size // len(fill) + 1))[:size]
            except (TypeError, ValueError, BufferError):
                pass
    return 1
