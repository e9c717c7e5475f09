"""A C header for TensorFlow Lite Micro: the INT8 LiteRT model, its tensors, its arena."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from jinja2 import Environment, PackageLoader, StrictUndefined
from numpy.typing import NDArray
from tflite_micro import runtime as tflm

from picosam2.errors import InputError
from picosam2.export.artefact import Artefact, Job, Samples
from picosam2.export.litert import export_litert_int8
from picosam2.images import load_image
from picosam2.masks import mask_iou
from picosam2.weights import GOLDEN_CROP

BYTES_A_LINE = 16
# Cortex-M boards differ a little from this machine's pointer sizes and alignment.
ARENA_MARGIN = 1.02
# Its reference kernels round a little differently from XNNPACK's.
MIN_AGREEMENT = 0.95


def export_c_array(job: Job) -> Artefact:
    """``picosam2.h`` and ``picosam2.c``, and ``picosam2-litert-int8.tflite`` that they hold.

    The golden crop is run in TensorFlow Lite Micro's own interpreter, so that a board's answer can
    be compared with what its kernels must give.

    Raises:
        InputError: TensorFlow Lite Micro cannot run it, or answers otherwise than LiteRT.
    """
    source = export_litert_int8(job)
    content = source.model.read_bytes()
    crop = load_image(GOLDEN_CROP)
    golden = (crop ^ np.uint8(0x80)).view(np.int8)
    logits, iou_logits = run_tflm(content, golden)
    masks, _ = source.runtime(*Samples(crop[None]).inputs)
    agreement = mask_iou(logits[0, ..., 0] > source.tensors[1]["zero_point"], masks[0] > 0)
    if agreement < MIN_AGREEMENT:
        raise InputError(
            f"TensorFlow Lite Micro's mask has an IoU of {agreement:.2f} with LiteRT's"
        )
    arena = measure_arena(source.model)
    templates = Environment(
        loader=PackageLoader("picosam2.export", "templates"),
        undefined=StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    values = {
        "model": source.model.name,
        "sizes": {"model": len(content), "arena": round(arena * ARENA_MARGIN)},
        "image": source.tensors[0],
        "logits": source.tensors[1],
        "iou_logits": source.tensors[2],
        "operators": operators(content),
        "arrays": {
            "picosam2_model": ("unsigned char", c_values(np.frombuffer(content, np.uint8))),
            "picosam2_golden_input": ("signed char", c_values(golden)),
            "picosam2_golden_logits": ("signed char", c_values(logits)),
        },
        "golden_iou_logit": int(iou_logits.item()),
    }
    for name in ("picosam2.h", "picosam2.c"):
        (job.folder / name).write_text(templates.get_template(f"{name}.j2").render(values))
    return Artefact(
        job.folder / "picosam2.c",
        source.runtime,
        source.tensors,
        runs=f"{source.model.name}, whose bytes it holds, in LiteRT",
        deployed=(source.model.name,),
        details={
            "memory": {"arena_bytes": arena},
            "operators": values["operators"],
            "tflm_mask_iou": agreement,
        },
    )


def run_tflm(content: bytes, image: NDArray[np.int8]) -> tuple[NDArray[np.int8], NDArray[np.int8]]:
    """TensorFlow Lite Micro's answer to one crop, 96×96×3 int8: logits and IoU logit, int8."""
    interpreter = tflm.Interpreter.from_bytes(content)
    interpreter.set_input(image[None], 0)
    interpreter.invoke()
    return interpreter.get_output(0), interpreter.get_output(1)


def measure_arena(model: Path) -> int:
    """Bytes of the tensor arena, as TensorFlow Lite Micro's recording allocator counts them."""
    # It prints past Python's streams, so it runs in a process of its own.
    script = (
        "import sys; from tflite_micro import runtime;"
        "i = runtime.Interpreter.from_file(sys.argv[1]); i.invoke(); i.print_allocations()"
    )
    result = subprocess.run(
        [sys.executable, "-c", script, model], capture_output=True, text=True, check=False
    )
    found = re.search(r"Arena allocation total (\d+) bytes", result.stdout + result.stderr)
    if found is None:
        raise InputError(f"TensorFlow Lite Micro cannot run {model.name}: {result.stderr[-300:]}")
    return int(found.group(1))


def operators(content: bytes) -> list[str]:
    """The operators a ``MicroMutableOpResolver`` must have: ``Conv2D`` for ``AddConv2D()``, ..."""
    model = schema.Model.GetRootAs(content)
    names = {code: name for name, code in vars(schema.BuiltinOperator).items()}
    codes = [model.OperatorCodes(index) for index in range(model.OperatorCodesLength())]
    found = {names[code.BuiltinCode()] for code in codes}
    return sorted("".join(_camel(part) for part in name.split("_")) for name in found)


def _camel(part: str) -> str:
    """``CONV`` as ``Conv``, and ``2D`` as it is."""
    return part if part[0].isdigit() else part.capitalize()


def c_values(array: NDArray[np.uint8] | NDArray[np.int8]) -> str:
    """Numbers separated by commas, a few to a line."""
    values = array.flatten().tolist()
    rows = range(0, len(values), BYTES_A_LINE)
    return ",\n".join(",".join(map(str, values[row : row + BYTES_A_LINE])) for row in rows)
