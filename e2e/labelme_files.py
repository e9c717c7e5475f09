"""What `segment --format labelme` writes, in a real Labelme, and what that saves, read again.

`make test-labelme` runs it; Labelme has the environment of `labelme.txt`. The last argument becomes
a picture of its window.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from picosam2 import Predictor
from picosam2.cli import main as picosam2
from picosam2.data.source import ShardFolder
from picosam2.examples import EXAMPLES
from picosam2.masks import mask_iou

WINDOW = Path(__file__).with_name("labelme_window.py")
CLICK = 398.0, 427.0
# Labelme draws the outline too; polygons are within a pixel.
LEAST_IOU = 0.95


def run(*arguments: str | Path) -> None:
    picosam2(list(map(str, arguments)), standalone_mode=False)


def main() -> None:
    python, picture = sys.argv[1:]
    with tempfile.TemporaryDirectory() as temporary:
        folder, again = Path(temporary) / "photographs", Path(temporary) / "again"
        folder.mkdir()
        again.mkdir()
        photograph = Path(shutil.copy(EXAMPLES / "images" / "astronaut.jpg", folder))
        click = ",".join(map(str, CLICK))
        run("segment", photograph, "--point", click, "--format", "labelme", "--out", folder)
        mask_file, saved = Path(temporary) / "mask.png", again / "saved.json"
        screen = ["xvfb-run", "-a", "-s", "-screen 0 1600x1000x24"]
        written = photograph.with_suffix(".json")
        subprocess.run(
            [*screen, python, WINDOW, written, saved, mask_file, picture],
            env=os.environ | {"HOME": temporary}, check=True,
        )  # fmt: skip
        run("data", "import", "labelme", again, "--out", Path(temporary) / "shards")
        (read,) = ShardFolder(Path(temporary) / "shards").photographs
        (annotation,) = read.objects
        predictor = Predictor.from_pretrained(threads=1)
        predictor.set_image(np.asarray(Image.open(photograph).convert("RGB")))
        (mask,), _, _ = predictor.predict([CLICK], [1], multimask_output=False)
        drawn = np.asarray(Image.open(mask_file)) > 0
        overlaps = mask_iou(drawn, mask), mask_iou(read.mask(annotation), mask)
    by_labelme, by_import = overlaps
    print(
        f"IoU in Labelme {by_labelme:.3f}, of what it saved, imported, {by_import:.3f}; {picture}"
    )
    assert min(overlaps) > LEAST_IOU


if __name__ == "__main__":
    main()
