"""A segmenter's answers about photographs, and what they are worth."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
import numpy as np

from picosam2.data.photograph import Photograph
from picosam2.data.rle import decode_rle, encode_mask
from picosam2.data.schema import Annotation, Rle
from picosam2.evaluation.metrics import boundary_iou
from picosam2.evaluation.protocols import PROTOCOLS, Case
from picosam2.evaluation.segmenter import Segmenter
from picosam2.masks import mask_iou


class Answer(msgspec.Struct, frozen=True):
    """The mask for one object in one protocol, as COCO's results have it.

    Args:
        image_id: of the photograph.
        annotation_id: of the object.
        protocol: a name in ``PROTOCOLS``.
        segmentation: the mask, of the photograph's size or 96×96.
        score: predicted IoU in 0..1.
        ious: of an interactive protocol, after each click.
    """

    image_id: int
    annotation_id: int
    protocol: str
    segmentation: Rle
    score: float
    ious: list[float] = []


class Result(msgspec.Struct, frozen=True):
    """What an answer is worth.

    Args:
        iou: with the true mask, in 0..1.
        boundary_iou: the same of the masks' edges (``metrics.boundary_iou``).
        score: the segmenter's own estimate of the IoU.
        ious: of an interactive protocol, after each click.
    """

    iou: float
    boundary_iou: float
    score: float
    ious: list[float] = []


def can_answer(segmenter: Segmenter, protocol: str) -> bool:
    """Whether a protocol can be asked of a segmenter: only our network answers its crops."""
    if PROTOCOLS[protocol].promptless:
        return segmenter.finds_everything
    if PROTOCOLS[protocol].interactive:
        return segmenter.corrects
    return segmenter.network is not None or not PROTOCOLS[protocol].on_crop


def answer_photograph(
    segmenter: Segmenter,
    photograph: Photograph,
    objects: list[Annotation],
    protocols: Iterable[str],
    seed: int,
) -> list[Answer]:
    """Ask about objects of one photograph, in every protocol that the segmenter can answer.

    Raises:
        InputError: the photograph cannot be read.
    """
    protocols = [name for name in protocols if can_answer(segmenter, name)]
    if not protocols:
        return []
    image = photograph.load()
    segmenter.set_image(image)
    answers = []
    for annotation in objects:
        case = Case(
            image,
            photograph.mask(annotation),
            annotation,
            photograph.image_id,
            photograph.native_scale,
            seed,
        )
        for name in protocols:
            mask, score, *ious = PROTOCOLS[name].ask(segmenter, case)
            answers.append(
                Answer(photograph.image_id, annotation.id, name, encode_mask(mask), score, *ious)
            )
    return answers


def score_answers(
    photograph: Photograph, objects: list[Annotation], answers: Iterable[Answer]
) -> dict[tuple[int, str], Result]:
    """What the answers about one photograph are worth, by annotation id and protocol."""
    by_id = {annotation.id: annotation for annotation in objects}
    truths = {}
    results = {}
    # The pixels do not matter for the truth.
    image = np.empty((0, 0, 3), np.uint8)
    for answer in answers:
        annotation = by_id[answer.annotation_id]
        key = answer.annotation_id, PROTOCOLS[answer.protocol].truth
        if key not in truths:
            mask = photograph.mask(annotation)
            scale = photograph.native_scale
            case = Case(image, mask, annotation, photograph.image_id, scale)
            truths[key] = PROTOCOLS[answer.protocol].truth(case)
        mask, truth = decode_rle(answer.segmentation), truths[key]
        results[answer.annotation_id, answer.protocol] = Result(
            mask_iou(mask, truth), boundary_iou(mask, truth), answer.score, answer.ious
        )
    return results
