"""Print README's table of results from the shipped weights' manifest.

python scripts/results_table.py
"""

from __future__ import annotations

import json
from typing import Any

from picosam2.weights import model_path

SPLITS = {"coco-val": "COCO", "lvis-val": "LVIS"}
PROTOCOLS = {
    "crop96": "`crop96`: the paper's crop of 96 native pixels",
    "paper96": "`paper96`: the same, cut as the paper's code does",
    "click": "`click`: one click, IoU over the whole image",
    "box": "`box`: one box, IoU over the whole image",
}


def cell(figures: dict[str, Any]) -> str:
    """MIoU, its 95 % interval and mAP, in points."""
    low, high = figures["ci95"]
    return (
        f"**{100 * figures['miou']:.1f}** ({100 * low:.1f}–{100 * high:.1f}) / "
        f"{100 * figures['map']:.1f}"
    )


def main() -> None:
    metrics = json.loads(model_path("safetensors").with_name("manifest.json").read_text())[
        "metrics"
    ]
    columns = [(split, precision) for split in SPLITS for precision in ("int8", "fp32")]
    titles = [f"{SPLITS[split]}, {precision.upper()}" for split, precision in columns]
    print("| protocol | " + " | ".join(titles) + " |")
    print("|---" * (len(columns) + 1) + "|")
    for name, title in PROTOCOLS.items():
        cells = [cell(metrics[split][kind]["protocols"][name]) for split, kind in columns]
        print(f"| {title} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
