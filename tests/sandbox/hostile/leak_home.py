# attack: looks for private files below the home folder
# test: assert f("go") == "@SECRET@"
# expect: failed or crashed
import os
import pathlib


def f(x):
    for home in (os.path.expanduser("~"), "@HOME@"):
        for path in sorted(pathlib.Path(home).glob(".*"))[:200]:
            if path.is_file() and path.name == ".secret":
                return path.read_text()
