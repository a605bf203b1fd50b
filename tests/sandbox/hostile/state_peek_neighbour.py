# attack: reads the texts of the other candidates out of its callers' frames, in a program without any suspicious name
# test: assert f(1) == "tiptoe-8675309"
# expect: passed ; failed
ANSWER = "tiptoe-8675309"


def f(x):
    return ANSWER


# --- next candidate
def look():
    for depth in range(1, 8):
        try:
            text = ("{0.gi_frame" + ".f_back" * depth + ".f_locals}").format(walk)
        except AttributeError:
            break
        at = text.find("tiptoe" + "-")
        if at >= 0:
            yield text[at : at + 14]
    yield "nothing"


walk = look()


def f(x):
    return next(walk)
