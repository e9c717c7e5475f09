"""Opening ONNX models in ONNX Runtime, the same way everywhere."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import onnxruntime

# `c = MatMulInteger(a, b)` with uint8 a, int8 b: a test writes it anew.
PRODUCT = (
    b"\x08\x08:d\n\x1a\n\x01a\n\x01b\x12\x01c"
    b'"\rMatMulInteger:\x00\x12\x01pZ\x15\n\x01a\x12\x10\n\x0e\x08\x02\x12\n\n\x03\x12\x01m'
    b"\n\x03\x12\x01kZ\x15\n\x01b\x12\x10\n\x0e\x08\x03\x12\n\n\x03\x12\x01k\n\x03\x12\x01n"
    b"b\x15\n\x01c\x12\x10\n\x0e\x08\x06\x12\n\n\x03\x12\x01m\n\x03\x12\x01nB\x04\n\x00\x10\r"
)


@functools.cache
def sums_of_bytes_are_exact() -> bool:
    """Whether ONNX Runtime adds products of 8 bits without overflow here: tried on the largest.

    x86 without VNNI adds pairs of them in 16 bits.
    """
    session = onnxruntime.InferenceSession(PRODUCT, _options(1), ["CPUExecutionProvider"])
    factors = {"a": np.full((4, 4), 255, np.uint8), "b": np.full((4, 4), 127, np.int8)}
    return bool((session.run(None, factors)[0] == 4 * 255 * 127).all())


def open_session(model: Path | bytes, threads: int) -> onnxruntime.InferenceSession:
    """A session on the CPU that only complains of errors.

    Args:
        model: file or its content.
        threads: of one call; 0 for all cores.
    """
    options = _options(threads)
    # Where they overflow, masks lose some 5 % IoU. This makes them exact, and is slow everywhere.
    if not sums_of_bytes_are_exact():
        options.add_session_config_entry("session.x64quantprecision", "1")
    source = str(model) if isinstance(model, Path) else model
    return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])


def _options(threads: int) -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    # Else the threads of a network that has answered keep cores from the one that is asked next.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    return options
