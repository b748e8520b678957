"""Records of any JSON: taken over, counted, or one line of InputError, by all that reads them."""

import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from locvlm import coordinates
from locvlm.errors import InputError
from locvlm.instructions.mixing import read_mixed
from locvlm.interchange.convert import convert
from locvlm.interchange.importing.run import Importer
from locvlm.records.turns import names

TEXTS = ["human", "gpt", "<image>", "(4,5,6,7)", "a.jpg", "x" * 300, "a\0b", "image", "<bbox>"]
KEYS = ["from", "value", "role", "content", "type", "text", "path", "image", "bbox", "ref"]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(TEXTS) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5)
    ),
    max_leaves=20,
)
RECORDS = st.fixed_dictionaries(
    {"conversations": VALUES},
    optional=dict.fromkeys(
        ["image", "images", "messages", "prompt", "completion", "objects", "width", "height"],
        VALUES,
    ),
)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("odd") / "odd.jsonl"


@given(RECORDS)
@example({"conversations": [{"value": ["no part"]}]})
@example({"conversations": [{"from": "human", "value": [{"text": 5}]}], "image": "x" * 300})
def test_any_record(file: Path, record: object) -> None:
    file.write_text(json.dumps(record))
    form = coordinates.get("ivb")
    sizes = {"a.jpg": (9, 9)}
    reads = [
        lambda: read_mixed(file, 1, sizes=sizes, images=file.parent, seed=0, drops=Counter()),
        lambda: convert(file, file.with_suffix(".out"), read=form, write=coordinates.get("nfp")),
        *(
            lambda source=source: list(Importer(source, form, file.parent).conversations(file))
            for source in names()
        ),
    ]
    for read in reads:
        try:
            read()
        except InputError as error:
            assert len(str(error).splitlines()) == 1
