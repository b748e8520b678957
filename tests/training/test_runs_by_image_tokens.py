"""Training with line breaks between a picture's rows, and with its turned twin."""

import json
import subprocess
import sys
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from locvlm import coordinates
from locvlm.commands.export import export
from locvlm.errors import InputError
from locvlm.geometry import Box
from locvlm.inference.predictor import Predictor
from locvlm.inspection.inspect import inspect_conversations
from locvlm.instructions.base import Conversation, Instruction
from locvlm.instructions.dataset import read_dataset
from locvlm.models import load
from locvlm.models.folders import ModelSettings
from locvlm.models.image_tokens import apply_form, form_of
from locvlm.models.load import Loaded, load_model, load_processor
from locvlm.models.twin import transpose
from locvlm.publishing.merge import merge
from locvlm.publishing.snippets import locate_question
from locvlm.training.data.collator import Collator
from locvlm.training.data.feature_cache import FeatureStore, encode_views, use_cached_features
from locvlm.training.data.packed_rows import build_packed_batch
from locvlm.training.data.padded_rows import build_padded_batch
from locvlm.training.engine.block_attention import use_block_attention
from locvlm.training.engine.trainer import LocTrainer
from locvlm.training.train import train
from tests.training.test_families import ASKED, loss_of, photo

FORMS = pytest.mark.parametrize("form", ["breaks", pytest.param("twin", marks=pytest.mark.slow)])
SIDE = 4  # patches


@FORMS
def test_packed_learns_what_questions_one_by_one_do(small_model: Loaded, form: Any) -> None:
    model: Any = deepcopy(small_model.model)
    collator = Collator(apply_form(small_model.processor, form), coordinates.get("ivb"))
    encoded = collator.encode(ASKED, photo())
    rows = loss_of(model, build_padded_batch([encoded], 0))
    rows.backward()
    there = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    model.zero_grad()
    with use_block_attention(model):
        loss = loss_of(model, build_packed_batch([encoded]))
    loss.backward()
    torch.testing.assert_close(loss, rows, rtol=1e-4, atol=1e-5)
    for name, parameter in model.named_parameters():
        if name in there:
            torch.testing.assert_close(parameter.grad, there[name], rtol=2e-3, atol=2e-5)
    alone = [Conversation("1.png", *photo().size, (item,)) for item in ASKED.instructions]
    each = [loss_of(model, build_padded_batch([collator.encode(one, photo())], 0)) for one in alone]
    tokens = torch.tensor([(collator.encode(one).labels >= 0).sum() for one in alone])
    mean = (torch.stack(each) * tokens).sum() / tokens.sum()
    torch.testing.assert_close(loss, mean, rtol=1e-4, atol=1e-5)
    # and it is another model than one that reads the picture in one run
    plain = Collator(small_model.processor, coordinates.get("ivb")).encode(ASKED, photo())
    assert abs(float(loss_of(model, build_padded_batch([plain], 0)) - rows)) > 1e-3


@FORMS
def test_kept_features_are_those_of_the_pixels(
    small_model: Loaded, tmp_path: Path, form: Any
) -> None:
    model: Any = deepcopy(small_model.model)
    processor = apply_form(small_model.processor, form)
    photo().save(tmp_path / "1.png")
    tokens = SIDE**2 * (2 if form == "twin" else 1)
    shape = (tokens, 64)
    store = FeatureStore(tmp_path, {tmp_path / "1.png": photo().size}, shape, form)
    store.compute(model, processor)
    kept = store.get(tmp_path / "1.png", False)
    plain = encode_views(model, small_model.processor, [photo(), transpose(photo())]).half()
    each = plain.flatten(0, 1)[:tokens]
    torch.testing.assert_close(kept, each, rtol=1e-2, atol=1e-2)
    collator = Collator(processor, coordinates.get("ivb"))
    seen = build_packed_batch([collator.encode(ASKED, photo())])
    known = build_packed_batch([collator.encode(ASKED)])
    assert torch.equal(seen.inputs["input_ids"], known.inputs["input_ids"])
    with use_block_attention(model):
        before = loss_of(model, seen)
        known.inputs["pixel_values"] = kept[None]
        with use_cached_features(model):
            after = loss_of(model, known)
    torch.testing.assert_close(after, before, rtol=1e-3, atol=1e-3)


@FORMS
def test_guidance_looks_at_the_tokens_of_the_box(small_model: Loaded, form: Any) -> None:
    upper = Instruction("spatial", "Where?", "There.", evidence=(Box(0, 0, 224, 25),))  # one row
    asked = Conversation("1.jpg", 224, 100, (upper,))
    processor = apply_form(small_model.processor, form)
    encoded = Collator(processor, small_model.coordinates, guided=True).encode(asked)
    image = encoded.input_ids[: encoded.prefix] == processor.image_token_id
    first = int(image.nonzero()[0])
    there = (encoded.regions[0].nonzero()[:, 0] - first).tolist()
    assert image[encoded.regions[0]].all()
    if form == "breaks":
        assert there == [0, 1, 2, 3]
        lower = Instruction("spatial", "Where?", "There.", evidence=(Box(0, 75, 224, 100),))
        encoded = Collator(processor, small_model.coordinates, guided=True).encode(
            Conversation("1.jpg", 224, 100, (lower,))
        )
        assert (encoded.regions[0].nonzero()[:, 0] - first).tolist() == [15, 16, 17, 18]
    else:  # of the turned picture, the left column
        assert there == [0, 1, 2, 3, 17, 21, 25, 29]


# Whole runs


@pytest.fixture(autouse=True)
def exact(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "fast_dtype", lambda: torch.float32)


# The card's own code, in a process of its own
PLAIN = """
import json, sys
from pathlib import Path

code = Path("merged/README.md").read_text().split("```python\\n")[1].split("```")[0]
exec(code)
print(json.dumps([answer, inputs["input_ids"][0].tolist(), "locvlm" in sys.modules]))
"""


def asked_plainly() -> tuple[str, list[int], bool]:
    done = subprocess.run(
        [sys.executable, "-c", PLAIN], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    answer, ids, ours = json.loads(done.stdout)
    return answer, ids, ours


@FORMS
def test_a_run_its_model_and_its_merged_folder(
    small_run: Path, form: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    learned = "{trains: adapter+lora, steps: 2, learning_rate: 0.01, questions: {locpred: 2}}"
    stages = f"stages={{naming: {{trains: naming, steps: 1}}, a: {learned}}}"
    folder = train(small_run, [f"image_tokens={form}", "precision=fp32", stages])
    assert ModelSettings.read(folder).image_tokens == form
    loaded = load_model(folder)
    ours = Predictor(loaded.model, loaded.processor, loaded.coordinates)
    question = locate_question(loaded.coordinates)
    Image.open("images/1.png").save("street.jpg", quality=95)
    answer = ours.ask("street.jpg", question)

    merged = Path("merged")
    card = merge(str(folder), merged, dtype="float32").text
    assert ModelSettings.read(merged).image_tokens == form
    whole = load_model(merged)
    assert form_of(whole.processor) == form
    again = Predictor(whole.model, whole.processor, whole.coordinates)
    assert again.ask("street.jpg", question) == answer
    said, ids, imported = asked_plainly()
    assert said == answer
    assert not imported
    before = ours._chat.prefix(ours.open("street.jpg"))["input_ids"][0].tolist()
    assert ids == before + ours._chat.question(question)
    image = loaded.processor.image_token_id
    assert ids.count(image) == SIDE**2 * (2 if form == "twin" else 1)
    if form == "twin":
        assert "transpose(Image.Transpose.TRANSPOSE)" in card
        assert "Given one picture alone" in card
        assert "--model-impl" not in card
    else:
        assert "line break between the rows" in card
        assert "from version 0.32 and with `--model-impl transformers`" in card
        assert "TRANSPOSE" not in card

    # Going on from what was merged: the form stays
    one = ["stages={more: {trains: adapter, steps: 1, questions: {category: 1}}}", "out=more"]
    assert form_of(load_processor(train(small_run, [*one, "model=./merged"]))[0]) == form
    with pytest.raises(InputError, match="image_tokens: rows: the model has learned with"):
        train(small_run, [*one, "out=rows", f"model=./{folder}", "image_tokens=rows"])

    processor, spoken = load_processor(folder)
    asked = read_dataset(Path("data"))[:1]
    (sample,) = inspect_conversations(asked, Path("images"), processor, spoken)
    run = "4 rows of <image> x 4\n" if form == "breaks" else "<image> x 16\n<image> x 16\n"
    assert sample.prefix.endswith(run)
    if form == "twin":
        with pytest.raises(InputError, match="every picture twice"):
            export(Path("data"), to="trl", out=Path("trl.jsonl"), model=str(folder))
    else:
        export(Path("data"), to="trl", out=Path("trl.jsonl"), model=str(folder))
        assert "6 pictures" in capsys.readouterr().out


@FORMS
def test_a_killed_run_goes_on_and_kept_features_change_nothing(
    small_run: Path, monkeypatch: pytest.MonkeyPatch, form: Any
) -> None:
    stage = "stages={a: {trains: adapter+lora, steps: 4, images: 2, questions: {locpred: 2}}}"
    settings = [f"image_tokens={form}", "precision=fp32", stage]
    whole = load_file(train(small_run, [*settings, "out=whole"]) / "adapter_model.safetensors")
    fresh = load_file(
        train(small_run, [*settings, "out=fresh", "cache=false"]) / "adapter_model.safetensors"
    )
    for name, weight in whole.items():
        torch.testing.assert_close(fresh[name], weight, rtol=1e-2, atol=1e-3)

    step, calls = LocTrainer.compute_loss, 0

    def killed(self: Any, *args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 3 * 2:
            raise KeyboardInterrupt
        return step(self, *args, **kwargs)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(LocTrainer, "compute_loss", killed)
        train(small_run, [*settings, "out=broken"])
    resumed = load_file(train(small_run, [*settings, "out=broken"]) / "adapter_model.safetensors")
    for name, weight in whole.items():
        assert torch.equal(resumed[name], weight), name


@FORMS
def test_a_whole_model_keeps_its_form(small_run: Path, form: Any) -> None:
    stage = "stages={all: {trains: adapter+language, steps: 1, questions: {locpred: 1}}}"
    folder = train(small_run, [f"image_tokens={form}", stage])
    assert (folder / "config.json").is_file()
    assert form_of(load_model(folder).processor) == form


def test_what_is_refused_before_a_run(small_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("locvlm.training.train.find_spec", lambda _: object())  # TRL is there
    with pytest.raises(InputError, match="image_tokens: a model of clips has a form of its own"):
        train(small_run, ["image_tokens=breaks", "frames=2"])
    with pytest.raises(InputError, match="Invalid enum value 'spiral'"):
        train(small_run, ["image_tokens=spiral"])
    rewarded = "{trains: lora, steps: 1, images: 2, questions: {locpred: 1}, reinforce: {}}"
    with pytest.raises(InputError, match="stage a: reinforce gives a question one picture"):
        train(small_run, [f"stages={{a: {rewarded}}}", "image_tokens=twin"])
