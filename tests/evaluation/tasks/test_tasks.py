import pytest

from locvlm.errors import InputError
from locvlm.evaluation import tasks


def test_the_name_is_the_file():
    assert tasks.names() == ["coco-spatial", "describe", "gqa", "hal-coco", "locate", "vqav2"]
    for name in tasks.names():
        task = tasks.get(name)
        assert name == task.NAME
        assert task.__name__.rpartition(".")[2] == name.replace("-", "_")


def test_unknown_names():
    with pytest.raises(InputError, match="unknown evaluation task 'pope'; known: coco-spatial"):
        tasks.get("pope")
    with pytest.raises(InputError, match="has no option 'max'; it has: min_objects"):
        tasks.settle(tasks.get("coco-spatial"), {"max": 1})


def test_options_have_defaults():
    task = tasks.get("coco-spatial")
    assert tasks.settle(task, {}) == {"min_objects": 3}
    assert tasks.settle(task, {"min_objects": 2}) == {"min_objects": 2}


@pytest.mark.parametrize("name", ["coco-spatial", "describe", "hal-coco", "locate"])
def test_ids_are_unique_and_repeat(name, annotations):
    task = tasks.get(name)
    first, again = (
        task.questions(annotations, seed=5, options=tasks.settle(task, {})) for _ in range(2)
    )
    assert first == again
    assert len({question.id for question in first}) == len(first) > 0
