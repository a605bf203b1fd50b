# attack: asks the system's databases who the user and the machine are
# test: assert f("go") is True
# expect: failed or crashed
import os
import pwd


def f(x):
    os.getlogin() if os.isatty(0) else None
    return pwd.getpwuid(0).pw_name == "root"
