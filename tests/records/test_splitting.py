import io
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from locvlm.errors import InputError
from locvlm.records.splitting import STREAM, split

# a busy machine is slow, not wrong
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

JSON, LINES = Path("a.json"), Path("a.jsonl")
records = st.dictionaries(st.text(max_size=3), st.text(max_size=3) | st.integers(), max_size=3)
items = st.lists(records | st.lists(records, max_size=3), max_size=4)


def pieces(text: str, path: Path) -> list[tuple[str, str]]:
    return [(data.decode(), place) for data, place in split(io.BytesIO(text.encode()), path)]


def flat(value: list) -> list:
    """The records, without the arrays around some of them."""
    return [inner for item in value for inner in (item if isinstance(item, list) else [item])]


@pytest.mark.parametrize("path", [JSON, LINES, STREAM])
@pytest.mark.parametrize("text", ["", "\n", " \n\n"])
def test_nothing_has_no_records(text: str, path: Path) -> None:
    made = pieces(text, path)
    assert "".join(data for data, _ in made) == text
    assert not any(place for _, place in made)


@unhurried
@given(items, st.sampled_from([None, 0, 3]), st.sampled_from(["", "\ufeff", "\n "]))
def test_the_pieces_of_an_array_are_the_file(value: list, indent: int | None, before: str) -> None:
    text = before + json.dumps(value, indent=indent) + "\n"
    made = pieces(text, JSON)
    assert "".join(data for data, _ in made) == text
    assert [json.loads(data) for data, place in made if place] == flat(value)


@unhurried
@given(items, st.sampled_from(["", "\ufeff"]), st.sampled_from(["\n", "\r\n", "\n\n"]))
def test_the_pieces_of_lines_are_the_file(value: list, before: str, end: str) -> None:
    text = before + "".join(json.dumps(item) + end for item in value)
    made = pieces(text, LINES)
    assert "".join(data for data, _ in made) == text
    assert [json.loads(data) for data, place in made if place] == flat(value)


def test_records_know_their_line() -> None:
    places = [place for _, place in pieces('[{},\n\n{"a":\n1}, [{},\n{}]\n,{}]', JSON) if place]
    assert places == [f"a.json, line {n}" for n in (1, 3, 4, 5, 6)]
    places = [place for _, place in pieces("{}\n\n[{},{}]\n{}", STREAM) if place]
    assert places == [f"-, line {n}" for n in (1, 3, 3, 4)]


def test_records_of_one_line_are_told_apart_by_number() -> None:
    places = [place for _, place in pieces("[{}, {},\n{},{}]", JSON) if place]
    numbered = ["line 1", "line 1, record 2", "line 2", "line 2, record 4"]
    assert places == [f"a.json, {place}" for place in numbered]


def test_a_json_file_may_have_lines() -> None:
    assert [place for _, place in pieces("{}\n{}", JSON)] == ["a.json, line 1", "a.json, line 2"]


@pytest.mark.parametrize("text", ["[", "[{}", "[{}]]", "[{} {}]", "[{},]", "[}"])
def test_what_is_no_json_is_one_line(text: str) -> None:
    with pytest.raises(InputError, match="a.json, line 1: not a JSON record") as caught:
        pieces(text, JSON)
    assert "\n" not in str(caught.value)
