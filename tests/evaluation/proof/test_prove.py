import msgspec
import pytest

from locvlm.errors import InputError
from locvlm.evaluation.proof import wording
from locvlm.evaluation.proof.figures import PLAIN
from locvlm.evaluation.proof.limits import state_limits
from locvlm.evaluation.proof.prove import PAGE, PROOF, prove
from locvlm.evaluation.proof.structure import Proof
from locvlm.io.json_rows import write_json
from tests.evaluation.running import DETECTION, written


def test_finished_runs_are_weighed_without_a_model(runs, tmp_path):
    base, tuned = map(str, runs)
    proof = prove(base, tuned, tmp_path / "out")
    assert (proof.base, proof.tuned) == ("base", "tuned")
    assert [task.task for task in proof.tasks] == ["hal-coco", "locate"]
    assert (tmp_path / "out" / PROOF).is_file()
    read = msgspec.json.decode((tmp_path / "out" / PROOF).read_bytes(), type=Proof)
    assert read == proof
    locate = proof.tasks[1]
    assert (locate.questions, locate.images) == (19, 7)
    assert (locate.changes.better, locate.changes.worse) == (7, 0)
    assert locate.split == ""
    (verdict,) = locate.verdicts
    assert verdict.word == "better"
    assert verdict.sentence.startswith("Finds objects better: mean IoU 0.622 → 0.976")
    assert verdict.sentence.endswith("on 7 photos.")


def test_each_group_has_an_interval_of_its_own(runs):
    locate = prove(str(runs[0]), str(runs[1]), None, tasks=["locate"]).tasks[0]
    tables = {table.by: {row.name: row for row in table.rows} for table in locate.tables}
    dog, cup = tables["category"]["dog"], tables["category"]["cup"]
    assert (dog.base, dog.images, dog.changed, dog.questions) == (0, 7, 7, 7)
    assert dog.low > 0.9
    assert (-cup.low, cup.high, cup.changed) == (3 / 7, 3 / 7, 0)  # rule of three
    assert tables["category"]["cat"].images == 3
    assert [row.name for row in locate.tables[-1].rows] == ["medium", "large"]


def test_no_intervals_are_not_counted(runs):
    proof = prove(str(runs[0]), str(runs[1]), None, tasks=["locate"])
    assert any("intervals are shown" in limit for limit in proof.limits)
    assert not any("intervals are shown" in limit for limit in state_limits([]))


def test_one_folder_of_each(runs, tmp_path):
    base, tuned = (str(folder / "locate") for folder in runs)
    assert [task.task for task in prove(base, tuned, None).tasks] == ["locate"]
    with pytest.raises(InputError, match=r"no finished run of hal-coco .* runs of: locate"):
        prove(base, tuned, None, tasks=["hal-coco"])
    with pytest.raises(InputError, match="no finished run of the same task"):
        prove(base, str(runs[1] / "hal-coco"), None)


def test_what_only_one_was_asked_is_named(runs):
    (runs[1] / "hal-coco" / "scores.json").unlink()
    proof = prove(str(runs[0]), str(runs[1]), None)
    assert proof.left_out == {"hal-coco": "only one of the two has a run of it"}


def test_a_model_needs_data(tmp_path):
    with pytest.raises(InputError, match=r"no finished run .* give --annotations, --images and"):
        prove("tiny", "tiny", tmp_path)


def test_models_are_asked_and_go_on(models, annotations, images, tmp_path):
    sources = written(annotations, tmp_path / "annotations", images)
    asked = []

    def load(name):
        asked.append(name)
        model = models(name, "locate")
        for task in [*DETECTION, *PLAIN]:
            for place, of in models(name, task).answers.items():
                model.answers[place] |= of
        return model

    out = tmp_path / "out"
    proof = prove("base", "tuned", out, sources, load=load)
    assert asked == ["base", "tuned"]
    assert [task.task for task in proof.tasks][:2] == ["locate", "describe"]
    assert (out / "base/locate/scores.json").is_file()
    assert (out / "tuned/hal-coco/predictions.jsonl").is_file()
    assert [task.task for task in proof.tasks if task.plain] == [*PLAIN]
    sentences = [verdict.sentence for verdict in proof.verdicts]
    assert any(said.endswith("21 answers changed.") for said in sentences)
    assert any(
        "Finds one of several: mean IoU" in s and "on 1 photo, too few" in s for s in sentences
    )
    locate = {table.by: table.rows for table in proof.tasks[0].tables}
    assert sum(row.questions for row in locate["category"]) == 19  # of single objects
    again = prove("base", "tuned", out, sources, load=load)
    assert again == proof
    finished = prove(str(out / "base"), str(out / "tuned"), None, tasks=["locate"])
    assert finished.tasks[0].notes == proof.notes  # said once: with the only task
    assert msgspec.structs.replace(finished.tasks[0], notes=[]) == proof.tasks[0]


@pytest.mark.parametrize(
    ("base", "tuned", "where"),
    [
        (None, None, "on 7 photos."),
        ([], [], "on 7 unseen photos."),
        ([], ["1.png"], "on 6 unseen photos."),
        ([], [f"{i}.png" for i in range(1, 8)], "on 7 training photos."),
    ],
)
def test_what_was_learned_from_is_set_apart(runs, base, tuned, where):
    for folder, names in zip(runs, (base, tuned), strict=True):
        path = folder / "locate" / "scores.json"
        scores = msgspec.json.decode(path.read_bytes())
        learned = {"images": 0, "questions": 0, "how": {}, "known": 9, "unknown": [], "names": []}
        if names is not None:
            learned |= {"images": len(names), "questions": len(names), "names": names}
        write_json(path, scores | {"learned": None if names is None else learned})
    task = prove(str(runs[0]), str(runs[1]), None, tasks=["locate"]).tasks[0]
    assert task.verdicts[0].sentence.endswith(where)
    assert [each.images for each in task.learned] == (
        [] if base is None else [len(base), len(tuned)]
    )
    assert len(task.notes) == 2


def test_a_misspelt_second_model_is_told_before_the_first_is_asked(
    small_base, annotations, images, tmp_path
):
    sources = written(annotations, tmp_path / "annotations", images)
    with pytest.raises(InputError, match="no model 'tinny'"):
        prove(str(small_base), "tinny", tmp_path / "out", sources)
    assert not (tmp_path / "out").exists()


def test_the_split_is_said(runs, tmp_path):
    for folder in runs:
        for task, split in (("locate", "val"), ("hal-coco", "all")):
            path = folder / task / "scores.json"
            write_json(path, msgspec.json.decode(path.read_bytes()) | {"split": split})
    proof = prove(str(runs[0]), str(runs[1]), tmp_path / "out")
    written = msgspec.json.decode((tmp_path / "out" / PROOF).read_bytes())
    assert [task["split"] for task in written["tasks"]] == ["all", "val"]
    assert "about 7 photos of small.json, split val." in wording.describe_asked(proof.tasks[1])
    page = (tmp_path / "out" / PAGE).read_text()
    assert "of small.json, all splits." in page
    assert "of small.json, split val." in page


def test_what_holds_for_all_tasks_is_said_once(runs, tmp_path):
    for folder in runs:
        for number, task in enumerate(("locate", "hal-coco")):
            path = folder / task / "scores.json"
            learned = None
            if folder == runs[1]:
                learned = {"images": number, "questions": number, "how": {}, "known": 9}
                learned |= {"unknown": [], "names": ["1.png"][:number]}
            write_json(path, msgspec.json.decode(path.read_bytes()) | {"learned": learned})
    proof = prove(str(runs[0]), str(runs[1]), tmp_path / "out")
    assert proof.notes == ["Which images base learned from is not known."]
    every = [*proof.notes, *(note for task in proof.tasks for note in task.notes)]
    assert len(every) == 3
    assert all(note[0].isupper() and note.endswith(".") and note[-2] != "." for note in every)
    page = (tmp_path / "out" / PAGE).read_text()
    assert all(page.count(note) == 1 for note in every)


def test_an_interval_and_what_could_have_gone_unseen_agree(runs):
    same = prove(str(runs[0]), str(runs[0]), None, tasks=["locate"]).tasks[0]
    (verdict,) = same.verdicts
    assert "the same on each; up to 0.429 could have gone unseen" in verdict.sentence
    whole = next(figure for figure in same.scores if figure.name == "mean IoU")
    assert wording.format_interval(whole) == "−0.429 … +0.429"
