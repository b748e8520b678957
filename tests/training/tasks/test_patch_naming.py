"""Patch naming: labels of patches, directions of names and places, and that it can be learned."""

import math
from copy import deepcopy
from typing import Any

import numpy as np
import pytest
import torch

from locvlm.annotations.base import AnnotatedImage, Object
from locvlm.errors import InputError
from locvlm.geometry import Box
from locvlm.models.load import Loaded
from locvlm.training.tasks.patch_naming import (
    UNKNOWN,
    build_targets,
    class_weights,
    naming_loss,
    patch_labels,
    place_code,
)

NAMES = ["cat", "dog", "sofa"]
CAT, DOG, SOFA, NOTHING = range(4)


def picture(*objects: tuple[str, Box]) -> AnnotatedImage:
    """80 pixels wide and 40 high: with a grid of 4, a patch is 20 x 10 pixels."""
    return AnnotatedImage(1, "1.jpg", 80, 40, tuple(Object(name, box) for name, box in objects))


def labels_of(*objects: tuple[str, Box], annotated: list[str] = NAMES) -> list[list[int]]:
    return patch_labels(picture(*objects), annotated, NAMES, 4).reshape(4, 4).tolist()


# Labels


def test_an_empty_picture_shows_nothing() -> None:
    assert labels_of() == [[NOTHING] * 4] * 4


def test_a_patch_belongs_to_the_box_over_its_center() -> None:
    """Patch centers are x = 10, 30, 50, 70 and y = 5, 15, 25, 35."""
    assert labels_of(("dog", Box(29, 0, 51, 16))) == [
        [NOTHING, DOG, DOG, NOTHING],
        [NOTHING, DOG, DOG, NOTHING],
        [NOTHING] * 4,
        [NOTHING] * 4,
    ]


def test_a_box_between_the_centers_names_no_patch() -> None:
    assert labels_of(("dog", Box(31, 0, 49, 40))) == [[NOTHING] * 4] * 4


def test_left_edge_belongs_to_the_box_and_right_edge_does_not() -> None:
    assert labels_of(("cat", Box(30, 5, 50, 15)))[0] == [NOTHING, CAT, NOTHING, NOTHING]
    assert labels_of(("cat", Box(30, 5, 50, 15)))[1] == [NOTHING] * 4


@pytest.mark.parametrize("order", [1, -1])
def test_the_smallest_box_wins_in_any_order(order: int) -> None:
    objects = [("sofa", Box(0, 0, 80, 40)), ("cat", Box(0, 0, 20, 10))][::order]
    labels = labels_of(*objects)
    assert labels[0] == [CAT, SOFA, SOFA, SOFA]
    assert labels[1:] == [[SOFA] * 4] * 3


def test_what_the_data_set_does_not_annotate_is_unknown() -> None:
    labels = labels_of(("dog", Box(0, 0, 20, 10)), annotated=["dog", "cat"])  # no sofas
    assert labels == [[DOG, *[UNKNOWN] * 3], *[[UNKNOWN] * 4] * 3]


def test_a_data_set_with_more_categories_is_exhaustive() -> None:
    labels = labels_of(annotated=[*NAMES, "zebra"])
    assert labels == [[NOTHING] * 4] * 4


def test_a_grid_of_one() -> None:
    image = picture(("cat", Box(39, 19, 41, 21)))
    assert patch_labels(image, NAMES, NAMES, 1).tolist() == [CAT]


# Weights


def test_weights_fall_with_the_root_of_the_share() -> None:
    labels = np.array([0] * 100 + [1] * 400 + [UNKNOWN] * 9)
    weight = class_weights(labels, 2).tolist()
    assert weight[0] == pytest.approx(2 * weight[1])
    assert (100 * weight[0] + 400 * weight[1]) / 500 == pytest.approx(1)


def test_weights_of_what_never_occurs_are_finite() -> None:
    assert class_weights(np.array([0] * 60), 3).isfinite().all()
    assert class_weights(np.full((2, 16), UNKNOWN), 3).tolist() == [1, 1, 1]
    assert class_weights(np.zeros((0, 16), int), 3).tolist() == [1, 1, 1]


# Directions


def test_places_are_orthonormal_and_apart_from_all_names(small_model: Loaded) -> None:
    goal = build_targets(small_model.model, small_model.processor, NAMES)
    assert goal.categories == tuple(NAMES)
    assert goal.names.shape == (4, 64)
    assert goal.places.shape == (16, 64)
    torch.testing.assert_close(goal.names.norm(dim=1), torch.ones(4))
    torch.testing.assert_close(goal.places @ goal.places.T, torch.eye(16), atol=1e-5, rtol=0)
    torch.testing.assert_close(goal.places @ goal.names.T, torch.zeros(16, 4), atol=1e-5, rtol=0)
    assert goal.norm > 0


def test_directions_are_the_same_each_time(small_model: Loaded) -> None:
    a, b = (build_targets(small_model.model, small_model.processor, NAMES) for _ in range(2))
    assert torch.equal(a.places, b.places)
    assert torch.equal(a.to("cpu").names, b.names)


def test_as_many_categories_as_fit_and_one_more(small_model: Loaded) -> None:
    model, processor = small_model.model, small_model.processor
    names = [f"thing {i}" for i in range(48)]
    goal = build_targets(model, processor, names[:47])  # with the background and 16 places, 64
    assert float((goal.places @ goal.names.T).abs().max()) < 1e-4
    with pytest.raises(InputError, match="48 categories and 16 places do not fit .* width of 64"):
        build_targets(model, processor, names)


def test_the_place_code_tells_every_patch_apart() -> None:
    for grid in (1, 2, 16, 24):
        code = place_code(grid)
        assert code.shape == (grid * grid, 16)
        apart = torch.cdist(code, code) + torch.eye(grid * grid)
        assert float(apart.min()) > 0.1


def test_the_place_code_has_x_first_and_rows_first() -> None:
    code = place_code(4).view(4, 4, 2, 8)
    assert (code[:, :, 0] == code[:1, :, 0]).all()  # x does not depend on the row
    assert (code[:, :, 1] == code[:, :1, 1]).all()
    assert float(code[0, 0, 0, 0]) == pytest.approx(math.sin(math.pi * 0.125 * 0.5))


# Loss


def test_the_loss_falls_and_patches_get_their_names(small_model: Loaded) -> None:
    """A few steps of the adapter alone learn one picture's patches by heart."""
    torch.manual_seed(0)
    goal = build_targets(small_model.model, small_model.processor, NAMES)
    image = picture(("dog", Box(0, 0, 40, 20)), ("cat", Box(40, 20, 80, 40)))
    labels = patch_labels(image, NAMES, NAMES, 4)[None]
    weight = class_weights(labels, 4)
    adapter: Any = deepcopy(small_model.model.model.multi_modal_projector)
    features = torch.randn(1, 16, 64)
    optimizer = torch.optim.Adam(adapter.parameters(), lr=1e-2)
    history = []
    for _ in range(30):
        loss, right, placed = naming_loss(adapter(features), torch.from_numpy(labels), goal, weight)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        history.append((float(loss.detach()), float(right), float(placed.detach())))
    first, last = history[0], history[-1]
    assert last[0] < 0.5 * first[0]
    assert last[1] == 1
    assert last[2] < 0.5 * first[2]


def test_unknown_patches_teach_no_name(small_model: Loaded) -> None:
    goal = build_targets(small_model.model, small_model.processor, NAMES)
    out = torch.randn(1, 16, 64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    labels = torch.full((1, 16), UNKNOWN)
    labels[0, 3] = DOG
    loss, _, placed = naming_loss(out, labels, goal, torch.ones(4))
    (gradient,) = torch.autograd.grad(loss - placed, out)
    assert gradient[0].abs().sum(-1).nonzero().flatten().tolist() == [3]


def test_a_batch_without_a_known_patch_learns_places_only(small_model: Loaded) -> None:
    goal = build_targets(small_model.model, small_model.processor, NAMES)
    out = torch.randn(2, 16, 64, generator=torch.Generator().manual_seed(0))
    loss, right, placed = naming_loss(out, torch.full((2, 16), UNKNOWN), goal, torch.ones(4))
    assert float(loss) == pytest.approx(float(placed))
    assert right.isnan()
