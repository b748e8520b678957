"""What a model learned from goes with it, by content."""

from __future__ import annotations

from pathlib import Path

import pytest

from locvlm.errors import InputError
from locvlm.media.fingerprints import Fingerprint
from locvlm.models.learned_images import FILE, LearnedImages, learned_by, read_learned

A, B = Fingerprint("0a" * 32, b"a" * 32), Fingerprint("0b" * 32)


def test_it_is_read_as_it_was_written(tmp_path: Path) -> None:
    learned = LearnedImages.of([("b.jpg", B), ("a.jpg", A)], ["tiny", "tiny"])
    learned.write(tmp_path)
    assert read_learned(tmp_path) == learned
    assert learned == LearnedImages(("a.jpg", "b.jpg"), (A, B), ("tiny",))
    before = (tmp_path / FILE).read_bytes()
    LearnedImages.of([("a.jpg", A), ("b.jpg", B)], ["tiny"]).write(tmp_path)
    assert (tmp_path / FILE).read_bytes() == before


def test_of_nothing(tmp_path: Path) -> None:
    LearnedImages().write(tmp_path)
    assert read_learned(tmp_path) == LearnedImages()
    assert read_learned(tmp_path / "elsewhere") is None


def test_two_records_are_one_with_each_content_once() -> None:
    one = LearnedImages.of([("z.jpg", A)], ["tiny"])
    other = LearnedImages.of([("a.jpg", A), ("b.jpg", B)], ["clip"])
    assert one | other == LearnedImages(("a.jpg", "b.jpg"), (A, B), ("clip", "tiny"))


@pytest.mark.parametrize("content", [b"", b"PAR1 and no more", b"PAR1" * 99])
def test_another_file_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE).write_bytes(content)
    with pytest.raises(InputError, match=f"{FILE}: not what LocVLM has written"):
        read_learned(tmp_path)


def test_the_shipped_model_does_not_say() -> None:
    assert learned_by("tiny") is None
