"""A contact sheet of labelled photographs: each mask in its own colour, with its figures.

    python scripts/contact_sheet.py labels/coco-train --out sheet.jpg

Drawn are the teacher's answers to the boxes or to the clicks, what the grid found, predicted
IoU and stability. Masks that training leaves out are drawn in outline only.
"""

from __future__ import annotations

import argparse
import colorsys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage

from picosam2.data.photograph import Photograph, is_sure
from picosam2.data.rle import decode_rle
from picosam2.data.source import open_source
from picosam2.files import replacing

TILE = 360


def draw(photograph: Photograph, prompt: str) -> Image.Image:
    image = photograph.load().astype(np.float32)
    labels = []
    for annotation in photograph.record.annotations:
        answers = [t for t in annotation.teacher if (t.box is not None) == (prompt == "box")]
        if not annotation.teacher and annotation.point_coords:
            answers = [annotation]
        for answer in answers:
            if answer.segmentation is None:
                continue
            mask = decode_rle(answer.segmentation)
            hue = 0.618034 * len(labels) % 1
            colour = np.array(colorsys.hsv_to_rgb(hue, 0.9, 1.0), np.float32) * 255
            edge = mask & ~ndimage.binary_erosion(mask)
            sure = is_sure(answer)
            if sure:
                image[mask] = 0.55 * image[mask] + 0.45 * colour
            image[edge] = colour
            text = f"{answer.predicted_iou:.2f} {answer.stability_score:.2f}"
            labels.append((mask, tuple(colour.astype(int)), text))
            if answer.point_coords:
                x, y = map(int, answer.point_coords[0])
                image[max(0, y - 2) : y + 3, max(0, x - 2) : x + 3] = 255
    picture = Image.fromarray(image.clip(0, 255).astype(np.uint8))
    picture.thumbnail((TILE, TILE))
    scale = picture.width / photograph.width
    pen = ImageDraw.Draw(picture)
    for mask, colour, text in labels:
        if mask.any():
            ys, xs = np.nonzero(mask)
            place = (xs.mean() * scale - 25, ys.mean() * scale - 5)
            pen.text(place, text, fill=colour, stroke_width=1, stroke_fill=0)
    tile = Image.new("RGB", (TILE, TILE))
    tile.paste(picture)
    return tile


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("labels", help="labelled shards")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--prompt", choices=("box", "click"), default="box")
    parser.add_argument("--count", type=int, default=50)
    parser.add_argument("--columns", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0, help="of the choice of photographs")
    arguments = parser.parse_args()
    source = open_source(arguments.labels)
    chosen = np.random.default_rng(arguments.seed).permutation(len(source))[: arguments.count]
    tiles = [draw(source.photographs[index], arguments.prompt) for index in chosen]
    columns = arguments.columns
    sheet = Image.new("RGB", (columns * TILE, -(-len(tiles) // columns) * TILE))
    for position, tile in enumerate(tiles):
        sheet.paste(tile, (position % columns * TILE, position // columns * TILE))
    with replacing(arguments.out) as path:
        sheet.save(path, format="JPEG", quality=88)


if __name__ == "__main__":
    main()
