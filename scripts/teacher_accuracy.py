"""How well the teacher's answers agree with the human masks: what a student could learn at best.

picosam2 data import coco ../shared/data/coco-val --out shards/coco-val
picosam2 label shards/coco-val --out labels/coco-val
python scripts/teacher_accuracy.py labels/coco-val
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from tqdm import tqdm

from picosam2.data.rle import decode_rle
from picosam2.data.source import open_source
from picosam2.evaluation.metrics import summarise
from picosam2.masks import mask_iou
from picosam2.output import write_json


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("labels", help="labelled shards with human masks")
    parser.add_argument("--json", type=Path, help="write the figures there")
    parser.add_argument("--seed", type=int, default=0, help="of the intervals")
    arguments = parser.parse_args()
    source = open_source(arguments.labels)
    rows = []
    for photograph in tqdm(source, unit="image"):
        for annotation in photograph.objects:
            if annotation.source != "human" or not annotation.teacher:
                continue
            truth = photograph.mask(annotation)
            if truth.any():
                answers = {"box" if t.box else "click": t for t in annotation.teacher}
                ious = [
                    mask_iou(decode_rle(answers[name].segmentation), truth)
                    for name in ("click", "box")
                ]
                predicted = [answers[name].predicted_iou for name in ("click", "box")]
                rows.append((truth.sum(), *ious, *predicted))
    areas, click, box, *predicted = np.array(rows).T
    report = {"sha256": source.digest, "protocols": {}}
    for name, ious, own in zip(("click", "box"), (click, box), predicted, strict=True):
        figures = summarise(ious, areas, arguments.seed)
        figures["predicted_iou_error"] = float(np.abs(own - ious).mean())
        report["protocols"][name] = figures
        sizes = {size: round(part["miou"] * 100, 1) for size, part in figures["by_size"].items()}
        low, high = figures["ci95"]
        print(
            f"{name}: mIoU {figures['miou'] * 100:.1f} [{low * 100:.1f}, {high * 100:.1f}], "
            f"mAP {figures['map'] * 100:.1f}, n {figures['n']}, {sizes}"
        )
    if arguments.json:
        write_json(arguments.json, report)


if __name__ == "__main__":
    main()
