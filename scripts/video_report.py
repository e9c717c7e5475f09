"""IoU over time of each sequence, and a sheet of frames with the tracker's masks.

    python scripts/video_report.py runs/report/video-*.json --data DAVIS --out runs/report/video

Writes ``iou.svg`` (a panel a sequence; a colour a follower, dashed from a click, dotted from a box)
and ``sheet.jpg``, whose frames are the data's: it stays out of the repository.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image

from picosam2.evaluation.video import find_sequences, make_prompt, read_sequence
from picosam2.evaluation.video_peers import TITLES
from picosam2.files import replacing
from picosam2.video import Tracker

STYLES = {"mask": "-", "click": "--", "box": ":"}
# Frames of each sequence on the sheet, and their width in pixels.
SHOWN, WIDTH = 6, 320
TINT = np.array([255, 64, 0], np.float32)


def draw_curves(runs: list[dict], out: Path) -> None:
    followers = [(run["prompt"], name, f) for run in runs for name, f in run["followers"].items()]
    sequences = list(followers[0][2]["sequences"])
    rows = -(-len(sequences) // 2)
    figure, axes = plt.subplots(rows, 2, figsize=(11, 2.2 * rows), sharey=True, squeeze=False)
    colours = {name: f"C{place}" for place, name in enumerate(TITLES)}
    for panel, sequence in zip(axes.flat, sequences, strict=False):
        for prompt, name, found in followers:
            ious = found["sequences"][sequence]["ious"]
            label = TITLES[name] if prompt == runs[0]["prompt"] else None
            panel.plot(ious, STYLES[prompt], color=colours[name], linewidth=1, label=label)
        panel.set_title(sequence, fontsize=9)
        panel.set_ylim(0, 1)
    handles, labels = axes.flat[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="lower center", ncol=2, fontsize=8)
    figure.supylabel("IoU of the mask (solid: begun with a mask, dashed: a click, dotted: a box)")
    figure.tight_layout(rect=(0, 0.06, 1, 1))
    with replacing(out) as path:
        figure.savefig(path, format="svg")


def draw_sheet(data: Path, out: Path) -> None:
    rows = []
    tracker = Tracker.from_pretrained()
    for folder in find_sequences(data):
        sequence = read_sequence(folder)
        truths = next(iter(sequence.masks.values()))
        wanted = set(np.linspace(0, len(truths) - 1, SHOWN).round().astype(int).tolist())
        tiles = []
        for number, frame in sequence.frames.play():
            answer = (
                tracker.update(frame)
                if number
                else tracker.start(frame, **make_prompt(truths[0], "click"))
            )
            if number in wanted:
                tinted = frame.astype(np.float32)
                tinted[answer.mask] = 0.5 * tinted[answer.mask] + 0.5 * TINT
                height = round(WIDTH * frame.shape[0] / frame.shape[1])
                tiles.append(Image.fromarray(tinted.astype(np.uint8)).resize((WIDTH, height)))
        rows.append(np.concatenate([np.asarray(tile) for tile in tiles], axis=1))
    least = min(row.shape[1] for row in rows)
    sheet = Image.fromarray(np.concatenate([row[:, :least] for row in rows]))
    with replacing(out) as path:
        sheet.save(path, format="JPEG", quality=88)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    draw_curves(
        [json.loads(path.read_text()) for path in arguments.runs], arguments.out / "iou.svg"
    )
    draw_sheet(arguments.data, arguments.out / "sheet.jpg")


if __name__ == "__main__":
    main()
