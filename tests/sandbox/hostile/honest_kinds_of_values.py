# honest: bytes, complex numbers, sets, nested containers and Ellipsis
# test: assert f(0) == b"\x00\xff"
# test: assert f(1) == 3 + 4j
# test: assert f(2) == {(1, 2), (3, 4)}
# test: assert f(3) == {"a": [1, {"b": (2, None)}], 1: {2: {3}}}
# test: assert f(4) == frozenset({1, 2})
# test: assert f(5) == bytearray(b"ab")
# test: assert f(6) is None
# test: assert f(7) == ...
# test: assert f(8) == [[], (), {}, set(), "", b""]
# test: assert f(4) == {1, 2}
# test: assert f(5) == b"ab"
# test: assert f(9) == {2: "b", 1: "a"}
# expect: passed
def f(x):
    return [
        b"\x00\xff",
        3 + 4j,
        {(1, 2), (3, 4)},
        {"a": [1, {"b": (2, None)}], 1: {2: {3}}},
        frozenset({1, 2}),
        bytearray(b"ab"),
        None,
        ...,
        [[], (), {}, set(), "", b""],
        {1: "a", 2: "b"},
    ][x]
