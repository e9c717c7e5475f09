"""One evaluation: objects of a folder, through protocols, to a JSON-ready report."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr
from tqdm import tqdm

from picosam2.data.photograph import Photograph
from picosam2.data.schema import Annotation
from picosam2.data.source import Source
from picosam2.errors import InputError
from picosam2.evaluation.metrics import summarise
from picosam2.evaluation.protocols import PROTOCOLS, Case
from picosam2.predictor import Predictor
from picosam2.record import git_commit, versions


def choose_objects(
    folder: Source, limit: int | None, seed: int
) -> list[tuple[Photograph, list[Annotation]]]:
    """The objects that are not crowds and have a pixel, grouped by photograph.

    ``limit`` keeps the first N after a seeded shuffle of all objects.
    """
    objects = [
        (index, annotation)
        for index, photograph in enumerate(folder)
        for annotation in photograph.objects
        if not annotation.iscrowd and photograph.mask(annotation).any()
    ]
    if limit is not None:
        order = np.random.default_rng(seed).permutation(len(objects))
        objects = [objects[i] for i in sorted(order[:limit])]
    grouped: dict[int, list[Annotation]] = {}
    for index, annotation in objects:
        grouped.setdefault(index, []).append(annotation)
    return [(folder.photographs[index], group) for index, group in grouped.items()]


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
        seed: of the choice of those, and of the bootstrap.
        progress: whether to show a bar.

    Returns:
        ``protocols`` (a name → ``miou``, ``map``, ``n``, ``by_size``, ``ci95`` and the predicted
        IoU's mean absolute error and rank correlation), and what was measured: seed, digests,
        versions and configuration.

    Raises:
        InputError: an unknown protocol, no objects, or a photograph that cannot be read.
    """
    if unknown := [name for name in protocols if name not in PROTOCOLS]:
        raise InputError(f"unknown protocol {unknown[0]}: choose from {', '.join(PROTOCOLS)}")
    if not protocols:
        raise InputError(f"no protocol: choose from {', '.join(PROTOCOLS)}")
    protocols = list(dict.fromkeys(protocols))
    groups = choose_objects(folder, limit, seed)
    if not groups:
        raise InputError(f"{folder.location} has no object with a mask to measure")
    areas: list[int] = []
    results: dict[str, list[tuple[float, float]]] = {name: [] for name in protocols}
    total = sum(len(group) for _, group in groups)
    with tqdm(total=total, desc="evaluating", unit="object", disable=not progress) as bar:
        for photograph, group in groups:
            image = photograph.load()
            predictor.set_image(image)
            for annotation in group:
                mask = photograph.mask(annotation)
                case = Case(image, mask, annotation, photograph.native_scale)
                areas.append(int(np.count_nonzero(mask)))
                for name in protocols:
                    results[name].append(PROTOCOLS[name](predictor, case))
                bar.update()
    return {
        "protocols": {
            name: _summary(np.array(values), np.array(areas), seed)
            for name, values in results.items()
        },
        "data": {
            "folder": folder.name,
            "sha256": folder.digest,
            "masks": sorted({a.source or "teacher" for _, group in groups for a in group}),
        },
        "weights_sha256": predictor.runtime.digest,
        "predictor": dataclasses.asdict(predictor.config),
        "limit": limit,
        "seed": seed,
        "versions": versions("numpy", "scipy", "pillow", "pycocotools", "onnxruntime"),
        "commit": git_commit(),
    }


def _summary(values: NDArray[Any], areas: NDArray[Any], seed: int) -> dict[str, Any]:
    ious, predicted = values.T
    constant = np.ptp(ious) == 0 or np.ptp(predicted) == 0
    return summarise(ious, areas, seed) | {
        "predicted_iou_error": float(np.abs(predicted - ious).mean()),
        "predicted_iou_rank_correlation": (
            None if constant else float(spearmanr(predicted, ious).statistic)
        ),
    }
