"""The programs that an export is for read it as it is."""

import shutil
from pathlib import Path

import pytest

from locvlm.instructions.dataset import DATA
from locvlm.interchange.export.base import ExportOptions
from locvlm.interchange.export.run import export


@pytest.mark.parametrize("with_images", [False, True])
def test_sft_trainer_learns_the_answers(
    with_images: bool, data: Path, tmp_path: Path, small_base: Path
) -> None:
    trl = pytest.importorskip("trl")
    datasets = pytest.importorskip("datasets")
    from transformers import AutoProcessor, LlavaForConditionalGeneration

    kind = "parquet" if with_images else "json"
    out = tmp_path / f"trl.{kind}"
    export(data, "trl", out, ExportOptions(with_images=with_images))
    rows = datasets.load_dataset(kind, data_files=str(out), split="train", cache_dir=str(tmp_path))
    processor = AutoProcessor.from_pretrained(small_base, backend="pil")
    trainer = trl.SFTTrainer(
        LlavaForConditionalGeneration.from_pretrained(small_base),
        args=trl.SFTConfig(
            output_dir=str(tmp_path / "run"),
            max_steps=2,
            per_device_train_batch_size=2,
            max_length=None,
            report_to="none",
            logging_steps=1,
            use_cpu=True,
        ),
        train_dataset=rows,
        processing_class=processor,
    )
    labels = trainer.data_collator([rows[0]])["labels"][0]
    learned = processor.decode(labels[labels >= 0])
    assert learned.startswith("At (4,52,13,63)")
    assert "Where" not in learned
    trainer.train()
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    assert len(losses) == 2
    assert all(0 < loss < 20 for loss in losses)


def test_datasets_opens_our_own_parquet(data: Path, tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    rows = datasets.load_dataset(
        "parquet", data_files=str(data / DATA), split="train", cache_dir=str(tmp_path / "cache")
    )
    assert rows[0]["image"] == "a.png"
    assert rows[0]["instructions"][0]["locations"] == [[10, 120, 30, 145]]
    assert rows[0]["instructions"][1]["locations"] == [[20, 132.5]]


@pytest.mark.parametrize("with_images", [False, True])
def test_datasets_decodes_the_pictures(with_images: bool, data: Path, tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    out = tmp_path / "out.parquet"
    export(data, "parquet", out, ExportOptions(with_images=with_images))
    if with_images:  # the file alone is the data set
        shutil.rmtree(tmp_path / "images")
    rows = datasets.load_dataset(
        "parquet", data_files=str(out), split="train", cache_dir=str(tmp_path / "cache")
    )
    assert [row["image"].size for row in rows] == [(512, 512), (64, 32)]
    assert rows[0]["instructions"][0]["question"] == "Where, as {repr}?"


def test_swift_loads_texts_and_numbers(data: Path, tmp_path: Path) -> None:
    swift = pytest.importorskip("swift.dataset")
    out = tmp_path / "out.jsonl"
    export(data, "swift", out)
    rows, _ = swift.load_dataset(str(out), strict=True, load_from_cache_file=False)
    assert rows[0]["objects"]["bbox"] == [[10, 120, 30, 145], [20, 132.5]]
    assert not rows[1]["objects"]
    texts = [message["content"] for message in rows[0]["messages"]]
    assert "".join(texts).count("<bbox>") == 2
    assert [text.count("<image>") for text in texts] == [1, 0, 0, 0, 0, 0]
    assert [Path(row["images"][0]["path"]).name for row in rows] == ["a.png", "b.png"]


def test_webdataset_pairs_pictures_and_texts(data: Path, tmp_path: Path) -> None:
    webdataset = pytest.importorskip("webdataset")
    export(data, "webdataset", tmp_path / "out")
    samples = list(
        webdataset.WebDataset(str(tmp_path / "out" / "000000.tar"), shardshuffle=False).decode(
            "pil"
        )
    )
    assert [sample["png"].size for sample in samples] == [(512, 512), (64, 32)]
    assert samples[0]["json"]["conversations"][1]["value"] == "At (4,52,13,63)"
