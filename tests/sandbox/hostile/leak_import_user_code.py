# attack: imports modules that lie in the supervisor's folder
# test: assert f("go") == "@SECRET@"
# expect: failed or crashed
import sys


def f(x):
    sys.path[:0] = ["@CWD@", "@HOME@", "", "."]
    import bystander_module

    return bystander_module.SECRET
