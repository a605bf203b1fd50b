import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codepref.records import (
    Candidate,
    Candidates,
    Outcomes,
    Sample,
    Samples,
    content_id,
    from_table,
    schema,
    to_table,
)

texts = st.text(st.characters(exclude_categories=["Cs"]))
samples = st.builds(Sample, texts, st.none() | st.integers(0, 2**31), st.none() | texts)
rows = st.builds(
    Samples, texts, texts, texts, st.lists(samples).map(tuple), st.lists(samples).map(tuple), st.none() | texts
)


@given(st.lists(rows))
def test_records_survive_arrow(records):
    table = to_table(records, Samples)
    assert table.schema == schema(Samples)
    assert list(from_table(table, Samples)) == records


def test_nested_lists_become_nested_tuples():
    row = Outcomes("p", (("passed", "failed"), ("timeout", "passed")), (("plain",) * 2,) * 2, (("a", "b"),) * 2)
    assert list(from_table(to_table([row], Outcomes), Outcomes)) == [row]


def test_no_records_still_have_the_schema():
    assert to_table([], Candidates).schema == schema(Candidates)


def test_schema_names_and_types():
    assert schema(Candidate).names == ["code_id", "code", "sample", "seed", "nodes", "rule"]
    assert schema(Candidate).field("seed").type == pa.int64()


def test_a_type_without_arrow_counterpart_is_refused():
    from dataclasses import dataclass

    @dataclass(frozen=True)
    class Odd:
        value: complex

    with pytest.raises(TypeError, match="complex"):
        schema(Odd)


def test_content_id_separates_parts():
    assert content_id("ab", "c") != content_id("a", "bc")
    assert content_id("a") == content_id("a")
    assert len(content_id("\ud800")) == 16  # a lone surrogate, as a model may produce
