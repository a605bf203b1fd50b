"""The list of forms of tests: each is judged in the mode that the list says, and finds a wrong code out."""

import marshal

import forms
import pytest
from playing import judged

from codepref.sandbox import Job, Limits, Sandbox

LIMITS = Limits(cpu_s=2.0, wall_s=10.0)


@pytest.fixture(scope="module")
def cells():
    """Cells of right and wrong code, by name of the form."""
    named = {**forms.PLAIN, **forms.OFFICIAL, **forms.BLIND, **forms.MISSING}
    with Sandbox(LIMITS) as sandbox:
        matrix = sandbox.run(Job("forms", (forms.CODE, forms.WRONG), tuple(named.values()), "f"))
    blind = {name for place, name in enumerate(named) if place in matrix.blind}
    return {name: pair for name, *pair in zip(named, *matrix.cells, strict=True)}, blind


@pytest.mark.parametrize("name", [*forms.PLAIN, *forms.OFFICIAL])
def test_a_form_is_judged_in_its_mode(name, cells):
    if name == "parametrize":
        pytest.importorskip("pytest")
    right, wrong = cells[0][name]
    assert (right.verdict, wrong.verdict) == ("passed", "failed"), (right.error, wrong.error)
    assert right.mode == ("plain" if name in forms.PLAIN else "official")


@pytest.mark.parametrize("name", forms.BLIND)
def test_a_form_that_checks_nothing_is_blind(name, cells):
    assert name in cells[1]
    assert {cell.verdict for cell in cells[0][name]} == {"unjudged"}
    assert cells[0][name][0].error.startswith("blind:")


def test_no_other_form_is_blind(cells):
    assert cells[1] == set(forms.BLIND)


def test_a_package_that_is_not_there_is_the_tests_trouble(cells):
    right, wrong = cells[0]["package"]
    assert right == wrong
    assert (right.verdict, right.error) == (
        "unjudged", "the test needs a_package_that_nobody_has, which is not installed",
    )  # fmt: skip


@pytest.mark.parametrize("name", forms.SECRET)
def test_the_expected_value_never_enters_the_candidates_process(name):
    """Everything that is sent, in all rounds, holds it neither as a number nor as text nor as part of a source."""
    result = judged(forms.CODE, forms.SECRET[name])
    assert result.kind not in ("official", "broken", "blind")
    assert result.sent
    for message in result.sent:
        assert b"271828" not in message
        assert marshal.dumps(271828, 2) not in message
        assert marshal.dumps(271828.0, 2) not in message


def test_an_argument_is_found_in_what_is_sent():
    """The search above is not deaf."""
    assert marshal.dumps(271828, 2) in judged(forms.CODE, "x = 271828\nassert square(x) == 1").sent[0]
    assert b"271828" in judged(forms.CODE, "assert square(271828) == 1").sent[0]
