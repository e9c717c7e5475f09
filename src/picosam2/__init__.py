"""Promptable segmentation small enough for an image sensor."""

from typing import TYPE_CHECKING, Any

from picosam2.errors import InputError

if TYPE_CHECKING:
    from picosam2.predictor import Predictor, PredictorConfig

__all__ = ["InputError", "Predictor", "PredictorConfig"]


def __getattr__(name: str) -> Any:
    """Import what needs SciPy when it is asked for: the command line reads large photographs first.

    Raises:
        AttributeError: there is no such name.
    """
    if name in __all__:
        from picosam2 import predictor

        return getattr(predictor, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
