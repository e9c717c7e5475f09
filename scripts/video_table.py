"""The tables of docs/video.md, of measurements by ``picosam2 eval --protocol video``.

python scripts/video_table.py runs/report/video-*.json --json docs/results/video.json
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from picosam2.output import write_json
from picosam2.table import ABSENT, Table

PROMPTS = ("mask", "click", "box")
# J&F on all 30 sequences of DAVIS 2017 val, true first masks (arXiv 2501.07256, abstract).
PUBLISHED = (
    ("*published: EdgeTAM, DAVIS 2017 val, 16 frames a second of an iPhone 15 Pro Max*", "87.7"),
)


def video_tables(content: dict[str, Any]) -> dict[str, Table]:
    """By the names of their places: ``video`` (who follows) and ``sequences`` (the tracker)."""
    runs = {run["prompt"]: run["followers"] for run in content["runs"]}
    names = list(dict.fromkeys(name for followers in runs.values() for name in followers))
    rows = []
    for name in names:
        found = [runs.get(prompt, {}).get(name) for prompt in PROMPTS]
        shown = next(one for one in found if one is not None)
        cells = [
            ABSENT
            if one is None
            else f"**{100 * one['jf']:.1f}** ({100 * one['j']:.1f} / {100 * one['f']:.1f})"
            for one in found
        ]
        time = f"{shown['ms']['median']:.1f} / {shown['ms']['p95']:.1f}"
        rows.append([shown["title"], *cells, time])
    rows += [[title, value, ABSENT, ABSENT, ABSENT] for title, value in PUBLISHED]
    header = [
        "J&F (J / F)",
        *(f"first {prompt}" for prompt in PROMPTS),
        "ms a frame, median / 95 %",
    ]
    sequences = list(runs["mask"]["tracker"]["sequences"])
    own = [
        [
            sequence,
            *(
                f"{100 * runs[p]['tracker']['sequences'][sequence]['jf']:.1f}"
                if p in runs
                else ABSENT
                for p in PROMPTS
            ),
        ]
        for sequence in sequences
    ]
    return {
        "video": Table("Objects followed", header, rows),
        "sequences": Table("The tracker, J&F", ["", *PROMPTS], own),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--json", type=Path, required=True)
    arguments = parser.parse_args()
    runs = [json.loads(path.read_text()) for path in arguments.runs]
    for run in runs:
        for follower in run["followers"].values():
            for sequence in follower["sequences"].values():
                sequence["ious"] = [round(iou, 3) for iou in sequence["ious"]]
    first = runs[0]
    write_json(
        arguments.json,
        {"runs": runs} | {key: first[key] for key in ("weights_sha256", "correcting_sha256")},
    )


if __name__ == "__main__":
    main()
