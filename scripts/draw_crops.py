"""Draw how a prompt becomes a crop, for docs/crops.md: python scripts/draw_crops.py docs/crops."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from picosam2 import Predictor
from picosam2.examples import EXAMPLES
from picosam2.images import load_image
from picosam2.overlay import CLICK_COLOURS, COLOUR, DIMMED, TINTED, draw_overlay
from picosam2.predictor.corrections import in_crop
from picosam2.predictor.looks import show
from picosam2.predictor.prior import make_prior
from picosam2.predictor.prompts import Box, Click
from picosam2.prompt import CROP_SIZE, Crop, box_crop, click_crops, cut

CLICK = (288.0, 133.0)
ADDED = (225.0, 245.0)
BOX = (172.0, 16.0, 410.0, 245.0)
SIDE, GAP = 240, 8
GREEN, GREY = CLICK_COLOURS[1], (128, 128, 128)


def main() -> None:
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    predictor = Predictor.from_pretrained()
    image = load_image(EXAMPLES / "images" / "coffee.jpg")
    predictor.set_image(image)

    longer = max(image.shape[:2])
    crops = click_crops(*CLICK, [longer * share for share in predictor.config.click_sides])
    shown = np.stack([cut(image, crop) for crop in crops])
    logits, scores = predictor.runtime(shown)
    tiles = [
        _tile(pixels, mask > 0, f"{score:.2f}", bool(score == scores.max()))
        for pixels, mask, score in zip(shown, logits, scores, strict=True)
    ]
    mask = predictor.predict([CLICK], [1], multimask_output=False)[0][0]
    whole = [_squares(Image.fromarray(image), crops), draw_overlay(image, mask, CLICK)]
    _save(out / "click.jpg", [tiles, whole])

    pixels = show(image, Box(BOX), box_crop(BOX), predictor.runtime.marks_boxes)
    logits, scores = predictor.runtime(pixels[None])
    mask = predictor.predict(box=BOX, multimask_output=False)[0][0]
    _save(
        out / "box.jpg",
        [
            [
                draw_overlay(image, np.ones(mask.shape, bool), box=BOX, colour=(255, 255, 255)),
                _tile(pixels, logits[0] > 0, f"{scores[0]:.2f}", False),
                draw_overlay(image, mask, box=BOX),
            ]
        ],
    )
    _save(out / "correction.jpg", [_correction(predictor, image, crops[-1])])


def _correction(predictor: Predictor, image: NDArray[np.uint8], crop: Crop) -> list[Image.Image]:
    """The crop, the mask before, the clicks, and the answer of the second network."""
    assert predictor.corrector
    pixels = cut(image, crop)
    before = predictor.runtime(pixels[None])[0][0] > 0
    clicks = [(*in_crop(Click(*xy), crop, CROP_SIZE), True) for xy in (CLICK, ADDED)]
    prior = make_prior(before, clicks, CROP_SIZE)
    logits, scores = predictor.corrector(pixels[None], prior[None])
    shown = np.full((CROP_SIZE, CROP_SIZE, 3), GREY, np.uint8)
    shown[prior[..., 1] == 1] = GREEN
    return [
        _enlarged(pixels),
        _enlarged(np.where(before[..., None], 255, 0).repeat(3, 2).astype(np.uint8)),
        _enlarged(shown),
        _tile(pixels, logits[0] > 0, f"{scores[0]:.2f}", False),
    ]


def _tile(
    pixels: NDArray[np.uint8], mask: NDArray[np.bool_], text: str, framed: bool
) -> Image.Image:
    """A crop with its mask tinted, enlarged."""
    tinted = pixels * DIMMED
    tinted[mask] = pixels[mask] * TINTED + np.array(COLOUR) * (1 - TINTED)
    picture = _enlarged(tinted.astype(np.uint8))
    draw = ImageDraw.Draw(picture)
    draw.text((8, 6), text, "white", font_size=22, stroke_width=2, stroke_fill="black")
    if framed:
        draw.rectangle((0, 0, SIDE - 1, SIDE - 1), outline="white", width=5)
    return picture


def _enlarged(pixels: NDArray[np.uint8]) -> Image.Image:
    return Image.fromarray(pixels).resize((SIDE, SIDE), Image.Resampling.NEAREST)


def _squares(picture: Image.Image, crops: list[Crop]) -> Image.Image:
    draw = ImageDraw.Draw(picture)
    for crop in crops:
        corners = (crop.left, crop.top, crop.left + crop.side, crop.top + crop.side)
        draw.rectangle(corners, outline="white", width=2)
    x, y = CLICK
    draw.ellipse((x - 5, y - 5, x + 5, y + 5), fill=GREEN, outline="white")
    return picture


def _save(path: Path, rows: list[list[Image.Image]]) -> None:
    """Rows of pictures of equal height, all rows as wide as the first."""
    rows = [[p.resize((round(p.width * SIDE / p.height), SIDE)) for p in row] for row in rows]
    width = sum(p.width + GAP for p in rows[0]) - GAP
    strips = []
    for row in rows:
        strip = Image.new("RGB", (sum(p.width + GAP for p in row) - GAP, SIDE), "white")
        left = 0
        for picture in row:
            strip.paste(picture, (left, 0))
            left += picture.width + GAP
        strips.append(strip.resize((width, round(SIDE * width / strip.width))))
    sheet = Image.new("RGB", (width, sum(s.height + GAP for s in strips) - GAP), "white")
    top = 0
    for strip in strips:
        sheet.paste(strip, (0, top))
        top += strip.height + GAP
    sheet.save(path, quality=88)


if __name__ == "__main__":
    main()
