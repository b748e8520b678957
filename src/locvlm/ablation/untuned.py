"""The model that a recipe starts from, as its run sees it before anything is learned."""

from __future__ import annotations

from locvlm.inference.predictor import Predictor
from locvlm.models.image_tokens import apply_form
from locvlm.models.load import load_model
from locvlm.training.recipe import Recipe
from locvlm.training.start import given_format, pixels_of, resolve_format, show_as_told


def load_untuned(recipe: Recipe) -> Predictor:
    """What answers where nothing is trained: frames, pixels and format are those of the recipe.

    Args:
        recipe: which starts from a model, not from parts.

    Raises:
        InputError: there is no such model, or it cannot read as the recipe says.
    """
    loaded = load_model(recipe.model, speech=given_format(recipe), frames=recipe.frames or None)
    processor = apply_form(loaded.processor, recipe.image_tokens or None)
    processor = show_as_told(recipe, processor)
    pixels = pixels_of(recipe)
    coordinates = pixels.told_by(resolve_format(recipe, loaded.coordinates), processor)
    predictor = Predictor(loaded.model, processor, coordinates, source=recipe.model)
    predictor.decoding |= pixels.given
    if recipe.whole_images:
        predictor.decoding["whole_images"] = True
    return predictor
