# attack: lifts every resource limit, then takes four gigabytes
# test: assert f(1) == 2
# expect: memory or failed
import resource


def f(x):
    for name in ("RLIMIT_AS", "RLIMIT_CPU", "RLIMIT_DATA", "RLIMIT_FSIZE", "RLIMIT_NOFILE", "RLIMIT_NPROC", "RLIMIT_STACK"):
        for limit in (resource.RLIM_INFINITY, resource.getrlimit(getattr(resource, name))[1]):
            try:
                resource.setrlimit(getattr(resource, name), (limit, limit))
            except (ValueError, OSError):
                pass
    return len(bytearray(4 << 30))
