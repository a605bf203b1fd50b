# attack: returns more text than anybody wants to compare
# test: assert f(1) == "right"
# expect: output or failed or memory
def f(x):
    return "x" * 50_000_000
