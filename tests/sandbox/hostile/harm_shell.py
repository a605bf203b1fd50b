# attack: leaves a background job of the shell behind
# test: assert f(1) == 2
# expect: failed or crashed or timeout
import os
import subprocess


def f(x):
    for shell in ("/bin/sh", "sh", "/bin/busybox"):
        try:
            subprocess.Popen([shell, "-c", "(sleep 60; echo late > @CWD@/@MARK@-shell) &"], start_new_session=True)
        except OSError:
            pass
    os.system("echo here > @HOME@/@MARK@-shell")
    return 1
