"""Whole runs of a small real model: stages, kills, and what must not be mixed."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from locvlm.errors import InputError
from locvlm.media.fingerprints import Fingerprint
from locvlm.models.learned_images import FILE, LearnedImages, learned_by
from locvlm.models.load import load_model, load_whole
from locvlm.models.parts import part_of
from locvlm.training.adapters import read_lora
from locvlm.training.engine.checkpoints import COMPLETE
from locvlm.training.engine.trainer import LocTrainer
from locvlm.training.recipe import LoraSettings
from locvlm.training.recipe_file import read_recipe
from locvlm.training.train import read_training_data, train
from tests import families


def losses(stage: Path) -> list[tuple[int, float]]:
    rows = [json.loads(line) for line in (stage / "log.jsonl").read_text().splitlines()]
    return [(row["step"], row["loss"]) for row in rows if "loss" in row]


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "adapter_model.safetensors")


def test_a_whole_run(small_run: Path, drawn: None) -> None:
    model = train(small_run)
    assert model == Path("out/model")
    out = model.parent
    for stage, steps in [("naming", 3), ("captions", 3), ("locations", 6)]:
        assert losses(out / stage)[-1][0] == steps
    assert (out / "loss.png").stat().st_size > 1000

    # Stage 1 changes the projector alone, stage 2 both
    assert not any("lora" in name for name in weights(out / "captions" / "model"))
    last = weights(model)
    moved = [name for name, value in last.items() if "lora_B" in name and value.any()]
    assert len(moved) == 2 * 5  # layers x targets

    loaded = load_model(model)
    assert loaded.coordinates.name == "ivb"

    learned = learned_by(model)
    assert learned is not None
    assert learned.names == tuple(f"{number}.png" for number in range(1, 7))
    assert learned.unknown == ("tiny-base",)
    folders = [out, model, *(out / stage / "model" for stage in ("naming", "captions"))]
    assert len({(folder / FILE).read_bytes() for folder in folders}) == 1


def test_a_run_goes_on_with_the_updates_of_another(
    small_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stage = "{{trains: adapter+lora, steps: {}, images: 2, questions: {{locpred: 1}}}}"
    lora = "lora={rank: 3, alpha: 6, targets: [up_proj, q_proj]}"
    train(small_run, [f"stages={{one: {stage.format(2)}}}", lora, "out=first"])
    assert "lora" not in capsys.readouterr().err  # the recipe has said it

    small_run.write_text(small_run.read_text().replace("lora: {rank: 2, alpha: 2}\n", ""))
    on = [f"stages={{two: {stage.format(1)}}}", "model=./first/model", "out=second"]
    model = train(small_run, on)
    assert "lora: as " in (said := capsys.readouterr().err)
    assert "first/model has it: rank 3, alpha 6, targets q_proj, up_proj\n" in said
    assert read_lora(model) == LoraSettings(rank=3, alpha=6, targets=("q_proj", "up_proj"))
    before, after = weights(Path("first/model")), weights(model)
    assert before.keys() == after.keys()
    with pytest.raises(InputError, match="rank 3, the recipe's lora 2"):
        train(small_run, [*on, "lora={rank: 2}", "out=third"])


def test_a_killed_run_goes_on_to_the_same_loss_curve_and_weights(
    small_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = train(small_run, ["out=whole"])

    step = LocTrainer.compute_loss
    calls = 0

    def killed(self: Any, *args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 3 + 6 + 7:  # naming, captions, then the fourth step of the last stage
            raise KeyboardInterrupt
        return step(self, *args, **kwargs)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(LocTrainer, "compute_loss", killed)
        train(small_run, ["out=broken"])
    assert not Path("broken/model").exists()
    assert [row[0] for row in losses(Path("broken/locations"))] == [1, 2, 3]

    naming = Path("broken/naming/model/adapter_model.safetensors")
    written = naming.stat().st_mtime_ns
    resumed = train(small_run, ["out=broken"])
    assert naming.stat().st_mtime_ns == written  # a finished stage is not repeated

    assert losses(Path("broken/locations")) == losses(Path("whole/locations"))
    ours, theirs = weights(resumed), weights(whole)
    assert ours.keys() == theirs.keys()
    for name, value in theirs.items():
        assert torch.equal(ours[name], value), name


WHOLE = (
    "stages={a: {trains: adapter+language, steps: 6, images: 1, questions: {locpred: 1}, "
    "learning_rate: 3.0e-3}}"
)


def killed_in_the_fifth_step(recipe: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run of a whole model; its last checkpoint is that of the fourth step."""
    step, calls = LocTrainer.compute_loss, 0

    def killed(self: Any, *args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 5:
            raise KeyboardInterrupt
        return step(self, *args, **kwargs)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(LocTrainer, "compute_loss", killed)
        train(recipe, [WHOLE, "out=broken"])
    return Path("broken/a/checkpoint-4")


def test_a_killed_run_of_a_whole_model_goes_on_to_the_same_weights(
    small_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(small_run, [WHOLE, "out=whole"])
    killed_in_the_fifth_step(small_run, monkeypatch)
    train(small_run, [WHOLE, "out=broken"])
    assert losses(Path("broken/a")) == losses(Path("whole/a"))
    ours, theirs = (load_file(Path(out, "model/model.safetensors")) for out in ("broken", "whole"))
    assert ours.keys() == theirs.keys()
    for name, value in theirs.items():
        assert torch.equal(ours[name], value), name


def test_a_checkpoint_that_does_not_hold_the_weights_is_not_gone_on_from(
    small_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = killed_in_the_fifth_step(small_run, monkeypatch) / "model.safetensors"
    weights = load_file(file)
    del weights["model.language_model.norm.weight"]
    save_file(weights, file, metadata={"format": "pt"})
    mark = file.with_name(COMPLETE)  # as of a checkpoint that was written so, and is not damaged
    mark.write_text(mark.read_text().partition("\n")[0])
    with pytest.raises(InputError, match=r"broken/a: .*language_model.norm.weight, 1 in all.*rem"):
        train(small_run, [WHOLE, "out=broken"])


def test_a_finished_run_is_not_repeated(small_run: Path) -> None:
    written = (train(small_run) / "adapter_model.safetensors").stat().st_mtime_ns
    log = Path("out/locations/log.jsonl").read_text()
    assert (train(small_run) / "adapter_model.safetensors").stat().st_mtime_ns >= written
    assert Path("out/locations/log.jsonl").read_text() == log


def test_a_changed_recipe_does_not_go_on_in_the_old_ones_folder(small_run: Path) -> None:
    small = ["stages={naming: {trains: naming, steps: 1}}"]
    train(small_run, small)
    with pytest.raises(InputError, match=r"out: holds a run of another recipe.*choose another out"):
        train(small_run, [*small, "seed=1"])


WRONG = "lora.targets=[none]"


def test_a_run_that_failed_before_it_learned_gives_its_folder_up(small_run: Path) -> None:
    small = "stages={naming: {trains: naming, steps: 1}}"
    with pytest.raises(InputError, match="has no layers named none"):
        train(small_run, [small, WRONG])
    assert Path("out/features").is_dir()
    LearnedImages(unknown=("other data",)).write(Path("out"))
    Path("out/base").mkdir()  # of other parts, as it were
    Path("out/naming").mkdir()
    assert train(small_run, [small]) == Path("out/model")
    assert not Path("out/base").exists()
    assert (learned := learned_by("out/model")) and len(learned.names) == 6
    assert "none" not in json.loads(Path("out/recipe.json").read_text())["lora"]["targets"]


@pytest.mark.parametrize(
    "left", ["naming/log.jsonl", "naming/checkpoint-1/x", "old/model/x", "model/x"]
)
def test_what_a_run_has_learned_is_kept(small_run: Path, left: str) -> None:
    with pytest.raises(InputError, match="has no layers named none"):
        train(small_run, [WRONG])
    Path("out", left).parent.mkdir(parents=True)
    Path("out", left).touch()
    with pytest.raises(InputError, match="out: holds a run of another recipe"):
        train(small_run)


def test_an_error_begins_on_a_line_of_its_own(
    small_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stage = "{trains: adapter, steps: 2, images: 2, questions: {locpred: 1}}"
    with pytest.raises(InputError, match="more than max_tokens"):
        train(small_run, [f"stages={{captions: {stage}}}", "max_tokens=70"])
    said = capsys.readouterr().err
    assert "0/2" in said
    assert said.endswith("\n")


def test_a_run_starts_from_another_runs_model(small_run: Path) -> None:
    one = ["stages={captions: {trains: adapter, steps: 1, questions: {category: 1}}}"]
    first = train(small_run, [*one, "out=first"])
    rate = one[0].replace("steps: 1", "steps: 1, learning_rate: 0.0")
    record = learned_by(first)
    assert record is not None
    LearnedImages.of([("old.jpg", Fingerprint("0" * 64))], ["older"]).write(first)
    second = train(small_run, [rate, "out=second", "model=first/model"])
    for name, value in weights(first).items():
        assert torch.equal(weights(second)[name], value), name
    learned = learned_by(second)
    assert learned is not None
    assert learned.names == (*record.names, "old.jpg")
    assert learned.unknown == ("older",)


def test_what_it_starts_from_must_be_there(small_run: Path) -> None:
    with pytest.raises(InputError, match="no model 'tinny'"):
        train(small_run, ["model=tinny"])


def test_pictures_of_all_data_sets(small_run: Path) -> None:
    pictures = read_training_data(read_recipe(small_run))
    assert len(pictures.conversations) == len(pictures.annotated) == 6
    assert all(Path(item.image).is_file() for item in pictures.conversations)
    assert pictures.categories == ("dog", "cat", "person")


def test_a_stage_of_the_adapter_keeps_the_low_rank_updates_it_starts_from(small_run: Path) -> None:
    whole = train(small_run, ["out=first"])
    one = ["stages={captions: {trains: adapter, steps: 1, questions: {category: 1}}}"]
    second = train(small_run, [*one, "out=second", f"model={whole}"])
    before, after = weights(whole), weights(second)
    assert before.keys() == after.keys()
    for name, value in before.items():
        if "lora_" in name:
            assert torch.equal(after[name], value), name
    assert str(small_run.parent) not in (second / "adapter_config.json").read_text()


def test_a_recipe_that_asks_for_nothing(small_run: Path) -> None:
    for setting, message in [
        ("stages={}", "names no stages"),
        ("stages={a: {trains: adapter, steps: 1}}", "stages.a.questions: asks nothing"),
        ("stages={a: {trains: adapter, steps: 1, questions: {nothing: 1}}}", "unknown objective"),
        ("stages={a: {trains: naming, steps: 0}}", r"stages\.a: .*\$\.steps"),
        ("stages={a: {trains: adapter, steps: 1, questions: {negpred: 1}}}", "build them with"),
    ]:
        with pytest.raises(InputError, match=message):
            train(small_run, [setting])


# Other families


@pytest.fixture(params=["llava", "paligemma", "florence_2", "idefics3"])
def family_run(small_run: Path, request: pytest.FixtureRequest) -> Path:
    """The small recipe on a family's model in a folder, as from the hub."""
    model, processor = families.build(request.param)
    folder = small_run.parent / "base"
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return small_run


LOCATIONS = "stages={locations: {trains: %s, steps: 2, images: 2, questions: {locpred: 1}}}"


@pytest.mark.slow
@pytest.mark.parametrize("trains", ["adapter+lora", "adapter+language"])
def test_a_family_is_trained_and_loaded_again(family_run: Path, trains: str) -> None:
    settings = ["model=./base", "format=ivb", "lora={rank: 2, targets: [all]}"]
    before = load_whole(family_run.parent / "base", torch.bfloat16)
    folder = train(family_run, [*settings, LOCATIONS % trains])
    assert (folder / "adapter_config.json").is_file() == (trains == "adapter+lora")
    assert (folder / "config.json").is_file() == (trains == "adapter+language")
    loaded = load_model(folder)
    moved = [
        name
        for (name, ours), theirs in zip(
            loaded.model.bfloat16().named_parameters(), before.parameters(), strict=True
        )
        if not torch.equal(ours, theirs)
    ]
    assert {part_of(name) for name in moved} == {"adapter", "language"}


def test_rewards_need_trl_and_it_is_said_first(
    small_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("locvlm.training.train.find_spec", lambda _: None)
    with pytest.raises(InputError, match=r"stage locations: .* pip install 'locvlm\[reinforce\]'"):
        train(
            small_run, ["stages.locations.reinforce={}", "stages.locations.questions={locpred: 1}"]
        )
    assert not Path("out").exists()
