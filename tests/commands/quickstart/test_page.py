"""The quickstart's report: what it says, and how it stands in a real browser."""

import copy
import json
import shutil
from html.parser import HTMLParser

import pytest

from codepref.commands.quickstart import page as report
from codepref.errors import CodeprefError

import browser  # isort: skip
import report_run  # isort: skip

SECTIONS = ["result", "prompt", "data", "speed", "repair", "training", "time", "on"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A run's folder, only to be read."""
    root = tmp_path_factory.mktemp("report") / "run"
    report_run.make(root)
    pair = report.read_page_content(root).example
    updates = [[1.0, 0.5 * score + 0.5, score] for score in pair.code_scores], [[1.0, 2.0, 4.0]] * len(pair.tests)
    told = copy.deepcopy(report_run.TOLD)
    told["example"] = {
        "prompt_id": pair.prompt_id,
        "convergence": {"codes": updates[0], "tests": updates[1]},
        "codes_right": report_run.CODES_RIGHT,
        "tests_right": report_run.TESTS_RIGHT,
    }
    report_run.tell(root, told)
    return root


@pytest.fixture(scope="module")
def html(folder):
    return report.write_page(folder).read_text(encoding="utf-8")


class Reader(HTMLParser):
    """Collects tags, attributes and text as a browser would take them."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.attributes, self.texts = [], [], []
        self.feed(html)
        self.text = " ".join("".join(self.texts).split())

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.texts += " " * (tag in ("p", "td", "th", "li", "div", "h1", "h2", "h3", "caption", "span"))
        self.attributes += attributes

    def handle_data(self, data):
        self.texts.append(data)


def said(root):
    return Reader(report.page(report.read_page_content(root))).text


@pytest.fixture
def partial(folder, tmp_path):
    """Makes a copy of the run with some keys of quickstart.json changed and some folders gone."""

    def made(*gone, **changes):
        root = tmp_path / "run"
        shutil.copytree(folder, root)
        for name in gone:
            shutil.rmtree(root / name)
        told = json.loads((root / report.FILE).read_text())
        report_run.tell(root, {key: value for key, value in {**told, **changes}.items() if value is not None})
        return root

    return made


def test_the_page_says_what_happened_and_what_it_does_not_show(html):
    text = Reader(html).text
    assert "Held-out pass@1 rose: 50.2 % before, 61.1 % after" in text
    assert "+10.9 [+7.8, +14.0]" in text
    assert "mostly the repair of those planted mistakes" in text
    assert "66.0 % of 250 pairs are right" in text
    assert "1 min 37 s" in text and "0.4 s" in text and "1 min 38 s in all" in text
    assert [value for name, value in Reader(html).attributes if name == "id" and value in SECTIONS] == SECTIONS
    assert "missing" not in [value for name, value in Reader(html).attributes if name == "class"]


def test_one_prompt_is_shown_all_the_way(folder, html):
    found, text = report.read_page_content(folder), Reader(html).text
    assert found.example.codes[found.example.chosen] in report_run.CODES
    assert "by the hidden tests the chosen one is right and the rejected one wrong" in text
    assert sum(map(sum, found.example.passed)) == html.count('class="pass"')
    cells = len(found.example.codes) * len(found.example.tests)
    assert html.count('class="pass"') + html.count('class="fail"') == cells
    assert "It passes 1 of 4 tests. This one fails" in text and "After 1 repair it passes all 4 tests" in text
    assert found.speedups[0] > 1.3 and f"{found.speedups[0]:.2f} times" in text


def test_texts_can_not_break_out(html):
    reader = Reader(html)
    assert not set(reader.tags) & {"script", "img", "b", "i", "iframe"}
    assert "</script><b>bold</b><img src=http://127.0.0.1:9/x onerror=alert(1)>" in reader.text
    assert not [value for name, value in reader.attributes if name.startswith("on") or "127.0.0.1" in (value or "")]
    assert "\\x1b[31m \\x202egnp" in reader.text and not set(html) & {"\x1b", "\u202e"}


def test_the_page_needs_nothing_but_itself(html):
    links = [value for name, value in Reader(html).attributes if name in ("src", "href", "srcset", "action")]
    assert all(link.startswith(("#", "data:")) or not {":", "//"} & set(link) for link in links)
    assert "url(" not in html and "@import" not in html and len(html.encode()) < 1_000_000


def test_the_same_folder_gives_the_same_bytes(folder, html, tmp_path):
    shutil.copytree(folder, tmp_path / "elsewhere")
    assert report.write_page(tmp_path / "elsewhere").read_text(encoding="utf-8") == html
    assert str(tmp_path) not in html and not list(folder.glob("*.part*"))


@pytest.mark.parametrize(
    ("change", "word"), [([-0.1, -0.2, -0.05], "fell"), ([0.1, -0.1, 0.2], "did not clearly change")]
)
def test_no_gain_is_not_called_one(partial, change, word):
    gain = {"name": "dpo", "greedy": change, "sampled": change, "won": 1, "lost": 9}
    assert f"Held-out pass@1 {word}: 50.2 % before" in said(partial(gains=[gain]))


def test_a_run_that_stopped_on_the_way_says_so(partial):
    text = said(partial("codeflow", "dstc", "dpo", scores=report_run.TOLD["scores"][:1], gains=None, example=None))
    assert "the run stopped before it was measured after" in text
    assert "CodeFlow: not built." in text and "DSTC: not built." in text
    assert "No repair in this run" in text and "No training in this run" in text
    assert "The scores on their way are not part of this run." in text


def test_a_build_that_did_not_finish_shows_how_far_it_came(partial):
    root = partial("codeflow", "dstc", "dpo", scores=None, gains=None, steps=None, evidence=None, commands=None)
    (root / "codedpo" / "manifest.json").unlink()
    text = said(root)
    assert "CodeDPO: not finished." in text and "This run has not been evaluated" in text
    assert "No pair: the CodeDPO dataset is not finished." in text and "programs 5 5" in text
    assert "Not measured in this run." in text and "No step has finished." in text


def test_a_weak_base_is_told_first(partial):
    evidence = {
        "prompts": 9,
        "codes_right": None,
        "tests_right": None,
        "weak": True,
        "words": "Too few tests are right.",
    }
    text = said(partial(evidence=evidence))
    assert text.index("Weak base. Too few tests are right.") < text.index("Skip to the result") + 700


def test_more_trained_models_stand_beside_the_first(partial):
    scores = [*report_run.TOLD["scores"], {**report_run.TOLD["scores"][1], "name": "kto", "title": "KTO <b>"}]
    gains = [*report_run.TOLD["gains"], {**report_run.TOLD["gains"][0], "name": "kto", "won": 77, "more": 1}]
    text = said(partial(scores=scores, gains=gains))
    assert "KTO <b> +10.9 [+7.8, +14.0] +10.4 [+5.4, +15.4] 77 6" in text


def test_a_truth_of_another_prompt_is_not_shown(partial):
    found = report.read_page_content(
        partial(example={"prompt_id": "gone", "codes_right": [True] * 5, "tests_right": [True] * 5})
    )
    assert found.example.prompt_id == "p<1>" and found.example.codes_right is None


def test_what_is_no_run_is_one_line(tmp_path, partial):
    with pytest.raises(CodeprefError, match=r"neither quickstart\.json nor a dataset here; give the folder"):
        report.write_page(tmp_path)
    root = partial(gains=[{"name": "dpo"}])
    with pytest.raises(CodeprefError, match=r"quickstart\.json: damaged \(KeyError: 'greedy'\); run the quickstart"):
        report.write_page(root)
    (root / report.FILE).write_text("[1")
    with pytest.raises(CodeprefError, match=r"quickstart\.json: damaged"):
        report.write_page(root)
    assert not list(root.glob("*.part*"))


def test_a_damaged_part_of_a_run_is_named(partial):
    root = partial()
    (root / "codeflow" / "manifest.json").write_text("{")
    assert "CodeFlow: can not be read." in said(root)
    (root / "dpo" / "manifest.json").write_text('{"result": {"curve": {"loss": [1]}}}')
    with pytest.raises(CodeprefError, match=r"dpo/manifest\.json: damaged \(TypeError: .*\); train again"):
        report.read_page_content(root)
    (file,) = (root / "codedpo" / "correctness").iterdir()
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(CodeprefError, match=r"parquet: can not be read \(.*\); build the dataset again"):
        report.read_page_content(root)


# --- in a browser ---


@pytest.fixture(scope="module")
def window(tmp_path_factory):
    if None in browser.found():
        pytest.skip("needs Chromium and ChromeDriver; on Debian: apt-get install chromium chromium-driver")
    with browser.started(tmp_path_factory.mktemp("chromium")) as made:
        yield made


@pytest.fixture
def opened(window, folder, html):
    """The page, freshly loaded; logs of what was before are gone."""
    window.log("browser")
    window.log("performance")
    window.look(1280, "light")
    window.open(folder / "report.html")
    return window


def requests(window):
    """Addresses that were asked for since the log was last read, but for `data:` and those of the browser's own pages."""
    events = [json.loads(entry["message"])["message"] for entry in window.log("performance")]
    sent = [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]
    return [address for address in sent if not address.startswith(("data:", "chrome:"))]


def test_it_loads_without_network_script_or_complaint(opened, folder):
    assert requests(opened) == [(folder / "report.html").as_uri()]
    assert opened.log("browser") == []
    assert opened.run("return document.querySelectorAll('script, img, iframe').length") == 0
    assert "</script><b>bold</b>" in opened.run("return document.querySelector('.task').textContent")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast_is_enough(opened, scheme):
    opened.look(1280, scheme)
    opened.run(browser.OPEN)
    assert opened.run(browser.CONTRAST) == []
    paper = opened.run("return getComputedStyle(document.body).backgroundColor")
    levels = [int(number) for number in paper[4:-1].split(",")]
    assert min(levels) > 200 if scheme == "light" else max(levels) < 60


@pytest.mark.parametrize("width", [360, 768, 1280])
def test_nothing_sticks_out(opened, width):
    opened.look(width, "light")
    opened.run(browser.OPEN)
    assert opened.run(browser.TOO_WIDE) == [0, []]


def test_the_keyboard_reaches_everything_in_order(opened):
    count = opened.run(browser.REACHABLE)
    reached = []
    for _ in range(count):
        opened.press(browser.TAB)
        reached.append(opened.run(browser.FOCUSED))
    assert count > 15 and reached == [[place, True] for place in range(count)]


def test_charts_are_named_for_those_who_do_not_see_them(opened):
    names = opened.run("""return [...document.querySelectorAll('svg')].map(e => e.getAttribute('role') +
        e.getAttribute('aria-labelledby').split(' ').map(id => document.getElementById(id).textContent.length > 5))""")
    assert len(names) == 8 and set(names) == {"imgtrue,true"}
    ids = opened.run("return [...document.querySelectorAll('[id]')].map(e => e.id)")
    assert len(ids) == len(set(ids))


def test_the_measures_notice_a_bad_page(window, tmp_path):
    page = tmp_path / "bad.html"
    page.write_text(
        '<meta name="viewport" content="width=device-width"><body style="background:#fff"><p style="color:#999">pale</p><div style="width:900px">wide</div>'
        '<a href="#x" style="outline:none">x</a><img src="http://127.0.0.1:9/x"><script>console.error("no")</script>'
    )
    window.log("browser")
    window.log("performance")
    window.look(360, "light")
    window.open(page)
    assert [tag for tag, *_ in window.run(browser.CONTRAST)] == ["P"]
    assert window.run(browser.TOO_WIDE)[1] != []
    assert "http://127.0.0.1:9/x" in requests(window)
    assert any('"no"' in entry["message"] for entry in window.log("browser"))
    window.press(browser.TAB)
    assert window.run(browser.FOCUSED) == [0, False]
