"""The trained models in the package, and how each was made (``manifest.json``, ``README.md``)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from picosam2.errors import InputError

FOLDER = Path(__file__).parent
DEFAULT_MODEL = "int8"
MODELS = {
    "int8": "picosam2-int8.onnx",
    "fp32": "picosam2-fp32.onnx",
    "safetensors": "picosam2.safetensors",
}
# The files of one precision, the default engine's first.
BUNDLED = {
    "int8": [FOLDER / MODELS["int8"]],
    "fp32": [FOLDER / MODELS["fp32"], FOLDER / MODELS["safetensors"]],
}
# How their predicted IoU is corrected: picosam2.scores.
SCORES_FILE = FOLDER / "scores.json"
# A crop of scikit-image's "chelsea" (CC0): every exported model's golden input.
GOLDEN_CROP = FOLDER / "golden.png"


def model_path(name: str | Path) -> Path:
    """The file of a bundled model by its name, or any other path as it is."""
    return FOLDER / MODELS[name] if name in MODELS else Path(name)


def check_name(name: str | Path) -> None:
    """Refuse what is neither a bundled model's name nor looks like a file.

    Raises:
        InputError: it has no suffix and is not there.
    """
    if name not in MODELS and not Path(name).suffix and not Path(name).exists():
        near = [known for known in MODELS if known == str(name).lower()]
        hint = f"did you mean {near[0]}?" if near else f"choose from {', '.join(MODELS)}"
        raise InputError(f"there are no weights {name}: {hint} Or give a file")


def trained_on(name: str | Path) -> tuple[frozenset[int], bool]:
    """Ids of the COCO photographs that weights were trained on; LVIS's are the same.

    Known for the bundled models (``manifest.json``) and for weights in the folder of their run
    (``run.json``), with the bundled weights where the run began with these.

    Returns:
        The ids, and whether these are all of them.

    Raises:
        InputError: the record is damaged.
    """
    manifest = model_path(DEFAULT_MODEL).with_name("manifest.json")
    record = manifest if name in MODELS else Path(name).with_name("run.json")
    if not record.is_file():
        return frozenset(), False
    try:
        content = json.loads(record.read_bytes())
        if record == manifest:
            runs = [*content["earlier_runs"], content["run"]]
            return frozenset().union(*map(_coco_ids, runs)), True
        ids, began_with = _coco_ids(content), content["init_sha256"]
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{record} is not the record of a training run: {error!r}") from None
    bundled = json.loads(manifest.read_bytes())["files"][MODELS["safetensors"]]["sha256"]
    if began_with == bundled:
        return ids | trained_on("safetensors")[0], True
    return ids, began_with is None


def _coco_ids(run: dict[str, Any]) -> frozenset[int]:
    """The ids of a run's photographs that are COCO's: other data sets count from 1, too."""
    return frozenset(
        image_id
        for data in run["data"]
        # Records before this was noted have folders whose names say it.
        if data.get("coco_ids", data["folder"].startswith("coco"))
        for image_id in data["image_ids"]
    )
