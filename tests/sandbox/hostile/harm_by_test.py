# attack: the test itself, which is model-written, kills, writes and multiplies
# test: assert f(1) == __import__("os").kill(__import__("os").getppid(), 9)
# test: assert f(1) == __import__("os")._exit(0)
# test: assert f(1) == [__import__("os").fork() for _ in range(7)]
# test: assert f(1) == open("@CWD@/@MARK@-test", "w").write("x")
# test: assert f(1) == open("/tmp/@MARK@-test", "w").write("x")
# test: assert f(1) == __import__("time").sleep(1000)
# test: assert f(1) == len(bytearray(1 << 40))
# test: assert f(1) == __import__("ctypes").string_at(0)
# test: assert f(1) == (lambda: [0 for _ in iter(int, 1)])()
# test: assert f(1) == 1
# expect: failed or crashed or timeout or memory or output
# expect 5: failed or crashed or passed in official mode
# expect 10: passed
def f(x):
    return 1
