import pytest

from locvlm.records.turns import Message, names, turns_of

ASKED = [Message("user", "Where?"), Message("assistant", "Here.")]
CHAT = [{"role": "user", "content": "<image>Where?"}, {"role": "assistant", "content": "Here."}]
PARTS = [
    {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "Where?"}]},
    {"role": "assistant", "content": [{"type": "text", "text": "Here."}]},
]
LLAVA = [{"from": "human", "value": "<image>\nWhere?"}, {"from": "gpt", "value": "Here."}]


@pytest.mark.parametrize("source", names())
def test_nothing_is_said(source: str) -> None:
    assert turns_of({}, source) == []
    assert turns_of({"messages": None, "conversations": 3, "prompt": []}, source) == []


@pytest.mark.parametrize(
    ("source", "record"),
    [
        ("llava", {"conversations": LLAVA}),
        ("llava", {"conversations": [{"from": "human", "value": "Where?\n<image>"}, LLAVA[1]]}),
        ("qwen", {"conversations": LLAVA}),
        ("llava", {"conversations": CHAT}),
        ("llava", {"messages": CHAT}),
        ("swift", {"conversations": LLAVA}),
        ("swift", {"messages": LLAVA}),
        ("trl", {"question": "Where?", "answer": "Here."}),
        ("swift", {"messages": CHAT}),
        ("swift", {"messages": PARTS}),
        ("trl", {"messages": CHAT}),
        ("trl", {"prompt": PARTS[:1], "completion": PARTS[1:]}),
        ("trl", {"prompt": CHAT[:1], "completion": CHAT[1:]}),
        ("trl", {"prompt": "<image>Where?", "completion": "Here."}),
    ],
)
def test_one_form_for_all(source: str, record: dict) -> None:
    assert turns_of(record, source) == ASKED


def test_parts_without_text_and_other_roles() -> None:
    content = [{"type": "image", "text": None}, {"type": "text", "text": "a"}, {"text": "b"}]
    record = {"messages": [{"role": "system", "content": content}, {"content": None}, "none"]}
    assert turns_of(record, "swift") == [Message("system", "ab"), Message("None", "", False)]


def test_the_form_of_another_source_gives_way_to_its_own() -> None:
    other = [{"from": "human", "value": "?"}, {"from": "gpt", "value": "No."}]
    assert turns_of({"conversations": other, "messages": CHAT}, "swift") == ASKED
    assert turns_of({"conversations": LLAVA, "messages": other}, "llava") == ASKED
