# attack: ends the process with status 0 while the module body runs
# test: assert f(1) == 2
# test: assert f(2) == 3
# expect: crashed
import os

os._exit(0)
