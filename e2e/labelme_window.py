"""Labelme's own loader, writer and window: what its Python runs for labelme_files.py.

Loads a file, saves it again, saves its first shapes' mask by its own rule, and shows it.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
from labelme._label_file import LabelFile
from labelme.app import MainWindow
from labelme.utils.shape import shape_to_mask
from PIL import Image
from PyQt5.QtTest import QTest
from PyQt5.QtWidgets import QApplication


def main() -> None:
    given, saved, mask_file, picture = sys.argv[1:]
    file = LabelFile(given)
    assert file.image_data is not None
    assert file.image_path is not None
    with Image.open(Path(given).parent / file.image_path) as photograph:
        width, height = photograph.size
    masks = [shape_to_mask((height, width), s["points"], s["shape_type"]) for s in file.shapes]
    Image.fromarray(np.any(masks, axis=0)).save(mask_file)
    shapes = [
        {name: shape[name] for name in shape if name != "other_data"} for shape in file.shapes
    ]
    # With the photograph in it, as Labelme may be told to save.
    LabelFile().save(saved, shapes, file.image_path, height, width, file.image_data)
    app = QApplication(sys.argv[:1])
    window = MainWindow(file_or_dir=given)
    window.resize(1300, 850)
    window.show()
    QTest.qWait(3000)
    window.grab().save(picture, quality=80)
    sys.stdout.flush()
    del app
    # Its threads are not to be waited for.
    os._exit(0)


if __name__ == "__main__":
    main()
