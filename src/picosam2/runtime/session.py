"""Opening ONNX models in ONNX Runtime, the same way everywhere."""

from __future__ import annotations

from pathlib import Path

import onnxruntime


def open_session(model: Path | bytes, threads: int) -> onnxruntime.InferenceSession:
    """A session on the CPU that only complains of errors.

    Args:
        model: file or its content.
        threads: of one call; 0 for all cores.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    # Where x86 has no VNNI, products of 8 bits are added up in 16 and overflow: masks lose some 5 %
    # IoU. Exact there, at half as much time again; elsewhere this changes nothing.
    options.add_session_config_entry("session.x64quantprecision", "1")
    source = str(model) if isinstance(model, Path) else model
    return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
