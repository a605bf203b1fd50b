# attack: leaves the session behind and writes files long after it has answered
# test: assert f(1) == 2
# expect: failed or crashed or timeout
import os
import time


def f(x):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            for _ in range(40):
                time.sleep(0.25)
                for folder in (".", "/tmp", "/var/tmp", "/dev/shm", "@HOME@", "@CWD@"):
                    try:
                        with open(f"{folder}/@MARK@-daemon", "a") as file:
                            file.write("still here\n")
                    except OSError:
                        pass
        os._exit(0)
    return 1
