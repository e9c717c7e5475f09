"""Videos made of photographs: what the tracker's numbers were chosen on.

    python benchmarks/simulated_motion.py --data ../shared/data/coco-dev --json motion.json

A third are pans, turns and zooms over a photograph; in a third an object is cut out and moves over
another photograph, in a third something passes in front of it as well. Light and blur change, and
each frame goes through JPEG. The defaults are measured, and with --vary rigid,change,... other
values of these numbers, one at a time.
"""

from __future__ import annotations

import argparse
import dataclasses
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from picosam2.data.photograph import Photograph
from picosam2.data.schema import Annotation
from picosam2.data.source import open_source
from picosam2.masks import mask_iou
from picosam2.output import write_json
from picosam2.record import git_commit
from picosam2.table import Table
from picosam2.video import Tracker, TrackerConfig

HEIGHT, WIDTH, FRAMES = 360, 480, 24
KINDS = ("camera", "object", "hidden")
LEAST_SIDE, LEAST_AREA = 40, 400
OTHERS: dict[str, list[Any]] = {
    "margin": [1.4, 1.8],
    "correcting": [0.0, 0.5, 0.7, 1.0],
    "colours": [0.0, 0.5, 1.5],
    "rigid": [0.0, 4.0, 16.0],
    "change": [1.05, 1.2, 4.0],
    "momentum": [0.0, 0.5],
    "sure": [0.6, 0.8],
    "learning": [0.0, 0.1],
    "lost_score": [0.15, 0.35],
    "alike": [0.4, 0.65],
}

Video = tuple[str, list[NDArray[np.uint8]], list[NDArray[np.bool_]]]
Objects = list[tuple[Photograph, Annotation]]


def path(rng: np.random.Generator, swing: float, drift: float) -> NDArray[np.float64]:
    """A smooth path of ``FRAMES`` values that begins with 0."""
    time = np.linspace(0, 1, FRAMES)
    result = np.zeros(FRAMES)
    for wave in (1, 2, 3):
        speed, phase = rng.uniform(0.5, 1.2), rng.uniform(0, 6)
        result += swing / wave * rng.normal() * np.sin(2 * np.pi * wave * time * speed + phase)
    return result - result[0] + drift * rng.normal() * time


def place(
    x: float, y: float, to_x: float, to_y: float, scale: float, angle: float = 0.0
) -> NDArray[np.float64]:
    """The affine map that scales and turns about (x, y) and moves that to (to_x, to_y): 2×3."""
    c, s = np.cos(angle) * scale, np.sin(angle) * scale
    return np.array([[c, -s, to_x - c * x + s * y], [s, c, to_y - s * x - c * y]])


def warp(picture: NDArray[np.uint8], matrix: NDArray[np.float64]) -> NDArray[np.uint8]:
    return np.asarray(cv2.warpAffine(picture, matrix, (WIDTH, HEIGHT)), np.uint8)


def choose(objects: Objects, rng: np.random.Generator) -> tuple[Photograph, Annotation]:
    while True:
        photograph, annotation = objects[rng.integers(len(objects))]
        width, height = annotation.bbox[2:]
        if max(width, height) >= LEAST_SIDE and min(width, height) >= LEAST_SIDE / 2:
            return photograph, annotation


def make_video(objects: Objects, seed: int) -> Video:
    """One video of the kind that the seed draws."""
    rng = np.random.default_rng(seed)
    kind = KINDS[rng.integers(3)]
    photograph, annotation = choose(objects, rng)
    image, mask = photograph.load(), photograph.mask(annotation).astype(np.uint8) * np.uint8(255)
    x, y, width, height = annotation.bbox
    scale = min(3.0, rng.uniform(90, 200) / max(width, height))
    length = scale * max(width, height)
    to_x = WIDTH * (0.5 + rng.uniform(-0.2, 0.2)) + path(rng, 0.06 * WIDTH, 0.14 * WIDTH)
    to_y = HEIGHT * (0.5 + rng.uniform(-0.15, 0.15)) + path(rng, 0.05 * HEIGHT, 0.08 * HEIGHT)
    scales, angles = scale * np.exp(path(rng, 0.1, 0.25)), path(rng, 0.1, 0.15)
    stretch, shear = path(rng, 0.06, 0.05), path(rng, 0.06, 0.05)
    ground, _ = choose(objects, rng)
    ground_image = ground.load()
    ground_scale = 1.5 * max(HEIGHT / ground.height, WIDTH / ground.width)
    ground_x = WIDTH / 2 + path(rng, 0.06 * WIDTH, 0.12 * WIDTH)
    ground_y = HEIGHT / 2 + path(rng, 0.05 * HEIGHT, 0.08 * HEIGHT)
    other, board = choose(objects, rng)
    other_image, other_mask = other.load(), other.mask(board).astype(np.uint8) * np.uint8(255)
    bx, by, bw, bh = board.bbox
    other_scale = rng.uniform(0.6, 1.2) * length / max(bw, bh)
    middle, late = FRAMES // 2, rng.integers(-2, 3)
    speed = length * rng.uniform(0.12, 0.3) * rng.choice([-1, 1])
    frames, masks = [], []
    for number in range(FRAMES):
        matrix = place(
            x + width / 2,
            y + height / 2,
            to_x[number],
            to_y[number],
            scales[number],
            angles[number],
        )
        bend = np.array([[1 + stretch[number], shear[number], 0], [0, 1, 0], [0, 0, 1]])
        bend[0, 2] = to_x[number] - bend[0, :2] @ [to_x[number], to_y[number]]
        matrix = (bend @ np.vstack([matrix, [0, 0, 1]]))[:2]
        frame, shown = warp(image, matrix), warp(mask, matrix)
        if kind != "camera":
            at = place(
                ground.width / 2,
                ground.height / 2,
                ground_x[number],
                ground_y[number],
                ground_scale,
            )
            behind = cv2.warpAffine(
                ground_image, at, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REFLECT
            )
            frame = blend(np.asarray(behind, np.uint8), frame, shown)
        if kind == "hidden":
            to = to_x[middle] + speed * (number - middle - late)
            at = place(bx + bw / 2, by + bh / 2, to, to_y[middle], other_scale)
            covered = warp(other_mask, at)
            frame = blend(frame, warp(other_image, at), covered)
            shown = np.where(covered > 127, np.uint8(0), shown)
        if rng.random() < 0.3:
            frame = np.asarray(cv2.GaussianBlur(frame, (5, 5), 0), np.uint8)
        light = 1 + 0.1 * np.sin(number / 5 + seed)
        noisy = np.clip(frame * light + rng.normal(0, 3, frame.shape), 0, 255).astype(np.uint8)
        _, packed = cv2.imencode(".jpg", noisy, [cv2.IMWRITE_JPEG_QUALITY, 80])
        frames.append(np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR), np.uint8))
        masks.append(shown > 127)
    return kind, frames, masks


def blend(
    below: NDArray[np.uint8], above: NDArray[np.uint8], mask: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    share = np.asarray(cv2.GaussianBlur(mask, (3, 3), 0))[..., None] / 255
    return np.asarray(below * (1 - share) + above * share).astype(np.uint8)


def measure(videos: list[Video], tracker: Tracker) -> dict[str, float]:
    """Mean IoU over frames, by kind; the mean of those; the share of frames called lost."""
    ious: dict[str, list[float]] = {kind: [] for kind in KINDS}
    lost = []
    for kind, frames, masks in videos:
        tracker.start(frames[0], mask=masks[0])
        for frame, mask in zip(frames[1:], masks[1:], strict=True):
            answer = tracker.update(frame)
            ious[kind].append(mask_iou(answer.mask, mask))
            lost.append(answer.state == "lost")
    figures = {kind: float(np.mean(values)) for kind, values in ious.items()}
    return figures | {"mean": float(np.mean(list(figures.values()))), "lost": float(np.mean(lost))}


def table(rows: dict[str, dict[str, float]]) -> Table:
    """Mean IoU by kind of video, a row a configuration."""
    header = ["", *(f"`{kind}`" for kind in KINDS), "mean", "called lost"]
    cells = [
        [name, *(f"{100 * row[key]:.1f}" for key in (*KINDS, "mean")), f"{100 * row['lost']:.1f} %"]
        for name, row in rows.items()
    ]
    return Table("Simulated motion", header, cells)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--vary", default="", help=f"names, commas between: {','.join(OTHERS)}")
    parser.add_argument("--correcting", default="correcting")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    source = open_source(arguments.data)
    objects = [(p, a) for p in source for a in p.objects if not a.iscrowd]
    videos: list[Video] = []
    seed = 0
    while len(videos) < arguments.count:
        video = make_video(objects, seed)
        seed += 1
        if video[2][0].sum() >= LEAST_AREA:
            videos.append(video)
    default = TrackerConfig()
    configs = [("default", default)]
    configs += [
        (f"{name} {value}", dataclasses.replace(default, **{name: value}))
        for name in arguments.vary.split(",")
        for value in OTHERS.get(name, [])
    ]
    rows = {}
    for name, config in tqdm(configs, delay=5):
        tracker = Tracker.from_pretrained(threads=1, correcting=arguments.correcting, config=config)
        rows[name] = measure(videos, tracker)
        print(name, {key: round(100 * value, 1) for key, value in rows[name].items()}, flush=True)
    if arguments.json:
        content = {"count": len(videos), "rows": rows, "commit": git_commit()}
        tables = {"tables": {"motion": asdict(table(rows))}, "data": source.name}
        write_json(arguments.json, content | tables)


if __name__ == "__main__":
    main()
