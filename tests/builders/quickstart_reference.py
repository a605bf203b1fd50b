"""Reference solutions of the quickstart prompts; the truth about its codes and tests is derived from them."""

import re
from bisect import bisect_left, bisect_right
from collections import Counter, deque
from itertools import accumulate, pairwise


def busy_blocks(bookings, cleanup):
    blocks = []
    for start, end in sorted(bookings):
        if blocks and start <= blocks[-1][1] + cleanup:
            first, last, count = blocks.pop()
            blocks.append((first, max(last, end), count + 1))
        else:
            blocks.append((start, end, 1))
    return blocks


def parse_duration(text):
    match = re.fullmatch(r" *(?:([0-9]+)d *)?(?:([0-9]+)h *)?(?:([0-9]+)m *)?(?:([0-9]+)s *)?", text)
    if match is None or not any(match.groups()):
        raise ValueError(text)
    return sum(int(number or 0) * size for number, size in zip(match.groups(), (86400, 3600, 60, 1), strict=True))


def error_peak(events, window):
    times = sorted(second for second, level in events if level.upper() == "ERROR")
    return max((i + 1 - bisect_right(times, t - window) for i, t in enumerate(times)), default=0)


def split_invoice(total_cents, weights):
    whole = sum(weights)
    if whole == 0:
        raise ValueError("no positive weight")
    shares = [total_cents * weight // whole for weight in weights]
    by_loss = sorted(range(len(weights)), key=lambda i: (-(total_cents * weights[i] % whole), i))
    for i in by_loss[: total_cents - sum(shares)]:
        shares[i] += 1
    return shares


def rank_runners(times):
    clock = sorted(t for t in times.values() if t is not None)
    finished = sorted((t, name) for name, t in times.items() if t is not None)
    ranks = {name: bisect_left(clock, t) + 1 for t, name in finished}
    return ranks | dict.fromkeys(sorted(name for name, t in times.items() if t is None))


def seat_ranges(seats):
    runs = []
    for row, number in sorted({(seat[0], int(seat[1:])) for seat in seats}):
        if runs and runs[-1][0] == row and runs[-1][2] == number - 1:
            runs[-1][2] = number
        else:
            runs.append([row, number, number])
    return ", ".join(f"{row}{first}" + (f"-{last}" if last > first else "") for row, first, last in runs)


def sort_releases(tags):
    def key(tag):
        version, _, suffix = tag.partition("-")
        stage, _, count = suffix.partition(".")
        numbers = [int(part) for part in version.split(".")]
        return numbers + [0] * (4 - len(numbers)), ["alpha", "beta", "rc", ""].index(stage), int(count or 0)

    return sorted(tags, key=key)


def pick_route(items):
    visited = sorted({aisle for aisle, _ in items.values()})
    sign = {aisle: -1 if i % 2 else 1 for i, aisle in enumerate(visited)}
    return sorted(items, key=lambda name: (items[name][0], sign[items[name][0]] * items[name][1], name))


def clip_label(text, width):
    ends = list(accumulate(2 if ord(char) >= 0x2E80 else 1 for char in text))
    if not ends or ends[-1] <= width:
        return text
    return text[: bisect_right(ends, width - 1)].rstrip(" ") + "~"


def stockout_day(stock, deliveries, orders):
    for day in sorted({*deliveries, *orders}):
        stock += deliveries.get(day, 0) - orders.get(day, 0)
        if stock < 0:
            return day
    return None


def check_letter(parcel):
    chars = parcel.replace("-", "")
    if not re.fullmatch("[0-9A-Z]+", chars):
        raise ValueError(parcel)
    total = sum(int(char, 36) * (3, 7, 1)[i % 3] for i, char in enumerate(reversed(chars)))
    return "ABCDEFGHJKLMNPQRSTUVWXY"[total % 23]


def startup_waves(needs):
    waiting = {name: set() for deps in needs.values() for name in deps} | {k: set(v) for k, v in needs.items()}
    waves = []
    while waiting:
        wave = sorted(name for name, deps in waiting.items() if not deps)
        if not wave:
            raise ValueError("circle")
        waves.append(wave)
        waiting = {name: deps - set(wave) for name, deps in waiting.items() if deps}
    return waves


def admitted(times, limit, window):
    recent, answers = deque(), []
    for t in times:
        while recent and recent[0] <= t - window:
            recent.popleft()
        answers.append(len(recent) < limit)
        if answers[-1]:
            recent.append(t)
    return answers


def config_diff(old, new):
    lines = []
    for key in sorted({*old, *new}):
        before, after = old.get(key) or "", new.get(key) or ""
        if key not in old:
            lines.append(f"+ {key}={after}")
        elif key not in new:
            lines.append(f"- {key}={before}")
        elif old[key] != new[key]:
            lines.append(f"~ {key}: {before} -> {after}")
    return lines


def thermostat_switches(readings, low, high):
    state, switches = "off", []
    for i, reading in enumerate(readings):
        wanted = "on" if reading < low else "off" if reading > high else state
        if wanted != state:
            switches.append((i, wanted))
        state = wanted
    return switches


def shift_pay(start, end, cents_per_hour):
    begin, finish = (int(clock[:2]) * 60 + int(clock[3:]) for clock in (start, end))
    if finish <= begin:
        finish += 1440
    minutes = Counter(360 <= minute % 1440 < 1320 for minute in range(begin, finish))
    return (2 * minutes[True] + 3 * minutes[False]) * cents_per_hour // 120


def fill_gaps(values):
    filled = list(values)
    known = [i for i, value in enumerate(values) if value is not None]
    for a, b in pairwise(known):
        for i in range(a + 1, b):
            filled[i] = values[a] + (values[b] - values[a]) * (i - a) / (b - a)
    return filled


def longest_streak(days):
    ordered = sorted(set(days))
    best = left = 0
    for right, day in enumerate(ordered):
        while day - ordered[left] > right - left + 1:
            left += 1
        best = max(best, right - left + 1)
    return best


def expand_field(field, low, high):
    numbers = set()
    for part in field.split(","):
        match = re.fullmatch(r"(\*|\d+)(?:-(\d+))?(/\d+)?", part)
        if match is None or (match[1] == "*" and match[2]):
            raise ValueError(part)
        step = int(match[3][1:]) if match[3] else 1
        first = low if match[1] == "*" else int(match[1])
        last = int(match[2]) if match[2] else high if match[1] == "*" or match[3] else first
        if step == 0 or not low <= first <= last <= high:
            raise ValueError(part)
        numbers.update(range(first, last + 1, step))
    return sorted(numbers)


def tier_price(quantity, tiers):
    total = below = 0
    for up_to, cents in tiers:
        edge = quantity if up_to is None else min(quantity, up_to)
        total += (edge - below) * cents
        below = edge
    return total


def replay_keys(keys):
    text, cursor = "", 0
    for key in keys:
        if len(key) == 1:
            text, cursor = text[:cursor] + key + text[cursor:], cursor + 1
        elif key == "BACK" and cursor:
            text, cursor = text[: cursor - 1] + text[cursor:], cursor - 1
        elif key == "DEL":
            text = text[:cursor] + text[cursor + 1 :]
        else:
            moves = {"LEFT": cursor - 1, "RIGHT": cursor + 1, "HOME": 0, "END": len(text)}
            cursor = min(max(moves.get(key, cursor), 0), len(text))
    return text


def clamp_levels(levels, low, high):
    return [min(max(level, low), high) for level in levels]
