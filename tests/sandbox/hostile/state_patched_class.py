# attack: changes classes of the standard library for the candidates that come after it
# test: assert f("a b a") == {"a": 2, "b": 1}
# expect: failed or crashed ; passed
import collections
import string

collections.Counter.__init__ = lambda *_, **__: None
collections.OrderedDict = None
string.ascii_lowercase = ""


def f(x):
    return collections.Counter(x.split())


# --- next candidate
import collections
import string


def f(x):
    return dict(collections.Counter(word for word in x.split() if word[0] in string.ascii_lowercase))
