import struct

from codepref.publish import plot


def size(data: bytes) -> tuple[int, int]:
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    return struct.unpack(">II", data[16:24])


def test_the_same_numbers_give_the_same_bytes(tmp_path):
    series = {"a": [(0, 1.0), (1, 2.0)], "b": [(0, 2.0), (1, 1.0)]}
    for name in ("one.png", "folder/two.png"):
        plot.line_plot(tmp_path / name, "title", ("round", "share"), series)
    data = (tmp_path / "one.png").read_bytes()
    assert data == (tmp_path / "folder" / "two.png").read_bytes()
    assert size(data) == (921, 518)
    assert b"Software" not in data
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "one.png"]


def test_other_numbers_give_another_picture(tmp_path):
    plot.bar_plot(tmp_path / "one.png", "t", "pass@1", {"base": 0.4, "tuned": 0.6}, {"tuned": (0.5, 0.7)})
    plot.bar_plot(tmp_path / "two.png", "t", "pass@1", {"base": 0.4, "tuned": 0.6}, {"tuned": (0.4, 0.7)})
    assert (tmp_path / "one.png").read_bytes() != (tmp_path / "two.png").read_bytes()


def test_a_series_without_points_is_drawn_empty(tmp_path):
    plot.line_plot(tmp_path / "one.png", "t", ("x", "y"), {"a": []})
    assert (tmp_path / "one.png").stat().st_size > 1000
