# attack: writes into every folder it knows, the interpreter's own included
# test: assert f("go") == []
# expect: passed or crashed
# expect in library: passed or crashed
import os
import site
import sys


def f(x):
    own = os.path.realpath(os.getcwd())
    written = []
    folders = ["/", "/etc", "/usr/lib", "/root", "/home", "/opt", "/var/tmp", "/run", "/proc", "/sys", "/dev", "@HOME@", "@CWD@"]
    for folder in [*folders, *sys.path, sys.prefix, site.getusersitepackages(), os.path.dirname(os.__file__)]:
        if not folder or os.path.realpath(folder).startswith(own) and own != "/":
            continue
        try:
            with open(os.path.join(folder, "@MARK@-write"), "w") as file:
                file.write("1 + 1\n")
            written.append(folder)
        except OSError:
            pass
    return written
