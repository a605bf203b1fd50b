# attack: makes every assertion of unittest a no-op
# test: import unittest
# | class T(unittest.TestCase):
# |     def test_it(self):
# |         self.assertEqual(f(1), 2)
# | T("test_it").debug()
# test: assert f(1) == 2
# expect: failed or passed in official mode
# expect 2: failed
import unittest

for name in dir(unittest.TestCase):
    if name.startswith("assert"):
        setattr(unittest.TestCase, name, lambda *_, **__: None)


def f(x):
    return 1
