"""The trained models in the package, and how each was made (``manifest.json``, ``README.md``)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from picosam2.errors import InputError

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


def trained_on(name: str | Path) -> frozenset[int] | None:
    """Ids of the COCO photographs that weights were trained on; LVIS's are the same.

    Known for the bundled models (``manifest.json``) and for weights in the folder of their run
    (``run.json``), from the training folders whose names begin with ``coco`` or ``lvis``.

    Returns:
        The ids; None where nothing is known.

    Raises:
        InputError: the record is damaged.
    """
    path = model_path(name)
    bundled = name in MODELS
    record = path.with_name("manifest.json" if bundled else "run.json")
    if not record.is_file():
        return None
    try:
        content = json.loads(record.read_bytes())
        runs: list[dict[str, Any]] = [content]
        if bundled:
            runs = [*content["earlier_runs"], content["run"]]
        return frozenset(
            image_id
            for run in runs
            for data in run["data"]
            if data["folder"].startswith(("coco", "lvis"))
            for image_id in data["image_ids"]
        )
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{record} is not the record of a training run: {error!r}") from None
