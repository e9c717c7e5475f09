"""The networks of the browser's page: LiteRT in fp32, of weights that few bytes say.

    python scripts/web_models.py web/models

Each weight is rounded to ``MANTISSA`` bits behind its leading one. The files are as large as
before, and their zeros cost nothing over the wire: Brotli makes 1.6 MB of 3.3. LiteRT's kernels
compute in float; its models of 8 bits are no faster in WebAssembly, and those of 16 bits slower.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from pathlib import Path

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from picosam2.export.environment import run_isolated
from picosam2.files import replacing, scratch_folder
from picosam2.weights import CORRECTING_MODEL, DEFAULT_MODEL, weights_path

MANTISSA = 9
# Of smaller constants nothing is to be gained.
LEAST_BYTES = 4096


def rounded(content: bytes) -> bytes:
    """A ``.tflite`` whose large float constants have ``MANTISSA`` bits, rounded to even."""
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    floats = {
        tensor.buffer
        for graph in model.subgraphs
        for tensor in graph.tensors
        if tensor.type == schema.TensorType.FLOAT32
    }
    drop = np.uint32(23 - MANTISSA)
    for index in floats:
        buffer = model.buffers[index]
        if buffer.data is None or len(buffer.data) < LEAST_BYTES:
            continue
        bits = np.frombuffer(bytes(bytearray(buffer.data)), np.uint32)
        half = (np.uint32(1) << (drop - np.uint32(1))) - np.uint32(1)
        even = (bits >> drop) & np.uint32(1)
        values = (bits + half + even) >> drop << drop
        buffer.data = np.frombuffer(values.astype(np.uint32).tobytes(), np.uint8)
    builder = flatbuffers.Builder(len(content))
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def main(out: Path) -> None:
    """Write ``NAME.tflite`` of both networks, and ``models.json`` with the weights' digests."""
    out.mkdir(parents=True, exist_ok=True)
    digests = {}
    for name in (DEFAULT_MODEL, CORRECTING_MODEL):
        weights = weights_path(name)
        digests[name] = hashlib.sha256(weights.read_bytes()).hexdigest()
        with scratch_folder() as folder:
            run_isolated(
                "litert", [weights.resolve(), folder / "fp32.tflite"], f"converting {name}"
            )
            content = rounded((folder / "fp32.tflite").read_bytes())
        with replacing(out / f"{name}.tflite") as path:
            path.write_bytes(content)
    with replacing(out / "models.json") as path:
        path.write_text(
            json.dumps({"mantissa": MANTISSA, "weights_sha256": digests}, indent=1) + "\n"
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    main(parser.parse_args().out)
