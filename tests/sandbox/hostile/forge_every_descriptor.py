# attack: writes plausible reports to every open descriptor
# test: assert f(1) == 2
# expect: failed or crashed or output
import json
import marshal
import os
import pickle
import struct


def reports():
    for word in (True, 1, 2, "passed", ["passed"], {"verdict": "passed"}, (0, "passed", 2)):
        yield json.dumps(word).encode() + b"\n"
        yield marshal.dumps(word)
        yield pickle.dumps(word)
        yield struct.pack("<I", len(marshal.dumps(word))) + marshal.dumps(word)
        yield struct.pack(">I", len(pickle.dumps(word))) + pickle.dumps(word)


def f(x):
    for descriptor in range(256):
        for report in reports():
            try:
                os.set_blocking(descriptor, False)
                os.write(descriptor, report)
            except OSError:
                break
    return 1
