"""Hidden checks of the quickstart prompts: expressions, one per line, that hold for a right program.

Beside the function under test they may use `raises(f, *args)` (calling `f` raises ValueError) and
`unchanged(f, *args)` (calling `f` leaves its arguments equal to what they were).
"""

CHECKS = {
    "busy_blocks": """
busy_blocks([], 5) == []
busy_blocks([(10, 20)], 5) == [(10, 20, 1)]
busy_blocks([(0, 30), (40, 60)], 10) == [(0, 60, 2)]
busy_blocks([(0, 30), (41, 60)], 10) == [(0, 30, 1), (41, 60, 1)]
busy_blocks([(0, 100), (10, 20), (106, 110)], 5) == [(0, 100, 2), (106, 110, 1)]
busy_blocks([(0, 100), (10, 20), (104, 110)], 5) == [(0, 110, 3)]
busy_blocks([(60, 90), (0, 30), (30, 40)], 0) == [(0, 40, 2), (60, 90, 1)]
busy_blocks([(5, 6), (5, 9), (5, 7)], 0) == [(5, 9, 3)]
busy_blocks([(300, 310), (200, 210), (100, 110)], 1) == [(100, 110, 1), (200, 210, 1), (300, 310, 1)]
busy_blocks([(0, 50), (10, 20), (55, 60)], 5) == [(0, 60, 3)]
busy_blocks([(0, 10), (15, 20), (25, 30), (36, 40)], 5) == [(0, 30, 3), (36, 40, 1)]
busy_blocks([(100 * i, 100 * i + 90) for i in range(60)], 9) == [(100 * i, 100 * i + 90, 1) for i in range(60)]
unchanged(busy_blocks, [(60, 90), (0, 30), (10, 95)], 3)
""",
    "parse_duration": """
parse_duration("1h20m") == 4800
parse_duration("2d 45s") == 172845
parse_duration("  90s  ") == 90
parse_duration("0m") == 0
parse_duration("1d2h3m4s") == 93784
parse_duration("007m") == 420
parse_duration("100h 100s") == 360100
raises(parse_duration, "")
raises(parse_duration, "   ")
raises(parse_duration, "15")
raises(parse_duration, "5x")
raises(parse_duration, "10m 1h")
raises(parse_duration, "1h 1h")
raises(parse_duration, "1 h")
raises(parse_duration, "1.5h")
raises(parse_duration, "-5m")
raises(parse_duration, "1H")
raises(parse_duration, "h")
""",
    "error_peak": """
error_peak([], 60) == 0
error_peak([(1, "INFO"), (2, "warn")], 60) == 0
error_peak([(1, "ERROR")], 1) == 1
error_peak([(0, "ERROR"), (5, "ERROR"), (9, "ERROR")], 10) == 3
error_peak([(0, "ERROR"), (10, "ERROR")], 10) == 1
error_peak([(7, "ERROR"), (7, "error"), (7, "eRRor")], 1) == 3
error_peak([(1, "ERRORS"), (2, "ERROR"), (3, "MYERROR")], 10) == 1
error_peak([(9, "ERROR"), (11, "ERROR"), (30, "ERROR")], 10) == 2
error_peak([(20, "ERROR"), (1, "ERROR"), (22, "ERROR"), (2, "ERROR"), (21, "ERROR")], 5) == 3
error_peak([(5, "ERROR"), (0, "ERROR"), (-5, "ERROR"), (4, "INFO")], 6) == 2
error_peak([(i * 3, "ERROR") for i in range(50)], 10) == 4
error_peak([(i, "ERROR" if i % 2 else "INFO") for i in range(100)], 10) == 5
error_peak([(100, "ERROR"), (0, "ERROR"), (100, "INFO"), (50, "Error")], 51) == 2
""",
    "split_invoice": """
split_invoice(100, [1, 1, 1]) == [34, 33, 33]
split_invoice(100, [1, 2]) == [33, 67]
split_invoice(0, [5, 5]) == [0, 0]
split_invoice(10, [0, 1]) == [0, 10]
split_invoice(1, [1, 1]) == [1, 0]
split_invoice(5, [1, 1, 1, 1]) == [2, 1, 1, 1]
split_invoice(11, [1, 3, 4]) == [1, 4, 6]
split_invoice(3, [5, 5, 5, 5]) == [1, 1, 1, 0]
split_invoice(101, [3, 3, 4]) == [30, 30, 41]
split_invoice(7, [9]) == [7]
split_invoice(5, [3, 3, 2]) == [2, 2, 1]
split_invoice(10, [5, 10, 5, 1]) == [2, 5, 2, 1]
split_invoice(10**20 + 1, [1, 1, 1]) == [33333333333333333334, 33333333333333333334, 33333333333333333333]
raises(split_invoice, 10, [])
raises(split_invoice, 10, [0, 0])
raises(split_invoice, 0, [0])
unchanged(split_invoice, 10, [3, 1, 2])
""",
    "rank_runners": """
rank_runners({}) == {}
rank_runners({"solo": 99}) == {"solo": 1}
rank_runners({"a": 10, "b": 12, "c": 12, "d": 15}) == {"a": 1, "b": 2, "c": 2, "d": 4}
rank_runners({"ann": 61, "bob": 61, "cy": 70}) == {"ann": 1, "bob": 1, "cy": 3}
rank_runners({"a": None, "b": None}) == {"a": None, "b": None}
rank_runners({"a": None, "b": 8, "c": 7}) == {"c": 1, "b": 2, "a": None}
list(rank_runners({"z": None, "b": 3, "a": 3, "y": None, "c": 1})) == ["c", "a", "b", "y", "z"]
list(rank_runners({"b": 2, "a": 1})) == ["a", "b"]
rank_runners({"x": 5.5, "y": 5.5, "z": 5.5, "w": 9.0}) == {"x": 1, "y": 1, "z": 1, "w": 4}
rank_runners({"p": 1, "q": 1, "r": 2, "s": 2, "t": 3}) == {"p": 1, "q": 1, "r": 3, "s": 3, "t": 5}
rank_runners({"a": 3, "b": 2, "c": 1}) == {"c": 1, "b": 2, "a": 3}
rank_runners({"a": 0, "b": 1}) == {"a": 1, "b": 2}
unchanged(rank_runners, {"a": 3, "b": None, "c": 1})
""",
    "seat_ranges": """
seat_ranges([]) == ""
seat_ranges(["C5"]) == "C5"
seat_ranges(["A1", "A2", "A3", "B7"]) == "A1-3, B7"
seat_ranges(["A1", "A2"]) == "A1-2"
seat_ranges(["A9", "A11", "A10"]) == "A9-11"
seat_ranges(["A2", "A10", "A1"]) == "A1-2, A10"
seat_ranges(["A1", "A1", "A2", "A2"]) == "A1-2"
seat_ranges(["A4", "B5"]) == "A4, B5"
seat_ranges(["B2", "A1", "B1"]) == "A1, B1-2"
seat_ranges(["D1", "D2", "D4", "D5", "D7"]) == "D1-2, D4-5, D7"
seat_ranges(["Z10", "Z2"]) == "Z2, Z10"
seat_ranges(["A1", "A3", "A2", "A5", "A4"]) == "A1-5"
seat_ranges(["C1", "B1", "A1"]) == "A1, B1, C1"
unchanged(seat_ranges, ["B2", "A1", "B1", "A1"])
""",
    "sort_releases": """
sort_releases([]) == []
sort_releases(["1.10", "1.9", "1.2"]) == ["1.2", "1.9", "1.10"]
sort_releases(["2.0", "2.0-rc.1"]) == ["2.0-rc.1", "2.0"]
sort_releases(["1.0-rc.1", "1.0-beta.2", "1.0-alpha.9"]) == ["1.0-alpha.9", "1.0-beta.2", "1.0-rc.1"]
sort_releases(["1.4.0", "1.4"]) == ["1.4.0", "1.4"]
sort_releases(["1.4", "1.4.0.0", "1.4.0"]) == ["1.4", "1.4.0.0", "1.4.0"]
sort_releases(["1.0-rc.10", "1.0-rc.9"]) == ["1.0-rc.9", "1.0-rc.10"]
sort_releases(["3.0-rc.1", "3.0-rc", "3.0-beta"]) == ["3.0-beta", "3.0-rc", "3.0-rc.1"]
sort_releases(["2.0-rc.0", "2.0-rc"]) == ["2.0-rc.0", "2.0-rc"]
sort_releases(["1.0", "0.9-rc.3", "0.9"]) == ["0.9-rc.3", "0.9", "1.0"]
sort_releases(["1.1", "1.0.10", "1.0.0.300"]) == ["1.0.0.300", "1.0.10", "1.1"]
sort_releases(["1.0.1-alpha", "1.0", "1.0.0"]) == ["1.0", "1.0.0", "1.0.1-alpha"]
sort_releases(["10", "9.12", "9.2-rc"]) == ["9.2-rc", "9.12", "10"]
unchanged(sort_releases, ["2", "1", "1-rc"])
""",
    "pick_route": """
pick_route({}) == []
pick_route({"glue": (4, 4)}) == ["glue"]
pick_route({"a": (2, 1), "b": (2, 3)}) == ["a", "b"]
pick_route({"b": (2, 3), "a": (2, 9)}) == ["b", "a"]
pick_route({"nut": (1, 5), "bolt": (1, 2), "cap": (2, 1), "dowel": (2, 9)}) == ["bolt", "nut", "dowel", "cap"]
pick_route({"a": (1, 1), "b": (3, 1), "c": (3, 7)}) == ["a", "c", "b"]
pick_route({"x": (1, 1), "q": (2, 5), "p": (2, 5), "r": (2, 6)}) == ["x", "r", "p", "q"]
pick_route({"y": (1, 1), "x": (1, 1)}) == ["x", "y"]
pick_route({"a": (5, 1), "b": (1, 2), "c": (3, 3)}) == ["b", "c", "a"]
pick_route({"w": (1, 2), "v": (2, 2), "u": (2, 8), "t": (4, 1), "s": (4, 6)}) == ["w", "u", "v", "t", "s"]
pick_route({"a": (2, 1), "b": (4, 1), "c": (4, 2), "d": (6, 1), "e": (6, 2)}) == ["a", "c", "b", "d", "e"]
pick_route({"e": (0, 1), "f": (-2, 5), "g": (-2, 3)}) == ["g", "f", "e"]
unchanged(pick_route, {"b": (2, 3), "a": (1, 9)})
""",
    "clip_label": """
clip_label("hello", 5) == "hello"
clip_label("hello world", 8) == "hello w~"
clip_label("hello world", 7) == "hello~"
clip_label("", 1) == ""
clip_label("a", 1) == "a"
clip_label("abc", 1) == "~"
clip_label("日本語", 6) == "日本語"
clip_label("日本語", 5) == "日本~"
clip_label("日本語", 4) == "日~"
clip_label("日本語", 2) == "~"
clip_label("日a語b", 5) == "日a~"
clip_label("日a語b", 4) == "日a~"
clip_label("ab語c", 4) == "ab~"
clip_label("\\u2e80\\u2e80", 3) == "\\u2e80~"
clip_label("Ａ4 sheet", 5) == "Ａ4~"
clip_label("ab\\t cdefgh", 5) == "ab\\t~"
clip_label("ends with spaces   ", 19) == "ends with spaces   "
clip_label("     x", 4) == "~"
""",
    "stockout_day": """
stockout_day(10, {}, {1: 4, 2: 7}) == 2
stockout_day(10, {2: 5}, {1: 4, 2: 7}) is None
stockout_day(0, {}, {}) is None
stockout_day(5, {}, {1: 5}) is None
stockout_day(5, {}, {1: 6}) == 1
stockout_day(0, {3: 10}, {3: 10}) is None
stockout_day(0, {3: 10}, {2: 1}) == 2
stockout_day(1, {2: 4}, {5: 5}) is None
stockout_day(1, {2: 4, 3: 1}, {5: 6, 6: 1}) == 6
stockout_day(3, {}, {9: 2, 4: 2}) == 9
stockout_day(0, {9: 2, 1: 2}, {9: 3, 1: 1}) is None
stockout_day(0, {5: 3}, {}) is None
stockout_day(2, {7000: 1}, {8000: 4}) == 8000
unchanged(stockout_day, 1, {2: 4}, {5: 5})
""",
    "check_letter": """
check_letter("0") == "A"
check_letter("1") == "D"
check_letter("10") == "H"
check_letter("100") == "B"
check_letter("1000") == "D"
check_letter("A") == "H"
check_letter("Z") == "P"
check_letter("12") == "P"
check_letter("21") == "T"
check_letter("1-2-") == "P"
check_letter("-12") == "P"
check_letter("00012") == "P"
raises(check_letter, "")
raises(check_letter, "--")
raises(check_letter, "12 34")
raises(check_letter, "a1")
raises(check_letter, "12\\u00b2")
check_letter("12-34") == check_letter("1234") != check_letter("4321")
""",
    "startup_waves": """
startup_waves({}) == []
startup_waves({"b": [], "a": []}) == [["a", "b"]]
startup_waves({"web": ["db"]}) == [["db"], ["web"]]
startup_waves({"a": ["b"], "b": ["c"], "c": []}) == [["c"], ["b"], ["a"]]
startup_waves({"d": ["b", "c"], "b": ["a"], "c": ["a"], "a": []}) == [["a"], ["b", "c"], ["d"]]
startup_waves({"a": [], "b": ["a"], "c": ["a", "b"]}) == [["a"], ["b"], ["c"]]
startup_waves({"z": ["y"], "m": []}) == [["m", "y"], ["z"]]
startup_waves({"a": ["b", "b"], "b": []}) == [["b"], ["a"]]
startup_waves({c: ["0"] for c in "qwertyuiop"}) == [["0"], sorted("qwertyuiop")]
raises(startup_waves, {"a": ["b"], "b": ["a"]})
raises(startup_waves, {"x": ["x"]})
raises(startup_waves, {"ok": [], "a": ["ok", "b"], "b": ["c"], "c": ["a"]})
unchanged(startup_waves, {"web": ["db", "cache"], "cache": []})
""",
    "admitted": """
admitted([], 3, 60) == []
admitted([0, 1, 2], 2, 10) == [True, True, False]
admitted([0, 10], 1, 10) == [True, True]
admitted([0, 9], 1, 10) == [True, False]
admitted([0, 5, 9, 10, 11], 2, 10) == [True, True, False, True, False]
admitted([0, 4, 8, 12], 1, 5) == [True, False, True, False]
admitted([5, 5, 5], 2, 1) == [True, True, False]
admitted([1, 2, 90], 0, 5) == [False, False, False]
admitted([8, 9, 10, 11], 2, 10) == [True, True, False, False]
admitted([0, 0, 30, 59, 60, 61], 2, 60) == [True, True, False, False, True, True]
admitted([0, 1, 2, 3, 4, 5, 6], 1, 3) == [True, False, False, True, False, False, True]
admitted([100, 200, 300], 1, 50) == [True, True, True]
sum(admitted(list(range(300)), 50, 100)) == 150
unchanged(admitted, [0, 1, 2, 50], 2, 10)
""",
    "config_diff": """
config_diff({}, {}) == []
config_diff({"a": "1"}, {"a": "2"}) == ["~ a: 1 -> 2"]
config_diff({}, {"port": "80"}) == ["+ port=80"]
config_diff({"port": "80"}, {}) == ["- port=80"]
config_diff({"b": "1", "c": "3"}, {"a": "0", "c": "4"}) == ["+ a=0", "- b=1", "~ c: 3 -> 4"]
config_diff({"a": "1", "z": "1"}, {"a": "2", "m": "1"}) == ["~ a: 1 -> 2", "+ m=1", "- z=1"]
config_diff({}, {"debug": None}) == ["+ debug="]
config_diff({"debug": None}, {}) == ["- debug="]
config_diff({"debug": None}, {"debug": "on"}) == ["~ debug:  -> on"]
config_diff({"debug": "on"}, {"debug": None}) == ["~ debug: on -> "]
config_diff({"k": None}, {"k": None}) == []
config_diff({"a": "1", "b": "2", "c": ""}, {"c": "", "b": "2"}) == ["- a=1"]
unchanged(config_diff, {"a": "1", "k": None}, {"b": "2"})
""",
    "thermostat_switches": """
thermostat_switches([], 18, 23) == []
thermostat_switches([17, 19, 22, 24, 20], 18, 23) == [(0, "on"), (3, "off")]
thermostat_switches([25, 25], 18, 23) == []
thermostat_switches([25, 17], 18, 23) == [(1, "on")]
thermostat_switches([18, 17.9, 23, 23.1], 18, 23) == [(1, "on"), (3, "off")]
thermostat_switches([20, 15, 14, 15, 30, 31], 18, 23) == [(1, "on"), (4, "off")]
thermostat_switches([15, 25, 15, 25], 18, 23) == [(0, "on"), (1, "off"), (2, "on"), (3, "off")]
thermostat_switches([20, 17, 19, 17, 19], 18, 23) == [(1, "on")]
thermostat_switches([-5, -1, 3], -2, 2) == [(0, "on"), (2, "off")]
thermostat_switches([19, 17, 24, 19, 16], 18, 23) == [(1, "on"), (2, "off"), (4, "on")]
thermostat_switches([5, 5, 5], 5, 5) == []
thermostat_switches([4, 6, 4, 5, 6], 5, 5) == [(0, "on"), (1, "off"), (2, "on"), (4, "off")]
thermostat_switches([20] * 50 + [10] + [20] * 50 + [30], 18, 23) == [(50, "on"), (101, "off")]
""",
    "shift_pay": """
shift_pay("09:00", "17:00", 2000) == 16000
shift_pay("22:00", "06:00", 1000) == 12000
shift_pay("20:00", "00:00", 1200) == 6000
shift_pay("08:00", "08:00", 1000) == 28000
shift_pay("23:00", "23:00", 1000) == 28000
shift_pay("05:00", "07:00", 1000) == 2500
shift_pay("21:59", "22:01", 60) == 2
shift_pay("12:00", "12:01", 100) == 1
shift_pay("06:00", "07:00", 1000) == 1000
shift_pay("05:59", "06:00", 2000) == 50
shift_pay("23:00", "07:30", 1500) == 18000
shift_pay("14:00", "22:30", 1400) == 12250
shift_pay("21:00", "20:00", 1000) == 27000
shift_pay("10:00", "10:50", 1010) == 841
shift_pay("09:00", "16:59", 1999) == 15958
shift_pay("07:00", "07:01", 59) == 0
""",
    "fill_gaps": """
fill_gaps([]) == []
fill_gaps([7]) == [7]
fill_gaps([None, None]) == [None, None]
fill_gaps([None, 5, None]) == [None, 5, None]
close(fill_gaps([1, None, 3]), [1, 2, 3])
close(fill_gaps([0.0, None, None, 3.0]), [0, 1, 2, 3])
close(fill_gaps([1, None, 2]), [1, 1.5, 2])
close(fill_gaps([10, None, None, None, 0]), [10, 7.5, 5, 2.5, 0])
close(fill_gaps([4, None, 0, None, 4]), [4, 2, 0, 2, 4])
close(fill_gaps([-3, None, 3, 9]), [-3, 0, 3, 9])
close(fill_gaps([0, None, None, None, 1]), [0, 0.25, 0.5, 0.75, 1])
fill_gaps([None, 1, 2, None]) == [None, 1, 2, None]
close(fill_gaps([0] + [None] * 99 + [100]), list(range(101)))
unchanged(fill_gaps, [1.0, None, 2.0])
""",
    "longest_streak": """
longest_streak([]) == 0
longest_streak([5]) == 1
longest_streak([1, 2, 3]) == 3
longest_streak([1, 2, 4, 5]) == 4
longest_streak([1, 2, 5, 6]) == 2
longest_streak([1, 3, 5, 7]) == 2
longest_streak([3, 1, 2, 2, 3]) == 3
longest_streak([-3, -2, 0, 1]) == 4
longest_streak([10, 11, 13, 15, 16, 17]) == 4
longest_streak([1, 2, 3, 10, 11, 13, 14, 15]) == 5
longest_streak([8, 8, 8]) == 1
longest_streak([1, 5, 9, 13]) == 1
longest_streak([6, 4, 3, 1, 2, 9]) == 5
longest_streak(list(range(50)) + list(range(51, 90))) == 89
unchanged(longest_streak, [3, 1, 2, 2])
""",
    "expand_field": """
expand_field("*", 0, 5) == [0, 1, 2, 3, 4, 5]
expand_field("*/15", 0, 59) == [0, 15, 30, 45]
expand_field("*/5", 1, 12) == [1, 6, 11]
expand_field("1-5", 0, 59) == [1, 2, 3, 4, 5]
expand_field("40,1-3", 0, 59) == [1, 2, 3, 40]
expand_field("3-9/2", 0, 59) == [3, 5, 7, 9]
expand_field("7/10", 0, 40) == [7, 17, 27, 37]
expand_field("2,2,1-3", 0, 9) == [1, 2, 3]
expand_field("59", 0, 59) == [59]
expand_field("4-4", 0, 9) == [4]
raises(expand_field, "60", 0, 59)
raises(expand_field, "0-3", 1, 12)
raises(expand_field, "*/0", 0, 59)
raises(expand_field, "9-3", 0, 9)
raises(expand_field, "mon", 0, 6)
raises(expand_field, "1,,2", 0, 6)
""",
    "tier_price": """
tier_price(0, [(10, 100), (None, 80)]) == 0
tier_price(5, [(10, 100), (None, 80)]) == 500
tier_price(10, [(10, 100), (None, 80)]) == 1000
tier_price(11, [(10, 100), (None, 80)]) == 1080
tier_price(15, [(10, 100), (None, 80)]) == 1400
tier_price(20, [(10, 50), (50, 40), (None, 30)]) == 900
tier_price(50, [(10, 50), (50, 40), (None, 30)]) == 2100
tier_price(60, [(10, 50), (50, 40), (None, 30)]) == 2400
tier_price(7, [(None, 3)]) == 21
tier_price(3, [(1, 10), (2, 8), (None, 5)]) == 23
tier_price(100, [(99, 7), (None, 6)]) == 699
tier_price(3000, [(2000, 2), (None, 1)]) == 5000
unchanged(tier_price, 15, [(10, 100), (None, 80)])
""",
    "replay_keys": """
replay_keys([]) == ""
replay_keys(["a", "b", "c"]) == "abc"
replay_keys(["a", "LEFT", "b"]) == "ba"
replay_keys(["a", "b", "BACK"]) == "a"
replay_keys(["BACK", "a"]) == "a"
replay_keys(["a", "b", "HOME", "DEL"]) == "b"
replay_keys(["a", "b", "DEL"]) == "ab"
replay_keys(["a", "b", "HOME", "c", "END", "d"]) == "cabd"
replay_keys(["LEFT", "BACK", "DEL", "x"]) == "x"
replay_keys(["a", "RIGHT", "RIGHT", "b", "LEFT", "c"]) == "acb"
replay_keys(["a", "b", "c", "LEFT", "LEFT", "BACK", "x"]) == "xbc"
replay_keys(["a", "b", "LEFT", "BACK", "c", "d"]) == "cdb"
replay_keys(["END", "a", "LEFT", "LEFT", "LEFT", "b"]) == "ba"
unchanged(replay_keys, ["a", "LEFT", "b", "DEL"])
""",
    "clamp_levels": """
clamp_levels([], 0, 10) == []
clamp_levels([1, 5, 9], 2, 8) == [2, 5, 8]
clamp_levels([-5, 0, 5], -1, 1) == [-1, 0, 1]
clamp_levels([3, 3], 3, 3) == [3, 3]
clamp_levels([10], 0, 5) == [5]
clamp_levels([7, 1], 0, 9) == [7, 1]
clamp_levels([0, 100, 50], 10, 90) == [10, 90, 50]
clamp_levels([4, 8], 5, 5) == [5, 5]
clamp_levels([-1, 11], 0, 10) == [0, 10]
clamp_levels([0, 10], 0, 10) == [0, 10]
clamp_levels([-100, -50], -60, -40) == [-60, -50]
clamp_levels(list(range(20)), 5, 7) == [5] * 6 + [6] + [7] * 13
unchanged(clamp_levels, [1, 99], 0, 9)
""",
}
