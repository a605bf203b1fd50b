import jinja2
import pytest

from codepref import templates


def test_a_missing_name_is_an_error_and_no_empty_text():
    with pytest.raises(jinja2.UndefinedError):
        templates.compile_template("{{ nothing }}").render()
    with pytest.raises(jinja2.UndefinedError):
        templates.environment().from_string("{{ nothing }}").render()


def test_tests_are_shown_by_a_filter():
    template = templates.compile_template("{{ test | shown }}")
    assert template.render(test="assert f(1)") == "assert f(1)"
    assert template.render(test='{"input": "1", "output": "2"}').startswith("Input:\n```\n1\n```")


def test_the_templates_of_cards_are_found():
    assert {"dataset.md.jinja", "model.md.jinja", "report.html.jinja"} <= set(templates.environment().list_templates())


def test_only_the_page_is_escaped():
    assert templates.environment(autoescape=True).from_string("{{ x }}").render(x="<") == "&lt;"
    assert templates.environment().from_string("{{ x }}").render(x="<") == "<"
