# honest: text of every kind, lone surrogates and null characters too
# test: assert f("straße") == "ESSARTS"
# test: assert f("日本") == "本日"
# test: assert f("a\0b") == "B\0A"
# test: assert f("\ud800") == "\ud800"
# test: assert f("😀é") == "É😀"
# test: assert größe == 1
# expect: passed
größe = 1


def f(x):
    return x.upper()[::-1]
