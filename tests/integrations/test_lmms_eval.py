"""The adapter between lmms-eval's requests and a predictor."""

from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image

from locvlm.errors import InputError
from locvlm.inference.predictor import Predictor
from locvlm.inference.sampling import Sampling
from locvlm.models.load import Loaded

pytest.importorskip("lmms_eval.api.model", reason="lmms-eval is not installed")
from locvlm.integrations.lmms_eval import LocVLM, manifest

PICTURES = [Image.new("RGB", (56, 56), colour) for colour in ("red", "blue")]


@pytest.fixture
def model(small_model: Loaded, monkeypatch: pytest.MonkeyPatch) -> LocVLM:
    def load(name: str) -> Predictor:
        assert name == "some"
        return Predictor(small_model.model, small_model.processor, small_model.coordinates)

    monkeypatch.setattr("locvlm.integrations.lmms_eval.load_predictor", load)
    made = LocVLM("some", batch_size=2, device="cpu")
    made.task_dict = {"task": {"test": [{"picture": picture} for picture in PICTURES]}}
    return made


def request(second: Any, question: str, document: int = 0) -> SimpleNamespace:
    visual = lambda document: [document["picture"]]  # noqa: E731
    return SimpleNamespace(args=(question, second, visual, document, "task", "test"))


def test_the_manifest_leads_to_the_class() -> None:
    assert manifest().simple_class_path == "locvlm.integrations.lmms_eval.LocVLM"


def test_answers_are_the_predictors(model: LocVLM) -> None:
    limits = {"max_new_tokens": 6}
    requests = [
        request(limits, "<image>\nWhere?"),
        request(limits, "What?"),
        request({"max_new_tokens": 6, "until": ["\n\n", "e"]}, "Where?", 1),
    ]
    answers = model.generate_until(requests)
    [first, second] = model.predictor.answer(PICTURES[0], ["Where?", "What?"], max_new_tokens=6)
    [third] = model.predictor.answer(PICTURES[1], ["Where?"], max_new_tokens=6)
    assert answers == [first, second, third.partition("\n\n")[0].partition("e")[0]]
    assert model.generate_until([]) == []


def test_a_tasks_temperature(model: LocVLM) -> None:
    settings = [
        {"temperature": 0, "do_sample": False, "top_p": 0.9},
        {"temperature": 0.7},
        {"temperature": 0.7, "do_sample": False},
        {"do_sample": True, "top_p": 1.0},
        {"temperature": None},
    ]
    requests = [request({"max_new_tokens": 6, **each}, "Where?") for each in settings]
    found = model.generate_until(requests)
    parts = (model.predictor.model, model.predictor.processor, model.predictor.coordinates)
    ways = [None, Sampling(0.7), None, Sampling(1.0), None]
    for answer, way in zip(found, ways, strict=True):
        known = Predictor(*parts, sampling=way)
        assert [answer] == known.answer(PICTURES[0], ["Where?"], max_new_tokens=6)
    assert len(set(found)) == 3
    with pytest.raises(InputError, match=r"task: samples with top_p 0\.9; LocVLM draws from the"):
        model.generate_until([request({"temperature": 0.7, "top_p": 0.9}, "Where?")])


def test_likelihoods(model: LocVLM) -> None:
    [greedy] = model.predictor.answer(PICTURES[0], ["Where?"])
    requests = [request(greedy, "Where?"), request(lambda document: "zebra", "Where?", 1)]
    (likely, first), (unlikely, second) = model.loglikelihood(requests)
    assert first
    assert not second
    assert unlikely < 0
    assert likely < 0


def test_several_pictures_are_refused(model: LocVLM) -> None:
    two = SimpleNamespace(args=("?", {}, lambda document: PICTURES, 0, "task", "test"))
    with pytest.raises(InputError, match="task: asks about 2 pictures"):
        model.generate_until([two])
    with pytest.raises(NotImplementedError, match="single questions"):
        model.generate_until_multi_round([two])
