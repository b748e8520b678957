import pytest

from locvlm.errors import InputError
from locvlm.evaluation.questions.short_answers import make_instruction


def test_prompts():
    short = make_instruction("vqav2", "Is it?", "no", {"prompt": "short"}, "here")
    assert short.question == "Is it?\nAnswer the question using a single word or phrase."
    assert (short.answer, short.objective, short.locations) == ("no", "vqav2", ())
    assert make_instruction("gqa", "Is it?", "no", {"prompt": "plain"}, "here").question == "Is it?"


@pytest.mark.parametrize("prompt", ["long", True, ["short"]])
def test_an_unknown_prompt(prompt):
    with pytest.raises(InputError, match=r"option prompt: .* is unknown; give one of short, plain"):
        make_instruction("gqa", "Is it?", "no", {"prompt": prompt}, "here")


@pytest.mark.parametrize(("question", "answer"), [("Is {loc} it?", "no"), ("Is it?", "{repr}")])
def test_what_means_a_location(question, answer):
    with pytest.raises(InputError, match="here: holds {loc} or {repr}"):
        make_instruction("gqa", question, answer, {"prompt": "short"}, "here")
