"""LiteRT (TensorFlow Lite), in fp32 or INT8, by tools in an environment of their own."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from picosam2.export.artefact import Artefact, Job, tensor
from picosam2.export.environment import run_isolated
from picosam2.files import scratch_folder
from picosam2.prompt import CROP_SIZE
from picosam2.runtime.litert import LiteRtRuntime


def export_litert(job: Job) -> Artefact:
    """``picosam2-litert-fp32.tflite``: float32 in and out, channels last."""
    model = job.folder / "picosam2-litert-fp32.tflite"
    run_isolated("litert", [job.weights.resolve(), model], "converting to LiteRT")
    return describe(model)


def export_litert_int8(job: Job) -> Artefact:
    """``picosam2-litert-int8.tflite``: int8 in and out, NHWC; the input is a byte minus 128."""
    model = job.folder / "picosam2-litert-int8.tflite"
    with scratch_folder() as folder:
        arguments = [job.weights.resolve(), model]
        for index, values in enumerate(job.samples.inputs):
            arguments.append(folder / f"{index}.npy")
            np.save(arguments[-1], values)
        run_isolated("litert", arguments, "converting to LiteRT")
    return describe(model)


def describe(model: Path) -> Artefact:
    """A ``.tflite`` file with its tensors."""
    runtime = LiteRtRuntime(model)
    side = CROP_SIZE
    shapes: list[tuple[list[int | str], str]] = [([1, side, side, 3], "NHWC")]
    if runtime.takes_prior:
        shapes.append(([1, side, side, 2], "NHWC"))
    shapes += [([1, side, side, 1], "NHWC"), ([1, 1], "NC")]
    tensors = [
        tensor(name, shape, layout, runtime.dtype, quantisation)
        for name, (shape, layout), quantisation in zip(
            runtime.names, shapes, runtime.quantisation, strict=True
        )
    ]
    return Artefact(model, runtime, tensors)
