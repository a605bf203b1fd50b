"""Licences as the Hub knows them. It refuses a card whose licence is not on its list, after the data has been sent."""

import re
from collections.abc import Collection, Mapping

LISTED = """
    afl-3.0 agpl-3.0 apache-2.0 apple-amlr apple-ascl artistic-2.0 bigcode-openrail-m bigscience-bloom-rail-1.0
    bigscience-openrail-m bsd bsd-2-clause bsd-3-clause bsd-3-clause-clear bsl-1.0 c-uda cc cc-by-2.0 cc-by-2.5
    cc-by-3.0 cc-by-4.0 cc-by-nc-2.0 cc-by-nc-3.0 cc-by-nc-4.0 cc-by-nc-nd-3.0 cc-by-nc-nd-4.0 cc-by-nc-sa-2.0
    cc-by-nc-sa-3.0 cc-by-nc-sa-4.0 cc-by-nd-4.0 cc-by-sa-3.0 cc-by-sa-4.0 cc0-1.0 cdla-permissive-1.0
    cdla-permissive-2.0 cdla-sharing-1.0 creativeml-openrail-m deepfloyd-if-license ecl-2.0 epl-1.0 epl-2.0
    etalab-2.0 eupl-1.1 eupl-1.2 fair-noncommercial-research-license gemma gfdl gpl gpl-2.0 gpl-3.0 h-research
    intel-research isc lgpl lgpl-2.1 lgpl-3.0 lgpl-lr llama2 llama3 llama3.1 llama3.2 llama3.3 llama4 lppl-1.3c mit
    mpl-2.0 ms-pl ncsa odbl odc-by ofl-1.1 openrail openrail++ osl-3.0 other pddl postgresql unknown unlicense wtfpl
    zlib
"""
"""The Hub's list (huggingface.co/docs/hub/repositories-licenses)."""
HUB = frozenset(LISTED.split())
TITLES = {
    "apache": "apache-2.0", "apache-2": "apache-2.0", "apache-license": "apache-2.0", "x11": "mit", "expat": "mit",
    "new-bsd": "bsd-3-clause", "modified-bsd": "bsd-3-clause", "simplified-bsd": "bsd-2-clause", "gplv2": "gpl-2.0",
    "gplv3": "gpl-3.0", "lgplv2.1": "lgpl-2.1", "lgplv3": "lgpl-3.0", "agplv3": "agpl-3.0", "cc0": "cc0-1.0",
    "mit-mit": "mit", "gnu-gpl-v3": "gpl-3.0", "gnu-gpl-v2": "gpl-2.0", "mozilla-public-2.0": "mpl-2.0",
    "gnu-general-public-v3.0": "gpl-3.0", "gnu-general-public-v2.0": "gpl-2.0", "gnu-general-public-v3": "gpl-3.0",
    "gnu-general-public-v2": "gpl-2.0", "gnu-lesser-general-public-v3.0": "lgpl-3.0", "boost-software-1.0": "bsl-1.0",
    "gnu-affero-general-public-v3.0": "agpl-3.0", "eclipse-public-2.0": "epl-2.0", "eclipse-public-1.0": "epl-1.0",
    "boost-1.0": "bsl-1.0",
}  # fmt: skip
"""Other ways to write them, in the spelling of `_spelled`."""


def hub_licence(text: str | None, name: str | None = None) -> dict[str, str | None]:
    """`licence`, an entry of the Hub's list, and `licence_name`, what it was called where that list has no entry.

    Args:
        text: A licence as people write it: `Apache License 2.0`, `GPL-3.0-or-later`, `CC BY 4.0`, `Acme Research`.
        name: `license_name` of a card whose licence is `other`.
    """
    if not text or not text.strip():
        return {"licence": None, "licence_name": None}
    given = text.strip().lower()
    for spelling in (given, _spelled(given)):
        found = TITLES.get(spelling, spelling)
        if found in HUB:
            return {"licence": found, "licence_name": _slug(name) if found == "other" and name else None}
    return {"licence": "other", "licence_name": _slug(given)}


def _spelled(text: str) -> str:
    """An SPDX-like spelling: hyphens, no `the`, no `licence`, `or later` or `only`."""
    text = re.sub(r"[\s_,/()]+", "-", text.replace("+", "")).strip("-")
    text = re.sub(r"(^|-)(the|licen[cs]e[ds]?|version|universal|international|unported|generic)(?=-|$)", "", text)
    text = re.sub(r"-(or-later|only)$", "", text.strip("-"))
    text = re.sub(r"^creative-commons-", "cc-", text)
    text = re.sub(r"-(?:attribution)(?=-|$)", "-by", text)
    text = text.replace("sharealike", "sa").replace("noncommercial", "nc").replace("noderivatives", "nd")
    text = re.sub(r"(?<=-)v(?=\d)", "", text) if not text.startswith("gnu") else text
    text = re.sub(r"^(apache|mit|isc|mpl|gpl|lgpl|agpl)-software(?=-|$)", r"\1", text)
    return re.sub(r"-+", "-", text).strip("-")


def _slug(text: str) -> str:
    """A name in the letters that the Hub allows for one."""
    return re.sub(r"[^a-z0-9.]+", "-", text.lower()).strip("-.")[:96] or "unnamed"


def combined(licences: Collection[str]) -> dict[str, str | None]:
    """The licence that all of them are; `other` where they are several or none."""
    found = {tuple(hub_licence(licence).items()) for licence in licences}
    return dict(found.pop()) if len(found) == 1 else {"licence": "other", "licence_name": None}


def faults(data: Mapping[str, object]) -> list[str]:
    """What the Hub would refuse in the licence of a card's front matter, with the lines to write instead."""
    stated, found = data.get("license"), []
    for licence in stated if isinstance(stated, list) else [stated]:
        if licence is not None and licence not in HUB:
            known = hub_licence(str(licence))
            lines = f"license: {known['licence']}"
            lines += f" and license_name: {known['licence_name']}" if known["licence_name"] else ""
            found.append(f"the Hub does not know the licence {licence!r}, write {lines}")
    return found
