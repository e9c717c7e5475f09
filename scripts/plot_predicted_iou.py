"""Draw how right the predicted IoU is: the true mean IoU of objects by their predicted one.

python scripts/plot_predicted_iou.py runs/report/coco-val docs/predicted-iou.svg
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from picosam2.evaluation.report.plots import calibration
from picosam2.files import replacing
from picosam2.weights import DEFAULT_MODEL

SHOWN = (DEFAULT_MODEL, "sam2-tiny", "mobilesam")


def main() -> None:
    folder, out = Path(sys.argv[1]), Path(sys.argv[2])
    run = json.loads((folder / "run.json").read_bytes())
    found = run["segmenters"]
    run["segmenters"] = {name: found[name] for name in SHOWN if name in found}
    with replacing(out) as temporary:
        temporary.write_text(calibration(run))


if __name__ == "__main__":
    main()
