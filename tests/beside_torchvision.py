"""A plugin of pytest: the tests beside torchvision, where its compiled operators may not load.

    PYTHONPATH=FOLDER pytest -p tests.beside_torchvision …

The wheels of package indexes are compiled for the CUDA build of torch. Beside its CPU build they
are of no use, but transformers asks for the resize and the types alone, which are Python: the
operators that torchvision describes to torch at its import need only exist.
"""

import importlib

import torch

# The operators that torchvision adds a description (a "fake kernel") to when it is imported
_OPERATORS = (
    "nms(Tensor boxes, Tensor scores, float iou) -> Tensor",
    "roi_align(Tensor input, Tensor rois, float spatial_scale, int pooled_height, "
    "int pooled_width, int sampling_ratio, bool aligned) -> Tensor",
)


def import_torchvision() -> None:
    """With its own operators, or with none. Raises ImportError where it is not there at all."""
    try:
        importlib.import_module("torchvision")
        return
    except RuntimeError as error:  # "operator torchvision::nms does not exist"
        if "torchvision::" not in str(error):
            raise
    for operator in _OPERATORS:
        torch.library.define(f"torchvision::{operator.partition('(')[0]}", _arguments(operator))
    register = torch.library.register_fake
    torch.library.register_fake = _pass_over_torchvision(register)
    try:
        importlib.import_module("torchvision")
    finally:
        torch.library.register_fake = register


def _arguments(operator: str) -> str:
    return operator[operator.index("(") :]


def _pass_over_torchvision(register):
    def registered(op, *args, **options):
        if isinstance(op, str) and op.startswith("torchvision::"):
            return lambda described: described
        return register(op, *args, **options)

    return registered


import_torchvision()
