"""The trained models in the package, and how each was made (``manifest.json``, ``README.md``)."""

from __future__ import annotations

from pathlib import Path

DEFAULT_MODEL = "int8"
MODELS = {
    "int8": "picosam2-int8.onnx",
    "fp32": "picosam2-fp32.onnx",
    "safetensors": "picosam2.safetensors",
}
# A crop of scikit-image's "chelsea" (CC0): every exported model's golden input.
GOLDEN_CROP = Path(__file__).parent / "golden.png"


def model_path(name: str | Path) -> Path:
    """The file of a bundled model by its name, or any other path as it is."""
    folder = Path(__file__).parent
    return folder / MODELS[name] if name in MODELS else Path(name)
