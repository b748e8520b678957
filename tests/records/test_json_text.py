import json

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from locvlm.records.json_text import JsonString, apply_edits, find_strings

# a busy machine is slow, not wrong
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
values = st.recursive(
    texts | st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


def walk(value: object, path: tuple = ()) -> list[tuple[tuple, str]]:
    """The strings of a parsed value: what `strings` must find in its text."""
    if isinstance(value, str):
        return [(path, value)]
    steps = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    return [found for step, inner in steps for found in walk(inner, (*path, step))]


@unhurried
@given(values, st.booleans(), st.sampled_from([None, 0, 2]))
@example([], True, None)
@example({"": [{}, [], ""]}, False, 2)
@example({'a"]': "\\\u0000\U0001f600é\t"}, True, 0)
def test_every_string_has_its_path_and_place(value: object, escape: bool, indent: int) -> None:
    text = json.dumps(value, ensure_ascii=escape, indent=indent)
    found = list(find_strings(text))
    assert [(item.path, item.value) for item in found] == walk(value)
    for item in found:
        assert json.loads(text[slice(*item.span)]) == item.value


@unhurried
@given(texts, st.data(), st.booleans(), texts)
def test_an_edit_is_the_same_as_that_of_the_value(
    value: str, data: st.DataObject, escape: bool, new: str
) -> None:
    start = data.draw(st.integers(0, len(value)))
    end = data.draw(st.integers(start, len(value)))
    text = json.dumps({"a": 1, "b": [value]}, ensure_ascii=escape)
    [string] = find_strings(text)
    after = apply_edits(text, [(string, [(start, end, new)])])
    assert json.loads(after) == {"a": 1, "b": [value[:start] + new + value[end:]]}


@unhurried
@given(texts, st.booleans())
def test_no_edit_changes_nothing(value: str, escape: bool) -> None:
    text = json.dumps(value, ensure_ascii=escape)
    assert apply_edits(text, []) == text
    assert apply_edits(text, [(string, []) for string in find_strings(text)]) == text


def test_escapes_outside_the_edit_stay() -> None:
    text = r'{"a\u0062": "\u00e9\ud83d\ude00\/(1)\n\t(2)ü", "b": "(1)"}'
    string = next(find_strings(text))
    assert string == JsonString(("ab",), (12, 45), "é😀/(1)\n\t(2)ü")
    changed = apply_edits(text, [(string, [(3, 6, "[10]"), (8, 11, '"')])])
    assert changed == r'{"a\u0062": "\u00e9\ud83d\ude00\/[10]\n\t\"ü", "b": "(1)"}'


def test_repeated_keys_are_all_found() -> None:
    assert [item.value for item in find_strings('{"a": "1", "a": "2"}')] == ["1", "2"]
