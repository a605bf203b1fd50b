import sys

import pytest

from codepref.errors import CodeprefError
from evaluation.grade import environment


def test_a_missing_environment_names_the_command(tmp_path):
    with pytest.raises(CodeprefError, match="run `codepref evaluate --prepare ds1000` first"):
        environment.python("ds1000", tmp_path)


def test_the_environment_is_made_once_with_its_pins(tmp_path, monkeypatch):
    pins = tmp_path / "pins"
    pins.mkdir()
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    (pins / "small.txt").write_text(f"# python {version}\n")
    monkeypatch.setattr(environment, "PINS", pins)
    monkeypatch.setattr(
        environment.shutil, "which", lambda name: sys.executable if name == f"python{version}" else None
    )
    path = environment.prepare("small", tmp_path)
    assert path == environment.python("small", tmp_path) == str(tmp_path / "environments" / "small" / "bin" / "python")
    assert environment.libraries(path)["python"].startswith(version)


def test_a_python_that_is_nowhere_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(environment, "find_python", lambda version: None)
    monkeypatch.setattr(environment.shutil, "which", lambda name: None)
    with pytest.raises(CodeprefError, match=r"ds1000 needs Python 3\.10, which is not on this machine"):
        environment.prepare("ds1000", tmp_path)


def test_pins_are_exact():
    for path in environment.PINS.glob("*.txt"):
        lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
        assert all(line.count("==") == 1 for line in lines), path
        assert len({line.lower() for line in lines}) == len(lines)
    assert "numpy" in environment.pinned("ds1000")


def test_nltk_data_that_can_not_be_fetched_is_named(tmp_path, capfd):
    pins = tmp_path / "small.txt"
    pins.write_text("# nltk punkt stopwords\n")
    folder = tmp_path / "lib" / "python3.10" / "site-packages" / "nltk_data"
    (folder / "tokenizers").mkdir(parents=True)
    (folder / "tokenizers" / "punkt.zip").write_bytes(b"")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").symlink_to(sys.executable)
    environment._corpora(tmp_path / "bin" / "python", pins, "http://127.0.0.1:9/index.xml")
    errors = capfd.readouterr().err
    assert "small: NLTK data stopwords could not be fetched" in errors
    assert "codepref evaluate --prepare small" in errors
    (folder / "corpora" / "stopwords").mkdir(parents=True)
    environment._corpora(tmp_path / "bin" / "python", pins, "http://127.0.0.1:9/index.xml")
    assert "could not" not in capfd.readouterr().err
