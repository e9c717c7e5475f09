"""Put the tables of docs/results/*.json into the documents, where comments mark their places.

python scripts/fill_tables.py
"""

from __future__ import annotations

import json
import re
from hashlib import sha256
from pathlib import Path
from typing import Any

import distillation_table
import tries
import video_table

from picosam2.evaluation.report.tables import clicks_tables, document_tables, predicted_iou_table
from picosam2.export.fit import fit_table, targets_table
from picosam2.files import replacing
from picosam2.table import Table
from picosam2.weights import BUNDLED, CORRECTING, FAMILIES, model_path, weights_path

ROOT = Path(__file__).parent.parent
RESULTS = (
    *("report", "clicks", "video", "motion", "edge"),
    *("prompt_steps", "box_bounds", "distillation", "tries"),
)
DOCUMENTS = [
    ROOT / "README.md",
    *(ROOT / "docs" / f"{name}.md" for name in ("results", "prompts", "training", "video")),
]


def main() -> None:
    tables = read_tables()
    for path in DOCUMENTS:
        with replacing(path) as temporary:
            temporary.write_text(fill(path.read_text(), tables))
    for name in stale_tables():
        print(f"docs/results/{name}.json was not measured with the shipped weights: make it again")


def read_tables() -> dict[str, Table]:
    """Every table of the results, by the name of its place."""
    report, clicks, video, motion, edge, steps, bounds, distillation, tried = map(read, RESULTS)
    return {
        **document_tables(report["runs"]),
        **clicks_tables(clicks["runs"]),
        "predicted-iou": predicted_iou_table(report["runs"]),
        "edge": fit_table(edge["rows"]),
        "targets": targets_table(edge["rows"]),
        "outside": Table(**bounds["tables"]["outside"]),
        **{f"{name}-steps": Table(**table) for name, table in steps["tables"].items()},
        **{
            f"distillation-{split}": distillation_table.table(distillation["results"], split)
            for split in distillation_table.SPLITS
        },
        "tries": tries.table(tried["tries"]),
        **video_table.video_tables(video),
        "motion": Table(**motion["tables"]["motion"]),
    }


def stale_tables() -> list[str]:
    """The results that are not (all) of the shipped weights, by name."""
    models = {sha256(model_path(name).read_bytes()).hexdigest() for name in BUNDLED | CORRECTING}
    weights = {sha256(weights_path(family).read_bytes()).hexdigest() for family in FAMILIES}
    measured = {
        **{
            name: {
                segmenter[key]
                for run in read(name)["runs"]
                for segmenter in run["segmenters"].values()
                for key in keys
                if key in segmenter
            }
            - models
            for name, keys in (
                ("report", ["weights_sha256"]),
                ("clicks", ["weights_sha256", "correcting_sha256"]),
            )
        },
        "video": {read("video")["weights_sha256"], read("video")["correcting_sha256"]} - models,
        "edge": {row.get("weights_sha256") for row in read("edge")["rows"]} - weights,
        "prompt_steps": {read("prompt_steps")["weights_sha256"]} - models,
        "box_bounds": {read("box_bounds")["weights_sha256"]} - models,
    }
    return [name for name, others in measured.items() if others]


def read(name: str) -> dict[str, Any]:
    """A file of docs/results."""
    content: dict[str, Any] = json.loads((ROOT / "docs" / "results" / f"{name}.json").read_text())
    return content


def fill(text: str, tables: dict[str, Table]) -> str:
    """The text with every marked place filled.

    Raises:
        SystemExit: a place has no end, or there is no such table.
    """
    place = re.compile(r"<!-- ([\w-]+) -->\n((?:\|.*\n)*)(?=<!-- end -->)")
    if wrong := set(re.findall(r"<!-- ([\w-]+) -->", text)) - {*tables, "end"}:
        raise SystemExit(f"there are no tables {sorted(wrong)}")
    if 2 * len(place.findall(text)) != text.count("<!-- "):
        raise SystemExit("a <!-- name --> is not followed by a table's lines and <!-- end -->")
    return place.sub(lambda m: f"<!-- {m[1]} -->\n{tables[m[1]].markdown()}", text)


if __name__ == "__main__":
    main()
