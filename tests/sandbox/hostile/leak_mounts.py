# attack: asks which file systems and devices the machine has
# test: assert f("go") is True
# expect: failed or crashed
import os


def f(x):
    return any(os.path.exists(p) for p in ("/proc/mounts", "/sys/block", "/dev/sda", "/dev/vda", "/dev/mem", "/dev/kmsg"))
