from codepref.report.side_by_side import aligned


def test_difference_marks_words_in_alike_lines_and_whole_lines_otherwise():
    left, right = aligned("def f(x):\n    return x > 3\n", "def f(x):\n    y = [1]\n    return x >= 3\n")
    assert len(left) == len(right) == 3 and not left[0].changed
    assert [line.filler for line in left].count(True) == 1 and not any(line.filler for line in right)
    for before, after in (
        (left, "def f(x):\n    return x > 3\n"),
        (right, "def f(x):\n    y = [1]\n    return x >= 3\n"),
    ):
        kept = ["".join(text for text, _ in line.pieces) for line in before if not line.filler]
        assert kept == after.splitlines()
    alike, other = aligned("    return x > 3", "    return x >= 3")
    assert [text for text, differs in other[0].pieces if differs] == ["="] and alike[0].changed
    whole, _ = aligned("    return x", "    y = [1, 2]")
    assert whole[0].pieces == (("    ", False), ("return x", True))
