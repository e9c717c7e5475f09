"""From a photograph and prompts to the records of ``picosam2 segment --json``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from picosam2.errors import InputError
from picosam2.formats.base import Found, Photograph
from picosam2.formats.rle import rle_record
from picosam2.predictor import Predictor
from picosam2.segmenting.answers import answer, find_everything, usable
from picosam2.segmenting.prompts import Prompts
from picosam2.serving.deadline import Deadline


def segment(
    predictor: Predictor, photograph: Photograph, prompts: Prompts, deadline: Deadline
) -> Iterator[Found]:
    """The objects that prompts are about, one by one.

    Raises:
        InputError: a prompt is outside the photograph, empty or not finite.
        Refused: 504, the deadline has passed.
    """
    usable(prompts, photograph.size, _refuse)
    for found in answer(predictor, photograph, prompts, logits=False):
        deadline.check()
        yield found


def everything(
    predictor: Predictor, photograph: Photograph, options: dict[str, Any], deadline: Deadline
) -> list[Found]:
    """All objects, best first.

    Args:
        predictor: with trained weights.
        photograph: as it is to be shown.
        options: of ``AutomaticMaskGenerator``.
        deadline: until when.

    Raises:
        Refused: 504, the deadline has passed.
    """

    def progress(_: int, __: int) -> None:
        deadline.check()

    return find_everything(predictor, photograph, progress, **options)


def records(photograph: Photograph, objects: Iterable[Found]) -> list[dict[str, Any]]:
    """As ``--json`` has them."""
    return [rle_record(found, photograph.name) for found in objects]


def _refuse(error: InputError) -> None:
    raise error
