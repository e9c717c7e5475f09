"""The trained models in the package; each family's ``manifest.json`` says how they were made."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

from picosam2.errors import InputError

FOLDER = Path(__file__).parent
# A crop of scikit-image's "chelsea" (CC0): every exported model's golden input.
GOLDEN_CROP = FOLDER / "golden.png"

# What a family's folder holds.
INT8, FP32, WEIGHTS = "picosam2-int8.onnx", "picosam2-fp32.onnx", "picosam2.safetensors"
MANIFEST = "manifest.json"

# What a run may begin with that has seen no photograph with masks.
UNTRAINED = ("random", "imagenet")
FAMILIES = ("small", "paper")
DEFAULT_MODEL = "small"
# Answers what comes after the first look, of either family.
CORRECTING_MODEL = "correcting"


def _files(family: str) -> dict[str, list[Path]]:
    """Of each name, the default engine's first; only the default network has fp32 as ONNX."""
    return {
        name: [FOLDER / family / file for file in files if (FOLDER / family / file).is_file()]
        for name, files in ((family, [INT8]), (f"{family}-fp32", [FP32, WEIGHTS]))
    }


# The files of each name: of networks of the first look, and of those that correct.
# A wheel leaves out what only training and exporting read.
BUNDLED = {n: files for family in FAMILIES for n, files in _files(family).items() if files}
CORRECTING = _files(CORRECTING_MODEL)
# From when there was one network.
DEPRECATED = {"int8": DEFAULT_MODEL, "fp32": f"{DEFAULT_MODEL}-fp32"}


def current_name(name: str | Path) -> str | Path:
    """``name``, or what it is called now, with a ``DeprecationWarning``."""
    new = DEPRECATED.get(str(name))
    if new is None:
        return name
    warnings.warn(f"weights {str(name)!r} are now {new!r}", DeprecationWarning, stacklevel=3)
    return new


def model_path(name: str | Path) -> Path:
    """The file of a bundled model by its name, or any other path as it is."""
    return next(iter(model_files(name)))


def model_files(name: str | Path) -> list[Path]:
    """All files of a bundled model by its name, the default engine's first; or any other path.

    Raises:
        InputError: a wheel leaves them out.
    """
    name = current_name(name)
    files = (BUNDLED | CORRECTING).get(str(name), [Path(name)])
    if not files:
        raise InputError(f"there are no files of {name} here: a clone has what a wheel leaves out")
    return files


def weights_path(family: str) -> Path:
    """The safetensors file of a family's weights."""
    return FOLDER / family / WEIGHTS


def read_manifest(family: str) -> dict[str, Any]:
    """The record of a family's weights: their runs, digests and measured figures."""
    content: dict[str, Any] = json.loads((FOLDER / family / MANIFEST).read_bytes())
    return content


def check_name(name: str | Path) -> None:
    """Refuse what is neither a bundled model's name nor looks like a file.

    Raises:
        InputError: it has no suffix and is not there.
    """
    if str(name) not in BUNDLED | CORRECTING and not Path(name).suffix and not Path(name).exists():
        near = [known for known in (*BUNDLED, *DEPRECATED) if known == str(name).lower()]
        hint = f"did you mean {near[0]}?" if near else f"choose from {', '.join(BUNDLED)}."
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
    name = current_name(name)
    family = str(name).removesuffix("-fp32")
    if str(name) in BUNDLED:
        manifest = read_manifest(family)
        runs = [*manifest["earlier_runs"], manifest["run"]]
        return frozenset().union(*map(_coco_ids, runs)), True
    record = Path(name).with_name("run.json")
    if not record.is_file():
        return frozenset(), False
    try:
        content = json.loads(record.read_bytes())
        ids, began_with = _coco_ids(content), content["init_sha256"]
        untrained = content.get("init") in UNTRAINED
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(f"{record} is not the record of a training run: {error!r}") from None
    for family in FAMILIES:
        if began_with == read_manifest(family)["files"][WEIGHTS]["sha256"]:
            return ids | trained_on(family)[0], True
    return ids, untrained or began_with is None


def _coco_ids(run: dict[str, Any]) -> frozenset[int]:
    """The ids of a run's photographs that are COCO's: other data sets count from 1, too."""
    return frozenset(
        image_id
        for data in run["data"]
        # Records before this was noted have folders whose names say it.
        if data.get("coco_ids", data["folder"].startswith("coco"))
        for image_id in data["image_ids"]
    )
