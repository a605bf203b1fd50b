# attack: scans the interpreter's heap byte by byte for the text of the test
# test: assert f(31337) == 8675309
# expect: failed or crashed or timeout
import ctypes
import os
import re


def f(x):
    libc = ctypes.CDLL(None)
    source, sink = os.pipe()
    pages = {id(thing) >> 22 for thing in (object(), [], {}, "".join(["a"] * 99), f, os, b"x" * 5000)}
    for page in pages:
        for at in range((page - 1) << 22, (page + 2) << 22, 4096):
            if libc.write(sink, ctypes.c_void_p(at), 4096) == 4096:  # an unmapped page is an error, not a crash
                text = os.read(source, 4096)
                found = re.search(rb"assert f\(31337\) == (\d+)", text)
                if found:
                    return int(found[1])
    return 0
