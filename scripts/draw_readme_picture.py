"""Draw README's picture: one click on each of several objects of the example photographs.

python scripts/draw_readme_picture.py docs/masks.jpg
"""

from __future__ import annotations

import sys

import numpy as np
from PIL import Image

from picosam2 import Predictor
from picosam2.examples import EXAMPLES
from picosam2.images import load_image
from picosam2.overlay import draw_overlay

CLICKS = [
    ("chelsea", (230, 160)),
    ("chelsea", (318, 139)),
    ("astronaut", (225, 125)),
    ("astronaut", (398, 427)),
    ("coffee", (288, 133)),
    ("coffee", (142, 243)),
    ("rocket", (322, 250)),
    ("rocket", (29, 185)),
]
HEIGHT, WIDTH, COLUMNS = 240, 360, 4


def main() -> None:
    predictor = Predictor.from_pretrained()
    tiles = []
    for name, click in CLICKS:
        image = load_image(EXAMPLES / "images" / f"{name}.jpg")
        predictor.set_image(image)
        masks, _, _ = predictor.predict([click], [1], multimask_output=False)
        picture = draw_overlay(image, masks[0], click)
        scale = max(HEIGHT / picture.height, WIDTH / picture.width)
        picture = picture.resize((round(picture.width * scale), round(picture.height * scale)))
        left = min(max(0, click[0] * scale - WIDTH / 2), picture.width - WIDTH)
        top = min(max(0, click[1] * scale - HEIGHT / 2), picture.height - HEIGHT)
        box = (round(left), round(top), round(left) + WIDTH, round(top) + HEIGHT)
        tiles.append(np.asarray(picture.crop(box)))
    rows = [np.hstack(tiles[i : i + COLUMNS]) for i in range(0, len(tiles), COLUMNS)]
    Image.fromarray(np.vstack(rows)).save(sys.argv[1], quality=88)


if __name__ == "__main__":
    main()
