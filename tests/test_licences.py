"""Licences as people write them, and as the Hub takes them."""

import pytest

from codepref.licences import HUB, combined, faults, hub_licence


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Apache License 2.0", "apache-2.0"),
        ("Apache License, Version 2.0", "apache-2.0"),
        ("Apache-2.0", "apache-2.0"),
        ("The MIT License", "mit"),
        ("MIT License (MIT)", "mit"),
        ("BSD 3-Clause License", "bsd-3-clause"),
        ("GPL-3.0-or-later", "gpl-3.0"),
        ("GNU General Public License v3.0", "gpl-3.0"),
        ("LGPL-2.1+", "lgpl-2.1"),
        ("CC BY-SA 4.0", "cc-by-sa-4.0"),
        ("Creative Commons Attribution 4.0 International", "cc-by-4.0"),
        ("CC0 1.0 Universal", "cc0-1.0"),
        ("The Unlicense", "unlicense"),
        ("Mozilla Public License 2.0", "mpl-2.0"),
        ("llama3.1", "llama3.1"),
    ],
)
def test_known_licences_in_other_words(text, expected):
    assert hub_licence(text) == {"licence": expected, "licence_name": None}


@pytest.mark.parametrize("text", sorted(HUB))
def test_the_hubs_own_words_stay(text):
    assert hub_licence(text.upper())["licence"] == text


def test_an_unknown_licence_keeps_its_name():
    assert hub_licence("Acme Research, no resale!") == {"licence": "other", "licence_name": "acme-research-no-resale"}
    assert hub_licence("MIT OR Apache-2.0") == {"licence": "other", "licence_name": "mit-or-apache-2.0"}
    assert hub_licence("other", "Acme") == {"licence": "other", "licence_name": "acme"}
    assert hub_licence(None) == hub_licence(" ") == {"licence": None, "licence_name": None}


def test_several_licences_are_one_or_other():
    assert combined({"MIT", "mit", "MIT License"})["licence"] == "mit"
    assert combined({"MIT", "Apache-2.0"})["licence"] == combined(set())["licence"] == "other"


def test_what_the_hub_would_refuse_is_told():
    assert faults({"license": "apache-2.0"}) == faults({}) == faults({"license": ["mit", "other"]}) == []
    (said,) = faults({"license": "Acme Research"})
    assert (
        said
        == "the Hub does not know the licence 'Acme Research', write license: other and license_name: acme-research"
    )
