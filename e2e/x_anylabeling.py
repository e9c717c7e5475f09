"""A real X-AnyLabeling with our model, clicked under Xvfb.

`make test-x-anylabeling` runs it; X-AnyLabeling has the environment of `x_anylabeling.txt`. A click
with its smart point must give the polygon of the predictor's mask. The last argument becomes a
picture of the window.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from picosam2 import Predictor
from picosam2.examples import EXAMPLES
from picosam2.masks import mask_iou

WINDOW = Path(__file__).with_name("x_anylabeling_window.py")
CLICK = 398.0, 427.0
# Its polygons leave out small parts, and what is less than a pixel.
LEAST_IOU = 0.95


def main() -> None:
    python, model, picture = sys.argv[1:]
    with tempfile.TemporaryDirectory() as home:
        photograph = shutil.copy(EXAMPLES / "images" / "astronaut.jpg", home)
        place = ",".join(map(str, CLICK))
        screen = ["xvfb-run", "-a", "-s", "-screen 0 1600x1000x24"]
        done = subprocess.run(
            [*screen, python, WINDOW, Path(model).resolve(), photograph, place, picture],
            env=os.environ | {"HOME": home}, stdout=subprocess.PIPE, text=True, check=True,
        )  # fmt: skip
        image = np.asarray(Image.open(photograph).convert("RGB"))
    shapes = json.loads(done.stdout.splitlines()[-1])
    drawn = np.zeros(image.shape[:2], np.uint8)
    for shape in shapes:
        cv2.fillPoly(drawn, [np.round(shape["points"]).astype(np.int32)], 1)
    predictor = Predictor.from_pretrained(threads=1)
    predictor.set_image(image)
    masks, _, _ = predictor.predict([CLICK], [1], multimask_output=False)
    overlap = mask_iou(drawn > 0, masks[0])
    print(f"the polygon and the predictor's mask: IoU {overlap:.3f}; {picture}")
    assert overlap > LEAST_IOU


if __name__ == "__main__":
    main()
