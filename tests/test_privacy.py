"""What runs here stays here."""

from __future__ import annotations

import os
import subprocess
import sys

CLICK = """
import numpy as np
from picosam2 import Predictor

predictor = Predictor.from_pretrained(threads=1)
predictor.set_image(np.zeros((64, 64, 3), np.uint8))
predictor.predict([[9, 9]])
"""


def test_onnx_runtime_gathers_nothing_about_who_uses_it(tmp_path):
    """It keeps an identifier of the machine in the home folder where it is let."""
    given = {key: value for key, value in os.environ.items() if key != "ORT_DISABLE_TELEMETRY"}
    given |= {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}
    subprocess.run([sys.executable, "-c", CLICK], env=given, check=True)
    assert not list(tmp_path.rglob("*onnxruntime*"))
