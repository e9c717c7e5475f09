"""One export: calibrate, convert, verify, describe."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

from picosam2.data.coco import CocoFolder
from picosam2.data.problems import write_left_out
from picosam2.data.source import Source
from picosam2.errors import InputError
from picosam2.examples import EXAMPLES
from picosam2.export.artefact import Job
from picosam2.export.calibration import calibration_samples
from picosam2.export.costs import network_costs
from picosam2.export.sidecar import golden_samples, write_sidecar
from picosam2.export.targets import TARGETS
from picosam2.export.verify import MIN_MASK_IOU, compare_answers, measure_drop
from picosam2.files import new_folder
from picosam2.record import git_commit, versions
from picosam2.runtime import Runtime
from picosam2.runtime.torch import TorchRuntime

CALIBRATION_CROPS = 300


def export_model(
    target: str,
    weights: Path,
    out: Path,
    calibration: Source | None,
    verification: Source | None,
    max_drop: float,
    seed: int,
    **options: Any,
) -> dict[str, Any]:
    """Export weights, run the result beside fp32, and describe it in a JSON file.

    Args:
        target: a name in ``TARGETS``.
        weights: safetensors.
        out: the new folder.
        calibration: photographs whose crops set the ranges; the bundled ones when None.
        verification: photographs to measure mIoU on; None compares masks on the bundled ones.
        max_drop: most points of mIoU that may be lost against fp32.
        seed: of the choices of crops and objects.
        options: of this target alone.

    Returns:
        The sidecar's content; ``verification.passed`` says whether the loss is acceptable.

    Raises:
        InputError: bad input, or a tool failed.
    """
    function, bundled = TARGETS[target].load(), CocoFolder(EXAMPLES)
    fp32 = TorchRuntime.from_file(weights)
    prior = fp32.takes_prior
    if prior and not TARGETS[target].corrects:
        raise InputError(
            f"{target} is for the first look, which needs no more than a photograph: correcting "
            f"networks run on {', '.join(name for name, t in TARGETS.items() if t.corrects)}"
        )
    facts: dict[str, Any] = {"target": target, "network": network_costs(weights)}
    # Whether a box is drawn on its crop, as picosam2.marks does.
    facts["marks_boxes"] = fp32.marks_boxes
    samples = golden_samples(prior)
    if TARGETS[target].int8:
        source = calibration or bundled
        samples = calibration_samples(source, CALIBRATION_CROPS, seed, prior, fp32.marks_boxes)
        facts["calibration"] = {
            "folder": source.name,
            "bundled_photographs": calibration is None,
            "sha256": source.digest,
            "crops": len(samples),
            "seed": seed,
            "left_out": source.problems.counts,
        }
    with new_folder(out) as folder:
        artefact = function(Job(weights, samples, folder), **options)
        if not prior:
            # Its sidecar, which will say so, is not written yet.
            cast(Runtime, artefact.runtime).marks_boxes = fp32.marks_boxes
        shown = calibration_samples(
            verification or bundled, CALIBRATION_CROPS, seed + 1, prior, fp32.marks_boxes
        )
        verified: dict[str, Any] = {"ran": artefact.runs or artefact.model.name}
        verified |= compare_answers(artefact.runtime, fp32, shown)
        if verification is None:
            verified["passed"] = verified["mask_iou"] >= MIN_MASK_IOU
        else:
            verified |= measure_drop(artefact.runtime, fp32, verification, seed)
            verified["passed"] = verified["drop"] <= max_drop
        facts |= {"verification": verified, "commit": git_commit()}
        facts["versions"] = versions("numpy", "torch", "onnxruntime")
        left_out = [source.problems for source in (calibration, verification) if source]
        write_left_out(folder, [entry for problems in left_out for entry in problems.entries])
        sidecar = write_sidecar(artefact, weights, **facts)
        content: dict[str, Any] = json.loads(sidecar.read_text())
    return content
