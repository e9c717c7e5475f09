"""The predictor's answers to the prompts of a photograph."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from picosam2.data.importers.masks import read_mask
from picosam2.data.problems import BrokenError
from picosam2.data.rle import encode_mask, rle_from_json
from picosam2.errors import InputError
from picosam2.formats.base import Found, Photograph
from picosam2.predictor import Predictor
from picosam2.predictor.prompts import check_box, check_point
from picosam2.segmenting.box_file import GivenBox
from picosam2.segmenting.prompts import Prompts

if TYPE_CHECKING:
    from picosam2.automatic.generator import Progress


def usable(
    prompts: Prompts, size: tuple[int, int], refuse: Callable[[InputError], object]
) -> Prompts | None:
    """The prompts that a photograph can answer; None where none is left.

    Args:
        prompts: as they were given.
        size: H, W of the photograph in pixels.
        refuse: called with what is wrong with each of the others.
    """
    height, width = size
    boxes = []
    try:
        for x, y in prompts.points:
            check_point(x, y, width, height)
    except InputError as error:
        refuse(error)
        return None
    for box in prompts.boxes:
        try:
            check_box(_finite(box.corners), width, height)
            boxes.append(box)
        except InputError as error:
            refuse(error)
    return replace(prompts, boxes=boxes) if boxes or not prompts.boxes else None


def answer(
    predictor: Predictor, photo: Photograph, prompts: Prompts, logits: bool
) -> Iterator[Found]:
    """The objects of a photograph, one by one.

    Args:
        predictor: with trained weights.
        photo: as it is to be shown.
        prompts: of ``usable``.
        logits: give logits too; not with ``everything``.
    """
    if prompts.everything:
        yield from _everything(predictor, photo)
        return
    predictor.set_image(photo.pixels)
    boxes = prompts.boxes or [GivenBox(())]
    asked: dict[str, Any] = {}
    if prompts.points:
        asked |= {"point_coords": prompts.points, "point_labels": prompts.labels}
        if prompts.boxes:
            # One box and its clicks: a batch of one.
            asked = {name: [values] for name, values in asked.items()}
    if prompts.mask is not None:
        asked["mask_input"] = _given_mask(prompts.mask, photo.size)
    if not logits:
        asked["box"] = [box.corners for box in prompts.boxes] or None
        for box, (rle, score) in zip(boxes, predictor.predict_rle(**asked), strict=True):
            yield Found(rle_from_json(rle), score, None, box.image_id, box.category_id)
        return
    for box in boxes:
        masks, scores, _ = predictor.predict(
            **asked,
            box=[box.corners] if box.corners else None,
            multimask_output=False,
            return_logits=True,
        )
        score = float(scores[0])
        yield Found(encode_mask(masks[0] > 0), score, masks[0], box.image_id, box.category_id)


def _everything(predictor: Predictor, photo: Photograph) -> Iterator[Found]:
    with tqdm(desc=photo.name, unit="crop", leave=False) as bar:

        def progress(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        found = find_everything(predictor, photo, progress)
    yield from found


def find_everything(
    predictor: Predictor, photo: Photograph, progress: Progress | None = None, **options: Any
) -> list[Found]:
    """All objects of a photograph, best first.

    Args:
        predictor: with trained weights.
        photo: as it is to be shown.
        progress: as ``AutomaticMaskGenerator.generate`` calls it.
        options: arguments of ``AutomaticMaskGenerator``.

    Raises:
        InputError: an option is out of its range.
    """
    from picosam2.automatic import AutomaticMaskGenerator

    generator = AutomaticMaskGenerator(predictor, output_mode="coco_rle", **options)
    return [
        Found(rle_from_json(record["segmentation"]), record["predicted_iou"])
        for record in generator.generate(photo.pixels, progress)
    ]


def _given_mask(path: Path | NDArray[np.bool_], size: tuple[int, int]) -> NDArray[np.bool_]:
    if not isinstance(path, Path):
        return path
    if not path.is_file():
        raise InputError(f"no such mask: {path}")
    try:
        return read_mask(path, (size[1], size[0]))
    except BrokenError as error:
        raise InputError(f"{path}: {error}") from None


def _finite(corners: tuple[float, ...]) -> tuple[float, ...]:
    if not all(abs(value) < float("inf") for value in corners):
        raise InputError(f"box must be finite numbers, not {list(corners)}")
    return corners
