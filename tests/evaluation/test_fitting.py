"""Which tasks fit a data set, and what is said where one does not."""

from dataclasses import replace

import pytest

from locvlm.annotations.base import AnnotatedImage, AnnotationSet, Object
from locvlm.errors import InputError
from locvlm.evaluation import tasks
from locvlm.evaluation.fitting import detection_tasks, load_questions, tasks_for
from locvlm.evaluation.task import NoQuestionsError, Sources
from locvlm.geometry import Box
from tests.evaluation.running import written

PLAIN = ("plain-captions", "plain-questions")


@pytest.fixture
def one_class_each(tmp_path) -> AnnotationSet:
    """Twelve photos, each with one object of one of three categories."""
    names = ("scratch", "dent", "crack")
    images = tuple(
        AnnotatedImage(i, f"{i}.png", 100, 80, (Object(names[i % 3], Box(10, 10, 40 + i, 50)),))
        for i in range(12)
    )
    return AnnotationSet(images, names, tmp_path / "parts.json")


def test_what_fits_and_why_the_rest_does_not(one_class_each):
    fitting = tasks_for(one_class_each)
    assert list(fitting.fits) == ["describe", "hal-coco", "locate", *PLAIN]
    assert {name: (fit.questions, fit.images) for name, fit in fitting.fits.items()} == {
        "describe": (12, 12),
        "hal-coco": (24, 12),
        "locate": (12, 12),
        "plain-captions": (12, 12),
        "plain-questions": (36, 12),
    }
    assert set(fitting.left_out) == {"coco-spatial", "coco-spatial-released"}
    assert "fewer than 3 clear-sided single objects: 12" in fitting.left_out["coco-spatial"]
    first = "describe (12 questions), hal-coco (24 questions), locate (12 questions)"
    assert str(fitting).startswith(first)


def test_all_that_need_annotations_alone_are_looked_at(annotations):
    names = {task.name for task in detection_tasks()}
    assert names == {
        "coco-spatial",
        "coco-spatial-released",
        "describe",
        "hal-coco",
        "locate",
        *PLAIN,
    }
    fitting = tasks_for(annotations)
    assert set(fitting.fits) | set(fitting.left_out) == names
    for name, fit in fitting.fits.items():
        task = tasks.get(name)
        asked = task.ask_about(annotations, seed=0, options=task.options)
        assert (fit.questions, fit.skipped) == (len(asked), asked.skipped)


def test_options_count(annotations):
    assert "coco-spatial" in tasks_for(annotations).fits
    options = {"coco-spatial": {"min_objects": 9}}
    assert "coco-spatial" in tasks_for(annotations, options=options).left_out
    options = {"coco-spatial": {"min_objects": 1}}
    assert "at least 2" in tasks_for(annotations, options=options).left_out["coco-spatial"]
    with pytest.raises(InputError, match="has no option 'least'"):
        tasks_for(annotations, options={"coco-spatial": {"least": 1}})


def test_a_task_that_refuses_names_those_that_fit(one_class_each, tmp_path):
    sources = written(one_class_each, tmp_path / "data")
    assert tasks_for(sources) == tasks_for(one_class_each)
    with pytest.raises(NoQuestionsError) as caught:
        load_questions("coco-spatial", sources, seed=0, options={})
    assert str(caught.value).endswith(
        "; tasks that fit: describe (12 questions), hal-coco (24 questions), "
        "locate (12 questions), plain-captions (12 questions), plain-questions (36 questions)"
    )
    assert str(caught.value).startswith(caught.value.reason)


def test_nothing_fits(tmp_path):
    bare = AnnotationSet((AnnotatedImage(1, "1.png", 9, 9),), ("dog",), tmp_path / "bare.json")
    assert not tasks_for(bare).fits
    assert str(tasks_for(bare)) == "none"
    with pytest.raises(InputError, match="use other files$"):
        load_questions("locate", written(bare, tmp_path / "data"), seed=0, options={})


def test_files_that_are_no_annotations_are_not_read_again(tmp_path):
    with pytest.raises(InputError, match="No such file"):
        tasks_for(Sources({"annotations": tmp_path / "none.json"}))


def test_the_same_data_fit_the_same(one_class_each):
    turned = replace(one_class_each, images=one_class_each.images[::-1])
    assert tasks_for(turned) == tasks_for(one_class_each)
