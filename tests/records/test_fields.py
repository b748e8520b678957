import pytest

from locvlm.records.fields import declared_size, holds_text, image_names


@pytest.mark.parametrize(
    "path",
    [
        ("prompt",),
        ("completion",),
        ("rejected_response",),
        ("conversations", 3, "value"),
        ("messages", 0, "content"),
        ("messages", 0, "content", 1, "text"),
        ("completion", 0, "content", 0, "text"),
        ("messages", 0, "value"),
        ("messages", 0, "reasoning_content"),
        ("messages", 0, "tool_calls", 0, "function", "arguments"),
    ],
)
def test_texts(path: tuple) -> None:
    assert holds_text(path)


@pytest.mark.parametrize(
    "path",
    [
        (),
        ("id",),
        ("image",),
        ("messages",),
        ("messages", 0),
        ("messages", 0, "role"),
        ("conversations", 0, "from"),
        ("messages", 0, "content", 0, "type"),
        ("other", "messages", 0, "content"),
    ],
)
def test_what_is_no_text(path: tuple) -> None:
    assert not holds_text(path)


@pytest.mark.parametrize(
    ("record", "names"),
    [
        ({}, []),
        ({"image": None, "images": 3, "messages": "none"}, []),
        ({"image": "a.jpg"}, ["a.jpg"]),
        ({"image": ["a.jpg", "b.jpg"]}, ["a.jpg", "b.jpg"]),
        ({"images": ["a.jpg", "a.jpg"]}, ["a.jpg"]),
        ({"images": [{"path": "a.jpg", "bytes": None}, {"bytes": "…"}]}, ["a.jpg"]),
        (
            {
                "messages": [
                    {
                        "role": "user",
                        "content": [
                            {"type": "image", "image": "a.jpg"},
                            {"type": "text", "text": "b.jpg"},
                            {"type": "image"},
                        ],
                    }
                ]
            },
            ["a.jpg"],
        ),
    ],
)
def test_pictures(record: dict, names: list[str]) -> None:
    assert image_names(record) == names


def test_declared_size() -> None:
    columns = ("w", "h")
    assert declared_size({"w": 2, "h": 1}, columns) == (2, 1)
    assert declared_size({"w": 2}, columns) is None
    assert declared_size({"w": 2, "h": None}, columns) is None


@pytest.mark.parametrize("width", [0, -1, 2.5, "2", True, [2]])
def test_a_size_that_is_none(width: object) -> None:
    with pytest.raises(ValueError, match="w is .*not a whole number of pixels"):
        declared_size({"w": width, "h": 1}, ("w", "h"))
