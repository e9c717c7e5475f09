"""The best, median and worst answers of a run, as pictures."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from picosam2.data.annotation_file import AnnotationFile
from picosam2.data.photograph import Photograph
from picosam2.data.rle import decode_rle
from picosam2.data.schema import Annotation, Rle
from picosam2.data.source import Source, open_source
from picosam2.errors import InputError
from picosam2.evaluation.compare import answers_file, read_answers
from picosam2.masks import most_interior_pixel
from picosam2.overlay import draw_overlay

PROMPT = "click"
FLOORS = ("whole-crop", "centred-disc")
EACH = 4
SIDE = 200
# Of the object's longer side: what is shown around it.
SURROUNDINGS = 0.4


@dataclass(frozen=True)
class Picture:
    """One object.

    Args:
        caption: which it is and what the answers are worth.
        tiles: title and JPEG (as a data address) of the true mask and of each answer.
    """

    caption: str
    tiles: list[tuple[str, str]]


def make_gallery(run: dict[str, Any], folder: Path) -> dict[str, list[Picture]]:
    """The objects whose click the first segmenter answers best, middling and worst, and its peers.

    Args:
        run: content of ``run.json``.
        folder: of the run, with its answers.

    Returns:
        Pictures by ``best``, ``median`` and ``worst``.

    Raises:
        InputError: the photographs or the answers are not there any more, or others.
    """
    shown = {
        name: segmenter
        for name, segmenter in run["segmenters"].items()
        if PROMPT in segmenter["objects"] and name not in FLOORS
    }
    if not shown:
        return {}
    source = _open(run["source"])
    photographs = {p.image_id: p for p in source}
    masks = {name: _masks(folder, name) for name in shown}
    first = next(iter(shown.values()))
    order = np.argsort(first["objects"][PROMPT]["iou"], kind="stable")
    middle = len(order) // 2 - EACH // 2
    chosen = {
        "best": order[::-1][:EACH],
        "median": order[max(0, middle) : max(0, middle) + EACH],
        "worst": order[:EACH],
    }
    try:
        return {
            title: [_picture(run, shown, masks, photographs, int(index)) for index in indices]
            for title, indices in chosen.items()
        }
    except (KeyError, StopIteration):
        raise InputError(f"{source.location} has changed since it was measured") from None


def _open(source: dict[str, Any]) -> Source:
    if source["images"] is not None:
        return AnnotationFile(Path(source["location"]), Path(source["images"]))
    return open_source(source["location"])


def _masks(folder: Path, name: str) -> dict[tuple[int, int], Rle]:
    return {
        (answer.image_id, answer.annotation_id): answer.segmentation
        for answers in read_answers(answers_file(folder, name))
        for answer in answers
        if answer.protocol == PROMPT
    }


def _picture(
    run: dict[str, Any],
    shown: dict[str, Any],
    masks: dict[str, Any],
    photographs: dict[int, Photograph],
    index: int,
) -> Picture:
    entry = run["objects"][index]
    photograph = photographs[entry["image_id"]]
    annotation: Annotation = next(a for a in photograph.objects if a.id == entry["annotation_id"])
    image, truth = photograph.load(), photograph.mask(annotation)
    x, y = most_interior_pixel(truth)
    part = _part(annotation, truth.shape)
    tiles = [("true mask", _tile(image, truth, part, (x + 0.5, y + 0.5)))]
    for name, segmenter in shown.items():
        iou = segmenter["objects"][PROMPT]["iou"][index]
        mask = decode_rle(masks[name][entry["image_id"], entry["annotation_id"]])
        tiles.append((f"{segmenter['title']}: {iou:.2f}", _tile(image, mask, part, None)))
    what = annotation.category or "object"
    return Picture(f"{what}, {entry['file_name']}, {entry['area']} pixels", tiles)


def _part(annotation: Annotation, shape: tuple[int, ...]) -> tuple[slice, slice]:
    """Rows and columns of the object and its surroundings."""
    x, y, width, height = annotation.bbox
    around = max(16.0, SURROUNDINGS * max(width, height))
    rows = slice(max(0, int(y - around)), min(shape[0], int(y + height + around) + 1))
    return rows, slice(max(0, int(x - around)), min(shape[1], int(x + width + around) + 1))


def _tile(
    image: NDArray[np.uint8],
    mask: NDArray[np.bool_],
    part: tuple[slice, slice],
    point: tuple[float, float] | None,
) -> str:
    pixels = Image.fromarray(image[part])
    scale = SIDE / max(pixels.size)
    size = (max(1, round(pixels.width * scale)), max(1, round(pixels.height * scale)))
    small = np.asarray(pixels.resize(size, Image.Resampling.BICUBIC))
    small_mask = np.asarray(Image.fromarray(mask[part]).resize(size, Image.Resampling.NEAREST))
    if point is not None:
        point = (point[0] - part[1].start) * scale, (point[1] - part[0].start) * scale
    buffer = io.BytesIO()
    draw_overlay(small, small_mask, point).save(buffer, format="JPEG", quality=85)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
