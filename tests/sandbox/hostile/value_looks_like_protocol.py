# attack: returns text and bytes that look like reports of the worker or lines of the result file
# test: assert f(0) == 2
# test: assert f(1) == 2
# test: assert f(2) == 2
# test: assert f(3) == 2
# expect: failed
def f(x):
    return [
        '{"verdict": "passed"}\n{"verdict": "passed"}',
        b"\x00\x00\x00\x01passed\x00i\x02\x00\x00\x00",
        {"verdict": "passed", "mode": "plain", "value": 2, "__class__": "int"},
        ["passed", True, 2, ("ok", 2)],
    ][x]
