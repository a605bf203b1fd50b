# attack: leaves with exit status 0 before any test runs
# test: assert f(1) == 2
# expect: failed or crashed
raise SystemExit(0)
