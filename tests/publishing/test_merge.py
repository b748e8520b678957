"""The merged folder: what others read from it, and what is never overwritten."""

import json
import math
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from transformers.utils import is_torchvision_available

from locvlm.errors import InputError
from locvlm.inference.predictor import WHERE, Predictor
from locvlm.media.fingerprints import Fingerprint
from locvlm.models import load
from locvlm.models.folders import ModelSettings
from locvlm.models.learned_images import LearnedImages, learned_by
from locvlm.models.load import load_model
from locvlm.processors import frame_of
from locvlm.publishing import merge as merging
from locvlm.publishing.merge import merge

QUESTIONS = ["Where is the dog?", "Describe the object located at (4,52,13,63)?", "Which side?"]

# A process of its own needs the plugin's work too
PLUGIN = Path(__file__).parents[1] / "beside_torchvision.py"
BESIDE = f"exec(open({str(PLUGIN)!r}).read())" if is_torchvision_available() else ""

# Stock transformers alone: an import of locvlm ends it
PLAIN = """
import json, sys

class Refused:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "locvlm":
            raise SystemExit("locvlm was imported")

sys.meta_path.insert(0, Refused())
from PIL import Image
from transformers import AutoModelForImageTextToText, AutoProcessor

folder, *questions = sys.argv[1:]
processor = AutoProcessor.from_pretrained(folder, backend="pil")
model = AutoModelForImageTextToText.from_pretrained(folder)
answers = []
for question in questions:
    picture = {"type": "image", "image": Image.open("photo.png")}
    turns = [{"role": "user", "content": [picture, {"type": "text", "text": question}]}]
    inputs = processor.apply_chat_template(
        turns, add_generation_prompt=True, tokenize=True, return_dict=True, return_tensors="pt"
    ).to(model.dtype)
    tokens = model.generate(**inputs)[0, inputs["input_ids"].shape[1]:]
    answers.append(processor.decode(tokens, skip_special_tokens=True).strip())
print(json.dumps(answers))
"""


CLIP_CODE = """
import sys
from pathlib import Path
card = Path("README.md").read_text()
code = card.split("```python\\n")[1].split("```")[0]
assert 'folder = "out"' in code
code = code.replace('folder = "out"', 'folder = "."').replace("street.mp4", sys.argv[1])
exec(code)
print(answer)
"""


@pytest.mark.slow
def test_a_merged_model_of_clips_answers_by_its_cards_code(
    adapter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(load, "fast_dtype", lambda: torch.float32)
    shades = [Image.radial_gradient("L").rotate(turn).resize((90, 60)) for turn in (0, 90, 180)]
    clip = tmp_path / "clip.gif"
    shades[0].save(clip, save_all=True, append_images=shades[1:], duration=100)
    settings = json.loads((adapter / "locvlm.json").read_text())
    (adapter / "locvlm.json").write_text(json.dumps({**settings, "frames": 3}))
    merge(str(adapter), tmp_path / "out", dtype="float32")
    whole = load_model(tmp_path / "out")
    asked = Predictor(whole.model, whole.processor, whole.coordinates)
    question = WHERE.format(category="dog", repr="(x1,y1,x2,y2) bbox")
    done = subprocess.run(
        [sys.executable, "-c", BESIDE + CLIP_CODE, str(clip)],
        capture_output=True,
        text=True,
        cwd=tmp_path / "out",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == asked.ask(clip, question)
    tuned = load_model(adapter)
    assert Predictor(tuned.model, tuned.processor, tuned.coordinates).ask(clip, question) == (
        asked.ask(clip, question)
    )


def texts(folder: Path) -> str:
    kinds = ("*.json", "*.md", "*.jinja")
    return "".join(path.read_text() for kind in kinds for path in folder.glob(kind))


@pytest.mark.slow
def test_plain_transformers_answers_as_locvlm(
    adapter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(load, "fast_dtype", lambda: torch.float32)
    Image.radial_gradient("L").resize((90, 60)).convert("RGB").save(tmp_path / "photo.png")
    out = tmp_path / "out"
    merge(str(adapter), out, dtype="float32")
    loaded = load_model(adapter)
    asked = Predictor(loaded.model, loaded.processor, loaded.coordinates)
    expected = asked.answer(tmp_path / "photo.png", QUESTIONS)
    assert any(expected)
    done = subprocess.run(
        [sys.executable, "-c", BESIDE + PLAIN, str(out), *QUESTIONS],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == expected


def test_an_adapter_is_rounded_once_after_merging(adapter: Path, tmp_path: Path) -> None:
    merge(str(adapter), tmp_path / "half")
    merge(str(adapter), tmp_path / "exact", dtype="float32")
    half, exact = (load_file(tmp_path / n / "model.safetensors") for n in ("half", "exact"))
    assert half.keys() == exact.keys()
    assert not any("lora" in name for name in half)
    for name, weight in exact.items():
        assert torch.equal(half[name], weight.to(torch.bfloat16)), name
    config = json.loads((tmp_path / "half" / "config.json").read_text())
    assert {config[part]["dtype"] for part in ("text_config", "vision_config")} == {"bfloat16"}
    assert config["architectures"] == ["LlavaForConditionalGeneration"]


def test_what_else_is_in_the_folder(adapter: Path, tmp_path: Path) -> None:
    out = tmp_path / "deep" / "out"
    learned = LearnedImages.of([("a.jpg", Fingerprint("0" * 64))], ["tiny"])
    learned.write(adapter)
    merge(str(adapter), out)
    assert learned_by(out) == learned
    assert ModelSettings.read(out) == ModelSettings(format="ivb", options={"bins": 56})
    assert load_model(out).coordinates.options == {"bins": 56}
    decoding = json.loads((out / "generation_config.json").read_text())
    assert (decoding["do_sample"], decoding["max_new_tokens"]) == (False, 64)
    assert decoding["eos_token_id"] == [2]
    assert (out / "chat_template.jinja").is_file()
    assert (out / "tokenizer.json").is_file()
    assert str(tmp_path) not in texts(out)
    assert "/tmp" not in texts(out)
    modes = {path.stat().st_mode for path in out.iterdir()}
    assert len(modes) == 1  # all of it can be read by whom one file can be read by
    assert [path.name for path in out.parent.iterdir()] == ["out"]


def test_a_picture_is_counted_and_seen_as_before(
    adapter: Path, small_base: Path, tmp_path: Path
) -> None:
    """As vLLM asks it: how many tokens does a picture of a size get?"""
    merge(str(adapter), tmp_path / "out")
    old, new = (load.load_processor(folder)[0] for folder in (small_base, tmp_path / "out"))
    counted = new._get_num_multimodal_tokens(image_sizes=[(480, 640)])
    assert counted["num_image_tokens"] == [16]
    picture = Image.radial_gradient("L").resize((90, 60)).convert("RGB")
    seen = [p.image_processor(picture, return_tensors="pt")["pixel_values"] for p in (old, new)]
    assert torch.equal(*seen)
    assert frame_of(new, (90, 60)) == frame_of(old, (90, 60))


def test_shards(adapter: Path, tmp_path: Path) -> None:
    merge(str(adapter), tmp_path / "out", max_shard_size="100KB")
    assert len(list((tmp_path / "out").glob("model-*.safetensors"))) > 1
    load_model(tmp_path / "out")


def test_a_whole_model_keeps_its_numbers(small_base: Path, tmp_path: Path) -> None:
    merge(str(small_base), tmp_path / "out")
    old, new = (
        load_file(folder / "model.safetensors") for folder in (small_base, tmp_path / "out")
    )
    assert old.keys() == new.keys()
    assert all(torch.equal(new[name], weight) for name, weight in old.items())
    assert "merged" not in (tmp_path / "out" / "README.md").read_text()
    merge(str(small_base), tmp_path / "half", dtype="float16")
    halves = load_file(tmp_path / "half" / "model.safetensors").values()
    assert {weight.dtype for weight in halves} == {torch.float16}


def test_an_existing_folder_is_kept(adapter: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    merge(str(adapter), out)  # an empty one is no loss
    merge(str(adapter), out)  # the same again, as after a kill
    with pytest.raises(InputError, match="out: exists; give another --out, or --overwrite"):
        merge(str(adapter), out, dtype="float16")
    (out / "old").touch()
    with pytest.raises(InputError, match="old is not as locvlm merge has left it"):
        merge(str(adapter), out)
    merge(str(adapter), out, overwrite=True)
    assert not (out / "old").exists()


def test_what_is_no_model_is_never_overwritten(adapter: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "thesis.tex").touch()
    with pytest.raises(InputError, match="home: holds no model to overwrite"):
        merge(str(adapter), home, overwrite=True)
    with pytest.raises(InputError, match="thesis.tex: is a file"):
        merge(str(adapter), home / "thesis.tex", overwrite=True)
    with pytest.raises(InputError, match="base: is .*what is read"):
        merge(str(adapter), tmp_path / "base", overwrite=True)
    with pytest.raises(InputError, match="base: is .*what is read"):
        merge(str(tmp_path / "base"), tmp_path / "base", overwrite=True)
    assert (home / "thesis.tex").is_file()


def test_an_error_leaves_nothing(
    adapter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merging, "FILE", "no/such/README.md")
    before = set(tmp_path.iterdir())
    with pytest.raises(FileNotFoundError):
        merge(str(adapter), tmp_path / "out")
    assert set(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("number", "dtype", "message"),
    [
        (math.nan, None, "model: 1 weights hold numbers that are not finite.* lower learning rate"),
        (1e30, "float16", "model as float16: 1 weights .*; choose --dtype bfloat16"),
    ],
)
def test_numbers_that_are_not_finite(
    adapter: Path, tmp_path: Path, number: float, dtype: str | None, message: str
) -> None:
    path = adapter / "adapter_model.safetensors"
    weights = load_file(path)
    weights[next(name for name in weights if name.endswith("linear_1.bias"))][0] = number
    save_file(weights, path)
    with pytest.raises(InputError, match=message):
        merge(str(adapter), tmp_path / "out", dtype=dtype)
    assert not (tmp_path / "out").exists()


def test_a_part_that_a_model_is_without() -> None:
    """Nemotron's ears are optional."""
    inner = SimpleNamespace(dtype=None, name_or_path="/home/me", sub_configs={})
    config = SimpleNamespace(
        dtype=None,
        name_or_path="",
        sub_configs={"text_config": None, "audio_config": None},
        text_config=inner,
        audio_config=None,
    )
    merging._clean(config, torch.float16)
    assert (inner.dtype, inner.name_or_path) == (torch.float16, "")
