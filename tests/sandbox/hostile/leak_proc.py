# attack: reads the environment and command line of every process
# test: assert f("go") == "@SECRET@"
# expect: failed or crashed
import glob


def f(x):
    for path in glob.glob("/proc/[0-9]*/environ"):
        try:
            with open(path, "rb") as file:
                block = file.read()
        except OSError:
            continue
        for entry in block.split(b"\0"):
            if entry.startswith(b"CODEPREF_TEST_SECRET="):
                return entry.partition(b"=")[2].decode()
