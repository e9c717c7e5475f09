"""Photographs that the tests run on.

``examples/`` is in the repository. Tests marked ``data`` need more: the folders of
``$PICOSAM2_DATA`` (default ``../shared/data``). They are skipped where the default is absent, and
fail where the variable is set but wrong.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from picosam2 import Predictor
from picosam2.data.coco import CocoFolder
from picosam2.images import load_image

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples"


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of annotated photographs that are not in the repository."""
    named = os.environ.get("PICOSAM2_DATA")
    folder = Path(named) if named else ROOT.parent / "shared" / "data"
    if not (folder / "coco-val" / "instances.json").is_file():
        if named:
            pytest.fail(f"PICOSAM2_DATA={named} has no coco-val/instances.json")
        pytest.skip("needs annotated photographs: set PICOSAM2_DATA to their folder")
    return folder


@pytest.fixture(scope="session")
def examples() -> CocoFolder:
    """Four photographs with outlines drawn by hand."""
    return CocoFolder(EXAMPLES)


@pytest.fixture(scope="session")
def cat() -> np.ndarray:
    """The photograph of a cat, 300×451×3 uint8."""
    return load_image(EXAMPLES / "images" / "chelsea.jpg")


@pytest.fixture(scope="session")
def predictor() -> Predictor:
    """The shipped INT8 model."""
    return Predictor.from_pretrained(threads=1)
