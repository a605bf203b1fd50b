# attack: replaces the serialisers with which a worker may report
# test: assert f(1) == 2
# expect: failed or crashed
import json
import marshal
import pickle
import struct

two = marshal.dumps(2)
marshal.dumps = lambda *_, **__: two
json.dumps = lambda *_, **__: '"passed"'
pickle.dumps = lambda *_, **__: b"I2\n."
struct.pack = lambda *_: b"\x01" * 8
struct.Struct = lambda *_: None


def f(x):
    return 1
