"""One photograph through a teacher: known objects by box and click, unknown ones by a grid."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from picosam2.data.rle import decode_rle, encode_mask, rle_area, rle_bbox
from picosam2.data.schema import Annotation, Record, Rle, SoftTarget, TeacherMask
from picosam2.data.soft import encode_tiles, soft_square, soft_tile
from picosam2.labelling.config import LabelConfig
from picosam2.masks import mask_iou, most_interior_pixel
from picosam2.teacher.base import Teacher, best_masks, box_prompts, click_prompts

STABILITY_OFFSET = 1.0


@dataclass(frozen=True)
class Answer:
    """The teacher's best mask for one prompt.

    Args:
        logits: 256×256 float32 over the whole photograph.
        mask: H×W bool.
        predicted_iou: the teacher's own estimate.
        stability: IoU of the mask at logits above +1 and above −1.
    """

    logits: NDArray[np.float32]
    mask: NDArray[np.bool_]
    predicted_iou: float
    stability: float


def label_photograph(
    teacher: Teacher, image: NDArray[np.uint8], record: Record, config: LabelConfig
) -> tuple[Record, bytes | None]:
    """The record with the teacher's answers, and the soft targets.

    Objects that are known keep their human mask and get the teacher's answers to their box and to
    a click on their most interior pixel; one of which only the box is known gets the mask of the
    answer to the box. Where no object is known, a grid of clicks looks for them (the automatic
    procedure of Segment Anything, arXiv 2304.02643, section 4 and appendix B).

    Args:
        teacher: who answers.
        image: H×W×3 uint8 RGB.
        record: what is known of the photograph.
        config: of the search for unknown objects.

    Returns:
        The record, and ``KEY.soft.png``; None where there is no object.
    """
    teacher.set_image(image)
    known = [
        position
        for position, annotation in enumerate(record.annotations)
        if not annotation.iscrowd and _is_inside(annotation, record)
    ]
    if known:
        labelled, logits = _label_known(teacher, record, known)
    else:
        labelled, logits = _find_objects(teacher, record, config)
    tiles: list[NDArray[np.uint8]] = []
    shape = (record.image.height, record.image.width)
    for position, values in logits.items():
        annotation = labelled[position]
        x0, y0, x1, y1 = _corners(annotation, shape)
        square = soft_square((x0, y0, x1 - x0, y1 - y0))
        target = SoftTarget(len(tiles), square)
        labelled[position] = msgspec.structs.replace(annotation, soft=target)
        tiles.append(soft_tile(values, shape, square))
    soft = encode_tiles(tiles) if tiles else None
    return Record(record.image, labelled), soft


def with_answers(annotation: Annotation, answers: list[TeacherMask]) -> Annotation:
    """The object with the answers to its prompts; without a mask, that to its box becomes it.

    Args:
        annotation: what is known of the object.
        answers: the teacher's, that to the box first.
    """
    changes: dict[str, Any] = {"teacher": answers}
    if annotation.segmentation is None:
        to_box = answers[0]
        changes |= {
            "segmentation": to_box.segmentation,
            "area": float(rle_area(to_box.segmentation)),
            "source": "teacher",
            "predicted_iou": to_box.predicted_iou,
            "stability_score": to_box.stability_score,
        }
    return msgspec.structs.replace(annotation, **changes)


def ask(
    teacher: Teacher,
    prompts: tuple[NDArray[np.float32], NDArray[np.int64]],
    shape: tuple[int, int],
) -> Iterator[Answer]:
    """The teacher's best answer to each prompt on the embedded photograph of a height and width."""
    for logits, predicted_iou in zip(*best_masks(*teacher.predict(*prompts)), strict=True):
        full = Image.fromarray(logits).resize(shape[::-1], Image.Resampling.BILINEAR)
        low, high = logits > -STABILITY_OFFSET, logits > STABILITY_OFFSET
        # An empty mask is nothing to rely on.
        stability = mask_iou(high, low) if high.any() else 0.0
        yield Answer(logits, np.asarray(full) > 0, float(predicted_iou), stability)


def _label_known(
    teacher: Teacher, record: Record, known: list[int]
) -> tuple[list[Annotation], dict[int, NDArray[np.float32]]]:
    """The annotations, those at the known positions answered, and the answers to the boxes."""
    shape = (record.image.height, record.image.width)
    labelled = list(record.annotations)
    boxes = [_corners(labelled[position], shape) for position in known]
    by_box = list(ask(teacher, box_prompts(boxes), shape))
    points = [
        _click(labelled[position], answer, box)
        for position, answer, box in zip(known, by_box, boxes, strict=True)
    ]
    by_click = ask(teacher, click_prompts(points), shape)
    for position, box, box_answer, point, click_answer in zip(
        known, boxes, by_box, points, by_click, strict=True
    ):
        to_box = _teacher_mask(box_answer, box=box)
        to_click = _teacher_mask(click_answer, point_coords=[point])
        labelled[position] = with_answers(labelled[position], [to_box, to_click])
    return labelled, {p: a.logits for p, a in zip(known, by_box, strict=True)}


def _click(
    annotation: Annotation, answer: Answer, box: tuple[float, float, float, float]
) -> tuple[float, float]:
    """The centre of the most interior pixel of the known mask, else of the teacher's."""
    mask = decode_rle(annotation.segmentation) if annotation.segmentation else answer.mask
    if not mask.any():
        return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    x, y = most_interior_pixel(mask)
    return x + 0.5, y + 0.5


def _find_objects(
    teacher: Teacher, record: Record, config: LabelConfig
) -> tuple[list[Annotation], dict[int, NDArray[np.float32]]]:
    """What was annotated (crowds), then what the grid found, and the latter's logits."""
    height, width = record.image.height, record.image.width
    covered = np.zeros((height, width), bool)
    for annotation in record.annotations:
        if annotation.segmentation is not None:
            covered |= decode_rle(annotation.segmentation)
    steps = (np.arange(config.grid) + 0.5) / config.grid
    waiting = [(float(x * width), float(y * height)) for y in steps for x in steps]
    found: list[tuple[Answer, tuple[float, float]]] = []
    while waiting := [(x, y) for x, y in waiting if not covered[int(y), int(x)]]:
        points, waiting = waiting[: config.batch], waiting[config.batch :]
        answers = ask(teacher, click_prompts(points), (height, width))
        for answer, point in zip(answers, points, strict=True):
            if _is_good(answer, config):
                found.append((answer, point))
                covered |= answer.mask
    labelled, logits = list(record.annotations), {}
    first = max((a.id for a in labelled), default=0) + 1
    for answer, point in _without_duplicates(found, config.max_overlap):
        mask = _teacher_mask(answer, point_coords=[point])
        logits[len(labelled)] = answer.logits
        labelled.append(
            Annotation(
                id=first + len(logits) - 1,
                bbox=rle_bbox(mask.segmentation),
                segmentation=mask.segmentation,
                area=float(rle_area(mask.segmentation)),
                source="teacher",
                predicted_iou=mask.predicted_iou,
                stability_score=mask.stability_score,
                point_coords=[point],
            )
        )
    return labelled, logits


def _is_good(answer: Answer, config: LabelConfig) -> bool:
    return (
        answer.predicted_iou >= config.min_predicted_iou
        and answer.stability >= config.min_stability
        and bool(answer.mask.any())
    )


def _without_duplicates(
    found: list[tuple[Answer, tuple[float, float]]], max_overlap: float
) -> list[tuple[Answer, tuple[float, float]]]:
    """Greedily, the best predicted IoU first; ties keep the order of the grid."""
    kept: list[tuple[Answer, tuple[float, float]]] = []
    for answer, point in sorted(found, key=lambda item: -item[0].predicted_iou):
        if all(mask_iou(answer.mask, other.mask) <= max_overlap for other, _ in kept):
            kept.append((answer, point))
    return kept


def _teacher_mask(
    answer: Answer,
    point_coords: list[tuple[float, float]] | None = None,
    box: tuple[float, float, float, float] | None = None,
) -> TeacherMask:
    segmentation: Rle = encode_mask(answer.mask)
    iou, stability = round(answer.predicted_iou, 4), round(answer.stability, 4)
    return TeacherMask(segmentation, iou, stability, point_coords, box)


def _corners(annotation: Annotation, shape: tuple[int, int]) -> tuple[float, float, float, float]:
    """The box as xyxy inside the photograph."""
    x, y, w, h = annotation.bbox
    height, width = shape
    return max(0.0, x), max(0.0, y), min(float(width), x + w), min(float(height), y + h)


def _is_inside(annotation: Annotation, record: Record) -> bool:
    """Whether something of the box lies in the photograph."""
    x0, y0, x1, y1 = _corners(annotation, (record.image.height, record.image.width))
    return x0 < x1 and y0 < y1
