# honest: is checked by test functions and test classes with set-up
# test: def test_it():
# |     values = [f(n) for n in range(3)]
# |     assert values == [1, 2, 3]
# | test_it()
# test: import unittest
# | class T(unittest.TestCase):
# |     def setUp(self):
# |         self.n = 4
# |     def test_it(self):
# |         self.assertEqual(f(self.n), 5)
# | T("test_it").debug()
# test: for n in range(5):
# |     assert f(n) == n + 1
# test: def check(candidate):
# |     assert candidate(1) == 2
# |     assert candidate(2) == 4
# | check(f)
# expect: passed
# expect 4: failed
def f(x):
    return x + 1
