"""Draw the pictures of docs/gallery.md: python scripts/draw_gallery.py docs/gallery."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image

from picosam2 import AutomaticMaskGenerator, Predictor
from picosam2.examples import EXAMPLES
from picosam2.images import load_image
from picosam2.overlay import draw_overlay

CORRECTED = {
    "coffee": [((142, 243), 1), ((288, 133), 0), ((430, 250), 1), ((250, 330), 1)],
    "chelsea": [((230, 160), 1), ((160, 250), 1), ((60, 180), 1), ((420, 60), 0)],
}
BOXES = {
    "astronaut": [(130, 5, 300, 215), (300, 310, 512, 512)],
    "coffee": [(172, 16, 410, 245), (345, 205, 420, 330)],
    "chelsea": [(120, 30, 330, 290), (285, 115, 350, 160)],
    "rocket": [(305, 75, 345, 345), (10, 20, 60, 345)],
}
WIDTH, GAP, QUALITY = 480, 6, 85


def main() -> None:
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    predictor = Predictor.from_pretrained()
    for name, clicks in CORRECTED.items():
        image = load_image(EXAMPLES / "images" / f"{name}.jpg")
        predictor.set_image(image)
        pictures, before = [], None
        for count in range(1, len(clicks) + 1):
            points, labels = zip(*clicks[:count], strict=True)
            masks, _, before = predictor.predict(points, labels, None, before, False)
            pictures.append(draw_overlay(image, masks[0], points, labels=labels))
        _save(out / f"corrected-{name}.jpg", pictures)
    boxed = []
    for name, boxes in BOXES.items():
        image = load_image(EXAMPLES / "images" / f"{name}.jpg")
        predictor.set_image(image)
        for box in boxes:
            mask = predictor.predict(box=box, multimask_output=False)[0][0]
            boxed.append(draw_overlay(image, mask, box=box))
    _save(out / "boxes.jpg", boxed)
    _save(out / "everything.jpg", [_everything(predictor, name) for name in BOXES])


def _everything(predictor: Predictor, name: str) -> Image.Image:
    """The photograph with everything that is found tinted, the largest first."""
    image = load_image(EXAMPLES / "images" / f"{name}.jpg")
    found = AutomaticMaskGenerator(predictor).generate(image)
    colours = np.random.default_rng(0).integers(40, 256, (len(found), 3))
    shown = image.astype(np.float32)
    for record, colour in zip(
        sorted(found, key=lambda record: -record["area"]), colours, strict=True
    ):
        mask = record["segmentation"]
        shown[mask] = 0.45 * image[mask] + 0.55 * colour
    return Image.fromarray(shown.astype(np.uint8))


def _save(path: Path, pictures: list[Image.Image]) -> None:
    """Two pictures a row, all of one width; those of a row of one height."""
    rows = []
    for pair in zip(pictures[::2], pictures[1::2], strict=True):
        scaled = [p.resize((WIDTH, round(p.height * WIDTH / p.width))) for p in pair]
        row = Image.new("RGB", (2 * WIDTH + GAP, min(p.height for p in scaled)), "white")
        for index, picture in enumerate(scaled):
            row.paste(picture, (index * (WIDTH + GAP), 0))
        rows.append(row)
    sheet = Image.new("RGB", (rows[0].width, sum(r.height + GAP for r in rows) - GAP), "white")
    top = 0
    for row in rows:
        sheet.paste(row, (0, top))
        top += row.height + GAP
    sheet.save(path, quality=QUALITY)


if __name__ == "__main__":
    main()
