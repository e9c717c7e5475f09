"""One evaluation: objects of a folder, through protocols, to a JSON-ready report."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr
from tqdm import tqdm

from picosam2.data.annotation_file import AnnotationFile
from picosam2.data.photograph import Photograph
from picosam2.data.rle import rle_area
from picosam2.data.schema import Annotation
from picosam2.data.source import Source, leave_out_damaged
from picosam2.errors import InputError
from picosam2.evaluation.answers import Result, answer_photograph, score_answers
from picosam2.evaluation.interactive import describe_clicks
from picosam2.evaluation.metrics import summarise
from picosam2.evaluation.protocols import PROTOCOLS, find_protocols
from picosam2.evaluation.segmenter import PredictorSegmenter
from picosam2.predictor import Predictor
from picosam2.record import git_commit, versions

Groups = list[tuple[Photograph, list[Annotation]]]


def choose_objects(folder: Source, limit: int | None, seed: int) -> Groups:
    """The objects that are not crowds and have a pixel, grouped by photograph.

    ``limit`` keeps the first N after a seeded shuffle of all objects. Photographs that were chosen
    are decoded once; those that cannot be are noted and taken out of the folder, as if they had
    never been there.

    Raises:
        InputError: there are none, or something is broken and the folder's ``problems`` are strict.
    """
    groups = _choose(folder, limit, seed)
    while leave_out_damaged(folder, (photograph for photograph, _ in groups)):
        groups = _choose(folder, limit, seed)
    return groups


def _choose(folder: Source, limit: int | None, seed: int) -> Groups:
    objects = [
        (index, annotation)
        for index, photograph in enumerate(folder)
        for annotation in photograph.objects
        if not annotation.iscrowd and mask_area(annotation)
    ]
    if not objects:
        left_out = f": {len(folder.problems.entries)} left out" if folder.problems.entries else ""
        raise InputError(f"{folder.location} has no object with a mask to measure{left_out}")
    if limit is not None:
        order = np.random.default_rng(seed).permutation(len(objects))
        objects = [objects[i] for i in sorted(order[:limit])]
    grouped: dict[int, list[Annotation]] = {}
    for index, annotation in objects:
        grouped.setdefault(index, []).append(annotation)
    return [(folder.photographs[index], group) for index, group in grouped.items()]


def mask_area(annotation: Annotation) -> int:
    """Pixels of an object's mask."""
    return rle_area(annotation.segmentation) if annotation.segmentation is not None else 0


def evaluate(
    folder: Source,
    protocols: list[str],
    predictor: Predictor,
    limit: int | None = None,
    seed: int = 0,
    progress: bool = True,
) -> dict[str, Any]:
    """Measure a predictor on a folder.

    Args:
        folder: photographs with masks.
        protocols: names in ``PROTOCOLS``.
        predictor: what to measure; ``crop96`` and ``paper96`` ask its runtime directly.
        limit: measure only this many objects.
        seed: of the choice of those, of jittered boxes, and of the bootstrap.
        progress: whether to show a bar.

    Returns:
        What ``report_results`` and ``describe_measurement`` say, in one, and the weights' digest.

    Raises:
        InputError: an unknown protocol, no objects, or a photograph that cannot be read.
    """
    protocols = find_protocols(protocols)
    groups = choose_objects(folder, limit, seed)
    segmenter = PredictorSegmenter(predictor)
    results: list[dict[tuple[int, str], Result]] = []
    total = sum(len(group) for _, group in groups)
    with tqdm(total=total, desc="evaluating", unit="object", disable=not progress) as bar:
        for photograph, group in groups:
            answers = answer_photograph(segmenter, photograph, group, protocols, seed)
            results.append(score_answers(photograph, group, answers))
            bar.update(len(group))
    return {
        **segmenter.description,
        **report_results(groups, results, protocols, seed),
        **describe_measurement(folder, groups, limit, seed),
    }


def report_results(
    groups: Groups,
    results: list[dict[tuple[int, str], Result]],
    protocols: list[str],
    seed: int,
) -> dict[str, Any]:
    """The figures of one segmenter.

    Args:
        groups: the objects, by photograph.
        results: of each photograph, by annotation id and protocol.
        protocols: what was asked.
        seed: of the bootstrap.

    Returns:
        ``protocols``: a name → ``miou``, ``map``, ``n``, ``by_size``,
        ``ci95``, ``boundary_miou`` and the predicted IoU's mean absolute error and rank
        correlation (of interactive ones those of the last mask), and ``clicks``, what
        ``describe_clicks`` says; ``objects``: the same objects one by one, in the order of
        ``groups``.
    """
    areas = np.array([mask_area(annotation) for _, group in groups for annotation in group])
    figures, objects = {}, {}
    for name in protocols:
        rows = [
            found[annotation.id, name]
            for (_, group), found in zip(groups, results, strict=True)
            for annotation in group
        ]
        values = np.array([(row.iou, row.boundary_iou, row.score) for row in rows])
        figures[name] = _summary(values, areas, seed)
        if PROTOCOLS[name].interactive:
            figures[name]["clicks"] = describe_clicks([row.ious for row in rows], seed)
        objects[name] = {
            key: values[:, column].round(5).tolist()
            for column, key in enumerate(("iou", "boundary_iou", "score"))
        }
    return {"protocols": figures, "objects": objects}


def describe_measurement(
    folder: Source, groups: Groups, limit: int | None, seed: int
) -> dict[str, Any]:
    """What was measured and with what, apart from the segmenter."""
    return {
        "data": {
            "folder": folder.name,
            "sha256": folder.digest,
            "masks": sorted({a.source or "teacher" for _, group in groups for a in group}),
            "objects_sha256": objects_digest(groups),
            "left_out": folder.problems.counts,
            **(folder.selection if isinstance(folder, AnnotationFile) else {}),
        },
        "limit": limit,
        "seed": seed,
        "versions": versions(
            "numpy", "scipy", "pillow", "pycocotools", "faster-coco-eval", "onnxruntime"
        ),
        "commit": git_commit(),
    }


def objects_digest(groups: Groups) -> str:
    """SHA-256 of the ids of the photographs and objects, in their order."""
    ids = [(photograph.image_id, a.id) for photograph, group in groups for a in group]
    return hashlib.sha256(repr(ids).encode()).hexdigest()


def _summary(values: NDArray[Any], areas: NDArray[Any], seed: int) -> dict[str, Any]:
    ious, boundary_ious, predicted = values.T
    constant = np.ptp(ious) == 0 or np.ptp(predicted) == 0
    return summarise(ious, areas, seed) | {
        "boundary_miou": float(boundary_ious.mean()),
        "predicted_iou_error": float(np.abs(predicted - ious).mean()),
        "predicted_iou_rank_correlation": (
            None if constant else float(spearmanr(predicted, ious).statistic)
        ),
    }
