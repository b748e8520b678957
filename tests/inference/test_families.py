"""Every model family, asked through the Predictor and by transformers' own means."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image
from transformers import PreTrainedModel, ProcessorMixin

from locvlm import coordinates
from locvlm.geometry import Box, coords_of
from locvlm.inference.batching import Batching
from locvlm.inference.decoding import Answer, can_batch_images, can_cache_prefix
from locvlm.inference.predictor import Predictor
from locvlm.inference.sampling import Sampling

Family = tuple[str, PreTrainedModel, ProcessorMixin]
LIMIT = 8
UNCACHED = {"paligemma", "florence_2", "gemma3", "gemma4", "t5gemma2"}
QUESTIONS = [
    "Where is the dog?",
    "Describe the object located at (4,52,13,63)?",
    "What is it?",
    "Which side of person is the cat located?",
]


def photo(seed: int, size: tuple[int, int]) -> Image.Image:
    noise = np.random.default_rng(seed).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    return Image.fromarray(noise)


PHOTOS = [photo(0, (90, 60)), photo(1, (50, 120)), photo(2, (90, 60))]


@pytest.fixture
def predictor(family: Family) -> Predictor:
    _, model, processor = family
    return Predictor(model, processor, coordinates.default_for(processor, model.config))


def stock_inputs(processor: ProcessorMixin, picture: Image.Image, question: str) -> Any:
    """As the documentation of transformers asks."""
    kind = type(processor).__name__
    if kind == "PaliGemmaProcessor":
        text = "<image>" + question
    elif kind == "Florence2Processor":
        text = question
    else:
        content = [{"type": "image"}, {"type": "text", "text": question}]
        text = processor.apply_chat_template(
            [{"role": "user", "content": content}], add_generation_prompt=True
        )
    return processor(images=picture, text=text, return_tensors="pt")


def stock_answer(predictor: Predictor, picture: Image.Image, question: str) -> list[int]:
    model = predictor.model
    inputs = stock_inputs(predictor.processor, picture, question)
    written = model.generate(**inputs, max_new_tokens=LIMIT, do_sample=False)[0].tolist()
    written = written[1 if model.config.is_encoder_decoder else inputs["input_ids"].shape[1] :]
    ends = [i for i, token in enumerate(written) if token in predictor._batched.stops]
    return written[: ends[0]] if ends else written


def test_answers_are_those_of_generate(
    family: Family, predictor: Predictor, monkeypatch: pytest.MonkeyPatch
):
    """Many questions about many pictures at once, against one at a time, token for token."""
    monkeypatch.setattr(predictor._chat, "decode", lambda ids: ids)
    asked = [(picture, QUESTIONS) for picture in PHOTOS]
    found = predictor.answer_all(asked, max_new_tokens=LIMIT)
    expected = [[stock_answer(predictor, picture, q) for q in QUESTIONS] for picture in PHOTOS]
    assert found == expected
    # pictures change the answers
    assert len({tuple(ids) for group in found for ids in group}) > len(QUESTIONS)


@pytest.mark.parametrize(
    "batching",
    [
        Batching(questions=512, images=8, steps=4),
        Batching(questions=512, images=2, steps=LIMIT, tokens=1),  # room for nothing: one by one
        Batching(questions=5, images=3, steps=3, tokens=900),
    ],
    ids=str,
)
def test_answers_as_on_a_gpu(
    family: Family, predictor: Predictor, monkeypatch: pytest.MonkeyPatch, batching: Batching
):
    """Much together and seldom looked at, or little where there is no room: the same answers."""
    monkeypatch.setattr(predictor._chat, "decode", lambda ids: ids)
    asked = [(PHOTOS[i], QUESTIONS[i:]) for i in (0, 1, 2, 0, 2)]
    asked.insert(2, (PHOTOS[1], []))
    flat = [question for _, questions in asked for question in questions]
    choices = [("dog", "cat", "It is located at")[: 1 + i % 3] for i in range(len(flat))]
    answers = predictor.answer_all(asked, max_new_tokens=LIMIT)
    predictor._batched.stops = {
        answers[0][0][2],
        *predictor._batched.stops,
    }  # some end sooner than others
    answers = predictor.answer_all(asked, max_new_tokens=LIMIT)
    chosen = predictor.choose_all(asked, choices)
    if not can_batch_images(predictor.model):
        batching = replace(batching, images=1)
    predictor.batching = batching
    assert predictor.at_once == batching.questions
    assert predictor.answer_all(asked, max_new_tokens=LIMIT) == answers
    assert predictor.choose_all(asked, choices) == chosen


def test_drawn_answers(family: Family, predictor: Predictor, monkeypatch: pytest.MonkeyPatch):
    """Each draws by numbers of its own, so they are the same alone and together."""
    _, model, processor = family
    drawing = Predictor(model, processor, predictor.coordinates, sampling=Sampling(1.0))
    monkeypatch.setattr(drawing._chat, "decode", lambda ids: ids)
    asked = [(PHOTOS[0], QUESTIONS), (PHOTOS[1], QUESTIONS[:1])]
    first, second = drawing.sample_all(asked, 2, max_new_tokens=LIMIT)
    assert first != second
    assert [[drawing.answer(p, [q], max_new_tokens=LIMIT)[0] for q in qs] for p, qs in asked] == (
        first
    )
    if can_batch_images(model):
        drawing.batching = Batching(questions=512, images=2, steps=4)
        assert drawing.sample_all(asked, 2, max_new_tokens=LIMIT) == [first, second]


def test_one_question_alone(family: Family, predictor: Predictor, monkeypatch: pytest.MonkeyPatch):
    """Its usual words are guessed: that the guess is right, or wrong, changes nothing."""
    monkeypatch.setattr(predictor._chat, "decode", lambda ids: ids)
    picture, question = PHOTOS[1], QUESTIONS[2]
    expected = stock_answer(predictor, picture, question)
    assert predictor.answer(picture, [question], max_new_tokens=LIMIT) == [expected]
    predictor._common_starts = [expected[:5]]
    assert predictor.answer(picture, [question], max_new_tokens=LIMIT) == [expected]


def test_common_starts_are_those_of_trained_answers(family: Family, predictor: Predictor):
    there, absent = predictor._common_starts
    text = predictor.coordinates.encode(Box(30, 20, 60, 40), predictor.frame(PHOTOS[0].size))
    said = predictor._chat.turn("Where is it?", f"It is located at {text}").answered
    assert said[: len(there)] == there
    assert len(there) >= 3
    said = predictor._chat.turn("Where is it?", "There is no such object in the image").answered
    assert said[: len(absent)] == absent
    assert said[len(absent)] in predictor._batched.stops


def test_the_prompt_is_the_processors(family: Family, predictor: Predictor):
    for picture in PHOTOS:
        for question in QUESTIONS:
            ids = predictor._chat.prefix(picture)["input_ids"][0].tolist()
            ids += predictor._encode_question(question)
            stock = stock_inputs(predictor.processor, picture, question)
            assert ids == stock["input_ids"][0].tolist()


def test_chances_are_those_of_generate(family: Family, predictor: Predictor):
    picture, question = PHOTOS[0], QUESTIONS[0]
    choices = ["dog", "cat", "the", "It is located at", "no such object"]
    found = predictor.log_likelihoods([(picture, [question] * len(choices))], choices)
    expected = [stock_chance(predictor, picture, question, text) for text in choices]
    assert found == pytest.approx(expected, abs=1e-3)
    assert predictor.choose_all([(picture, [question])], [choices]) == [
        [choices[int(np.argmax(expected))]]
    ]


def stock_chance(predictor: Predictor, picture: Image.Image, question: str, text: str) -> float:
    """The answer is forced upon `generate`, which says how likely each token was."""
    model, said = predictor.model, predictor._chat.answer_start(text)
    inputs = stock_inputs(predictor.processor, picture, question)
    before = 1 if model.config.is_encoder_decoder else inputs["input_ids"].shape[1]
    out = model.generate(
        **inputs,
        max_new_tokens=len(said),
        prefix_allowed_tokens_fn=lambda _, ids: [said[len(ids) - before]],
        output_logits=True,
        return_dict_in_generate=True,
    )
    chances = [logits[0].log_softmax(-1) for logits in out.logits]
    return sum(chance[token].item() for chance, token in zip(chances, said, strict=True))


def test_places_come_back(family: Family, predictor: Predictor, monkeypatch: pytest.MonkeyPatch):
    """What the model was taught to say, as tokens, is read as the place that it stands for."""
    picture, box = PHOTOS[0], Box(30, 20, 60, 40)
    text = predictor.coordinates.encode(box, predictor.frame(picture.size))
    ids = predictor._chat.turn("Where is it?", f"It is located at {text}").answered
    monkeypatch.setattr(predictor._batched, "generate", lambda *_: [Answer(ids, complete=True)])
    found = predictor.locate(picture, "dog").box
    assert coords_of(found) == pytest.approx(coords_of(box), abs=1.7)  # half a pixel of 28


def test_answers_end_where_they_should(family: Family, predictor: Predictor):
    """What a free answer says fourth, made an end: it is cut there, and is no cut answer."""
    batched, batching = predictor._batched, predictor.batching
    asked = [(PHOTOS[0], [predictor._encode_question(QUESTIONS[0])])]
    ((query,),) = batched.read(asked, batching)
    [free] = batched.generate([query], LIMIT, batching)
    assert not free.complete
    batched.stops = {free.ids[3]}
    [ended] = batched.generate([query], LIMIT, batching)
    assert ended == Answer(free.ids[: free.ids.index(free.ids[3])], complete=True)
    predictor.answer(PHOTOS[0], QUESTIONS[:1], max_new_tokens=1)
    assert predictor.truncated == (free.ids[0] != free.ids[3])


def test_which_are_read_once(family: Family):
    name, model, _ = family
    assert can_cache_prefix(model) == (name not in UNCACHED)
