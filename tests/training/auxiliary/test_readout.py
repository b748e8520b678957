"""The read-out: where it reads, what it is told, and that a run learns from it."""

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from locvlm import coordinates
from locvlm.errors import InputError
from locvlm.geometry import Box, Frame, Location, Point
from locvlm.instructions.base import Conversation, Instruction
from locvlm.models.load import Loaded, load_whole
from locvlm.training import stage_tasks
from locvlm.training.auxiliary.readout import (
    WEIGHTS,
    Readout,
    ReadoutTargets,
    begins_with_number,
    find_token_after,
    text_before,
)
from locvlm.training.data.collator import Collator, EncodedConversation
from locvlm.training.data.packed_rows import build_packed_batch
from locvlm.training.engine.trainer import LocTrainer
from locvlm.training.train import train
from tests import families

SPOKEN = ("ivb", "nfp", "diga")


def located(place: Location, question: str = "Where is the dog?") -> Instruction:
    return Instruction("locpred", question, "It is located at {loc}", (place,))


LOCATE = located(Box(56, 0, 112, 50))
POINT = located(Point(56, 25))
ABSENT = Instruction("negpred", "Where is the cat?", "There is no such object in the image.")
REVERSE = Instruction("revloc", "What is at {loc}?", "There is a cat.", (Box(0, 0, 56, 50),))
SEVERAL = Instruction(
    "locpred", "Where are dogs?", "At {loc} and {loc}", (Box(0, 0, 9, 9), Box(20, 0, 30, 9))
)


def encoded(
    loaded: Loaded, *items: Instruction, name: str = "ivb", flipped: bool = False, **settings: Any
) -> EncodedConversation:
    """Of a picture of 224 x 100 original pixels."""
    collator = Collator(loaded.processor, coordinates.get(name), read_out=True, **settings)
    return collator.encode(Conversation("1.jpg", 224, 100, items), flipped=flipped)


def places_of(encoded: EncodedConversation) -> ReadoutTargets:
    assert encoded.places is not None
    return encoded.places


# Where it reads


@pytest.mark.parametrize("name", SPOKEN)
def test_it_reads_where_the_first_number_is_about_to_be_written(
    small_model: Loaded, name: str
) -> None:
    one = encoded(small_model, REVERSE, LOCATE, ABSENT, POINT, name=name)
    decode = small_model.processor.tokenizer.decode
    found = places_of(one)
    assert found.left_out == 0
    assert len(found.token_index) == 2
    for at in found.token_index.tolist():
        assert decode(one.input_ids[: at + 1]).endswith("It is located at (")
        assert decode(one.input_ids[at + 1 : at + 2])[0].isdigit()
        assert one.labels[at + 1] == one.input_ids[at + 1]  # the number is learned


def test_numbers_of_the_question_and_of_the_answer_before_it_are_not_meant(
    small_model: Loaded,
) -> None:
    item = Instruction(
        "locpred",
        "Where, if (1,2,3,4) and {loc} are others?",
        "In terms of {repr}, (2) is at {loc}",
        (Box(0, 0, 9, 9), Box(56, 0, 112, 50)),
    )
    one = encoded(small_model, item)
    decode = small_model.processor.tokenizer.decode
    (at,) = places_of(one).token_index.tolist()
    assert decode(one.input_ids[: at + 1]).endswith("bbox, (2) is at (")
    assert places_of(one).values[0].tolist() == pytest.approx([0.375, 0.25, 0.25, 0.5])


def test_several_places_and_what_is_cut_are_left_out_and_counted(small_model: Loaded) -> None:
    both = places_of(encoded(small_model, SEVERAL, LOCATE, ABSENT))
    assert (len(both.token_index), both.left_out) == (1, 1)
    whole = encoded(small_model, LOCATE)
    (at,) = places_of(whole).token_index.tolist()
    cut = places_of(encoded(small_model, LOCATE, max_tokens=at + 1, truncate=True))
    assert (len(cut.token_index), cut.left_out) == (0, 1)
    kept = places_of(encoded(small_model, LOCATE, max_tokens=at + 2, truncate=True))
    assert (len(kept.token_index), kept.left_out) == (1, 0)


def test_nothing_is_noted_where_nothing_is_read(small_model: Loaded) -> None:
    plain = Collator(small_model.processor, coordinates.get("ivb"))
    one = plain.encode(Conversation("1.jpg", 224, 100, (LOCATE,)))
    assert one.places is None
    assert build_packed_batch([one]).places is None


def test_formats_that_do_not_begin_with_a_number() -> None:
    known = {name: coordinates.get(name) for name in coordinates.names()}
    assert {*SPOKEN, "shikra"} <= {n for n, format in known.items() if begins_with_number(format)}
    for name in ("qwen2.5-vl", "paligemma"):
        assert not begins_with_number(known[name])
        answer = "It is located at " + known[name].encode(Box(1, 1, 9, 9), (100, 100))
        assert text_before(LOCATE, answer, known[name]) is None


WORDS = st.lists(st.text("ab( \n7", min_size=1, max_size=4), max_size=8)


@given(before=WORDS, after=WORDS)
def test_the_token_after_a_text(before: list[str], after: list[str]) -> None:
    """Tokens are texts here; the first with anything visible behind `before` is meant."""
    said = [*before, *after]
    found = find_token_after(
        "".join(before), range(len(said)), lambda ids: "".join(said[i] for i in ids)
    )
    visible = [len(before) + i for i, word in enumerate(after) if word.strip()]
    assert found == (visible[0] if visible else None)


def test_a_token_that_begins_before_the_number() -> None:
    pieces = ["at", " (4", ",5)"]
    decode = lambda ids: "".join(pieces[i] for i in ids)  # noqa: E731
    assert find_token_after("at (", range(3), decode) == 1
    assert find_token_after("on (", range(3), decode) is None
    assert find_token_after("at (4,5)", range(3), decode) is None
    assert find_token_after("", range(0), decode) is None


# What it is told


def test_centers_and_sizes_are_shares_of_what_the_model_sees(small_model: Loaded) -> None:
    found = places_of(encoded(small_model, LOCATE, POINT))
    assert found.values.tolist() == [
        pytest.approx([0.375, 0.25, 0.25, 0.5]),
        pytest.approx([0.25, 0.25, 0, 0]),
    ]
    assert found.weights.tolist() == [[0.25] * 4, [0.5, 0.5, 0, 0]]


def test_a_flip_moves_the_place(small_model: Loaded) -> None:
    plain = places_of(encoded(small_model, LOCATE))
    mirrored = places_of(encoded(small_model, LOCATE, flipped=True))
    assert mirrored.values[0].tolist() == pytest.approx([0.625, 0.25, 0.25, 0.5])
    assert plain.values[0].tolist() != mirrored.values[0].tolist()


@given(x=st.floats(-50, 150), y=st.floats(-50, 150), w=st.floats(0, 200), h=st.floats(0, 200))
def test_goals_lie_in_the_picture(x: float, y: float, w: float, h: float) -> None:
    frame = Frame.resize((100, 80), 56)
    goal = ReadoutTargets.of([(0, Box(x, y, x + w, y + h)), (1, Point(x, y))], frame).values
    assert bool(((goal >= 0) & (goal <= 1)).all())


def test_a_row_counts_as_one(small_model: Loaded) -> None:
    one = encoded(small_model, LOCATE)
    two = encoded(small_model, LOCATE, POINT, ABSENT)
    none = encoded(small_model, ABSENT)
    batch = build_packed_batch([two, none, one])
    assert batch.places is not None
    total = batch.inputs["input_ids"].shape[1]
    rows = batch.places.token_index // total
    assert rows.tolist() == [0, 0, 2]
    assert batch.places.weights.sum(1).tolist() == pytest.approx([1 / 6, 1 / 6, 1 / 3])
    flat = batch.inputs["input_ids"].flatten()
    decode = small_model.processor.tokenizer.decode
    assert {decode(flat[at : at + 1]).strip() for at in batch.places.token_index} == {"("}


def test_no_places(small_model: Loaded) -> None:
    """Their loss is nothing, and a gradient is there all the same."""
    batch = build_packed_batch([encoded(small_model, ABSENT)])
    readout = Readout(3)
    readout._states = torch.ones(1, batch.inputs["input_ids"].shape[1], 3)
    assert batch.places is not None
    loss = readout.loss(batch.places.to("cpu"))
    loss.backward()
    assert float(loss.detach()) == 0
    assert all(p.grad is not None and not p.grad.any() for p in readout.parameters())


def test_it_begins_in_the_middle() -> None:
    readout = Readout(3)
    readout._states = torch.ones(1, 1, 3)
    frame = Frame.identity((10, 10))
    assert float(readout.loss(ReadoutTargets.of([(0, Point(5, 5))], frame)).detach()) == 0
    with pytest.raises(AssertionError, match="has run no pass"):
        readout.loss(ReadoutTargets.of([], frame))


def test_it_reads_the_last_states_and_teaches_the_language_model(small_model: Loaded) -> None:
    model: Any = deepcopy(small_model.model)
    language = model.get_decoder()
    readout = Readout(model.config.get_text_config().hidden_size)
    torch.nn.init.ones_(readout.linear.weight)
    ids = torch.tensor([[5, 6, 7]])
    with readout.read_states(language):
        out = model(input_ids=ids, output_hidden_states=True, use_cache=False)
        places = ReadoutTargets.of([(1, Point(2, 3))], Frame.identity((10, 10)))
        loss = readout.loss(places)
    said = out.hidden_states[-1][0, 1].float().sum() + 0.5
    far = (said - torch.tensor([0.2, 0.3])).abs()
    torch.testing.assert_close(loss, (far - 0.025).mean())
    loss.backward()
    first = next(p for n, p in language.named_parameters() if "layers.0" in n and p.ndim == 2)
    assert first.grad is not None
    assert first.grad.any()
    model(input_ids=ids, use_cache=False)
    assert readout._states is None  # it watches no more


# Whole runs

STAGE = (
    "trains: adapter+lora, steps: {steps}, images: 2, questions: {{locpred: 2, revloc: 1}}, "
    "learning_rate: 3.0e-3"
)


def run(recipe: Path, out: str, *settings: str, more: str = "", steps: int = 6) -> list[Any]:
    """The lines with a loss of a run of one stage."""
    stage = STAGE.format(steps=steps) + more
    train(recipe, [f"out={out}", f"stages={{a: {{{stage}}}}}", *settings])
    lines = Path(out, "a/log.jsonl").read_text().splitlines()
    return [row for row in map(json.loads, lines) if "loss" in row]


def test_its_loss_falls_and_nothing_of_it_is_left(
    small_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = run(small_run, "out", more=", readout: 1.0", steps=30)
    told = [row["readout_loss"] for row in log]
    assert np.mean(told[-5:]) < 0.6 * np.mean(told[:5])
    assert all("readout_left_out" not in row for row in log)
    assert not list(Path("out").rglob(WEIGHTS))
    plain = run(small_run, "plain", steps=1)
    assert "readout_loss" not in plain[0]
    names = [sorted(p.name for p in Path(out, "model").iterdir()) for out in ("out", "plain")]
    assert names[0] == names[1]


def test_it_counts_by_its_weight_and_none_is_as_before(small_run: Path) -> None:
    settings = ("precision=fp32",)
    plain = run(small_run, "plain", *settings, steps=2)
    none = run(small_run, "none", *settings, more=", readout: 0", steps=2)
    read = run(small_run, "read", *settings, more=", readout: 0.5", steps=2)
    assert [row["loss"] for row in none] == [row["loss"] for row in plain]
    assert read[0]["loss"] == pytest.approx(
        plain[0]["loss"] + 0.5 * read[0]["readout_loss"], abs=2e-4
    )


@pytest.mark.parametrize("setting", ["batch=2", "gradient_checkpointing=true"])
def test_it_does_not_depend_on(small_run: Path, setting: str) -> None:
    settings = ("precision=fp32",)
    plain = run(small_run, "plain", *settings, more=", readout: 1.0", steps=3)
    other = run(small_run, "other", *settings, setting, more=", readout: 1.0", steps=3)
    for name in ("loss", "readout_loss", "grad_norm"):
        assert [row[name] for row in other] == pytest.approx(
            [row[name] for row in plain], rel=1e-3
        ), name


@pytest.mark.parametrize("family", ["idefics3", "qwen3_vl"])
def test_other_families_are_read(small_run: Path, family: str) -> None:
    for part in families.build(family):
        part.save_pretrained(small_run.parent / "base")
    settings = ("model=./base", "format=nfp", "options={}", "lora={rank: 2, targets: [all]}")
    first, second = run(small_run, "out", *settings, more=", readout: 1.0", steps=2)
    assert first["readout_loss"] > second["readout_loss"] > 0
    assert "readout_left_out" not in first


def test_a_killed_run_goes_on_to_the_same_curve(
    small_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run(small_run, "whole", more=", readout: 1.0")
    step, calls = LocTrainer.compute_loss, 0

    def killed(self: Any, *args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 2 * 4 + 1:  # in the fifth step; the last checkpoint is that of the fourth
            raise KeyboardInterrupt
        return step(self, *args, **kwargs)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(LocTrainer, "compute_loss", killed)
        run(small_run, "broken", more=", readout: 1.0")
    assert Path("broken/a/checkpoint-4", WEIGHTS).is_file()
    resumed = run(small_run, "broken", more=", readout: 1.0")
    for name in ("loss", "readout_loss", "grad_norm"):
        assert [row[name] for row in resumed] == [row[name] for row in whole], name


def test_a_whole_model_stays_stock(small_run: Path) -> None:
    trains = "stages.a.trains=adapter+language"
    train(
        small_run,
        ["out=out", f"stages={{a: {{{STAGE.format(steps=1)}, readout: 1.0}}}}", trains],
    )
    model = load_whole(Path("out/model"), torch.float32)
    assert not any("readout" in name for name, _ in model.named_parameters())


@pytest.mark.parametrize(
    ("settings", "more", "message"),
    [
        (["layout=padded"], "", "stage a: readout needs the packed layout"),
        (["format=qwen2.5-vl", "options={}"], "", "does not begin with a number; leave it out"),
        (["stages.a.questions={revloc: 1}"], "", "no answer holds one location; ask locpred"),
        (["stages.a.readout=-1"], "", "stages.a: Expected `float` >= 0"),
    ],
)
def test_what_cannot_be_read(small_run: Path, settings: list[str], more: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        run(small_run, "out", *settings, more=", readout: 0.1" + more)
    assert not Path("out/a").exists()


def test_spread_weights_are_refused(small_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage_tasks, "is_sharded", lambda recipe: True)
    with pytest.raises(InputError, match="stage a: readout is not for fsdp2; choose ddp"):
        run(small_run, "out", "distributed=fsdp2", more=", readout: 0.1")
