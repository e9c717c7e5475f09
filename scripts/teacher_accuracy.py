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

from picosam2.data.photograph import is_sure
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
    areas: list[int] = []
    answers: dict[str, list[tuple[float, float, bool]]] = {"click": [], "box": []}
    for photograph in tqdm(source, unit="image"):
        for annotation in photograph.objects:
            if annotation.source != "human" or not annotation.teacher:
                continue
            truth = photograph.mask(annotation)
            if truth.any():
                areas.append(int(truth.sum()))
                for answer in annotation.teacher:
                    iou = mask_iou(decode_rle(answer.segmentation), truth)
                    row = (iou, answer.predicted_iou, is_sure(answer))
                    answers["box" if answer.box else "click"].append(row)
    report = {"sha256": source.digest, "protocols": {}}
    for name, rows in answers.items():
        ious, predicted, sure = np.array(rows).T
        sure = sure > 0
        figures = summarise(ious, np.array(areas), arguments.seed) | {
            "predicted_iou_error": float(np.abs(predicted - ious).mean()),
            "trained_on": {"share": float(sure.mean()), "miou": float(ious[sure].mean())},
            "left_out": {"share": float((~sure).mean()), "miou": float(ious[~sure].mean())},
        }
        report["protocols"][name] = figures
        sizes = {size: round(part["miou"] * 100, 1) for size, part in figures["by_size"].items()}
        low, high = figures["ci95"]
        print(
            f"{name}: mIoU {figures['miou'] * 100:.1f} [{low * 100:.1f}, {high * 100:.1f}], "
            f"mAP {figures['map'] * 100:.1f}, n {figures['n']}, {sizes}"
        )
        print(
            f"  trained on: {sure.mean() * 100:.1f} %, mIoU {ious[sure].mean() * 100:.1f}; "
            f"left out: mIoU {ious[~sure].mean() * 100:.1f}, "
            f"{(~sure & (ious < 0.5)).sum()} of the {(ious < 0.5).sum()} below 0.5 "
            f"and {(~sure & (ious > 0.8)).sum()} of the {(ious > 0.8).sum()} above 0.8"
        )
    if arguments.json:
        write_json(arguments.json, report)


if __name__ == "__main__":
    main()
