"""The small run of training."""

from tests.training.conftest import small_run

__all__ = ["small_run"]
