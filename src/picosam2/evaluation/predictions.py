"""Anyone's published predictions, scored in the paper's window beside ours, object by object."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from tqdm import tqdm

from picosam2.data.schema import Annotation
from picosam2.data.segmentation import parse_segmentation
from picosam2.data.source import Source, leave_out_damaged
from picosam2.errors import InputError
from picosam2.evaluation.answers import Answer, answer_photograph, score_answers
from picosam2.evaluation.metrics import mean_interval
from picosam2.evaluation.run import (
    Groups,
    describe_measurement,
    mask_area,
    report_results,
)
from picosam2.evaluation.segmenter import PredictorSegmenter
from picosam2.predictor import Predictor
from picosam2.prompt import CROP_SIZE

PROTOCOL = "paper96"


def score_predictions(
    folder: Source, path: Path, predictor: Predictor, seed: int = 0
) -> dict[str, Any]:
    """Score a COCO-results file of 96×96 masks in ``paper96``'s window, and ours beside it.

    Args:
        folder: photographs with the true masks.
        path: a list of ``image_id``, ``segmentation`` (RLE of 96×96), optionally ``score`` and
            ``annotation_id``; without the latter, in the annotation file's order of the
            photograph's objects that are not crowds, all of them.
        predictor: ours.
        seed: of the bootstrap.

    Returns:
        ``predictions`` and ``ours`` (figures of the same objects), ``difference`` (theirs minus
        ours, mean IoU, with the paired 95 % bootstrap interval ``ci95``), ``skipped_images`` and
        ``skipped_predictions`` (in the file, not in the folder), ``empty_objects`` (masks of
        objects without a pixel, not scored), ``unanswered_objects`` (of the folder, without a
        mask in the file), and what was measured.

    Raises:
        InputError: the file is broken, or its masks cannot be matched to the objects.
    """
    waiting = _read(path)
    count = sum(len(found) for found in waiting.values())
    groups: Groups = []
    theirs, ours = [], []
    segmenter = PredictorSegmenter(predictor)
    leave_out_damaged(folder, [p for p in folder if p.image_id in waiting])
    empty = unanswered = 0
    for photograph in tqdm(folder, desc="scoring", unit="photograph", delay=2):
        objects = [a for a in photograph.objects if not a.iscrowd]
        found = waiting.pop(photograph.image_id, [])
        answers = _match(photograph.image_id, objects, found, path) if found else {}
        group = [a for a in objects if a.id in answers and mask_area(a)]
        empty += len(answers) - len(group)
        unanswered += sum(a.id not in answers and mask_area(a) > 0 for a in objects)
        if group:
            own = answer_photograph(segmenter, photograph, group, [PROTOCOL], seed)
            groups.append((photograph, group))
            kept = [answers[a.id] for a in group]
            theirs.append(score_answers(photograph, group, kept))
            ours.append(score_answers(photograph, group, own))
    if not groups:
        raise InputError(f"{path} has no photograph of {folder.location}")
    reports = [report_results(groups, results, [PROTOCOL], seed) for results in (theirs, ours)]
    ious = np.array([report["objects"][PROTOCOL]["iou"] for report in reports])
    difference = ious[0] - ious[1]
    return {
        "predictions": reports[0] | {"sha256": hashlib.sha256(path.read_bytes()).hexdigest()},
        "ours": reports[1] | segmenter.description,
        "difference": {
            "miou": float(difference.mean()),
            "ci95": mean_interval(difference, seed),
        },
        "predictions_in_file": count,
        "empty_objects": empty,
        "unanswered_objects": unanswered,
        "skipped_images": len(waiting),
        "skipped_predictions": sum(len(found) for found in waiting.values()),
        **describe_measurement(folder, groups, None, seed),
    }


class _Entry(msgspec.Struct):
    image_id: int
    segmentation: dict[str, Any]
    annotation_id: int | None = None
    score: float = 0.5


def _read(path: Path) -> dict[int, list[_Entry]]:
    """The predictions of a file by photograph, in its order."""
    try:
        entries = msgspec.json.decode(path.read_bytes(), type=list[_Entry])
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"{path} is not a list of COCO results with masks of 96×96: {error}"
        ) from None
    found: dict[int, list[_Entry]] = {}
    for entry in entries:
        found.setdefault(entry.image_id, []).append(entry)
    return found


def _match(
    image_id: int, objects: list[Annotation], found: list[_Entry], path: Path
) -> dict[int, Answer]:
    """The answers about one photograph by annotation id."""
    ids = [annotation.id for annotation in objects]
    if all(entry.annotation_id is not None for entry in found):
        by_id = {entry.annotation_id or 0: entry for entry in found}
        if len(by_id) < len(found) or not by_id.keys() <= set(ids):
            raise InputError(
                f"{path}: photograph {image_id} has masks of unknown or repeated annotations"
            )
    elif len(found) == len(ids):
        by_id = dict(zip(ids, found, strict=True))
    else:
        raise InputError(
            f"{path}: photograph {image_id} has {len(found)} masks but {len(ids)} objects: "
            "give annotation_id"
        )
    try:
        return {
            key: Answer(
                image_id,
                key,
                PROTOCOL,
                parse_segmentation(entry.segmentation, CROP_SIZE, CROP_SIZE),
                entry.score,
            )
            for key, entry in by_id.items()
        }
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        reason = error if isinstance(error, ValueError) else repr(error)
        raise InputError(
            f"{path} is not a list of COCO results with masks of 96×96: {reason}"
        ) from None
