import pytest

from locvlm.errors import InputError
from locvlm.evaluation.questions.texts import clean_text


def test_what_can_be_asked():
    assert clean_text(" Is it\n there? ", "row 1") == "Is it there?"
    for text in ("", " \n", "at {loc}", "a } b"):
        with pytest.raises(InputError, match="row 1: .* cannot be asked"):
            clean_text(text, "row 1")
