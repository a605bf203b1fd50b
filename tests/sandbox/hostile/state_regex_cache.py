# attack: fills a library's cache with an entry that equals every other key
# test: assert f("aaab") == "aaa"
# expect: failed or crashed ; passed
import re

Meta = type("Meta", (type,), {"__eq__": lambda a, b: True, "__hash__": lambda a: hash(str)})
Text = Meta("Text", (str,), {"__eq__": lambda a, b: True, "__hash__": lambda a: hash("a+")})
re.compile(Text("b+"))


def f(x):
    return "wrong"


# --- next candidate
import re


def f(x):
    return re.match("a+", x).group(0)
