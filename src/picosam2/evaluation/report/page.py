"""A report as HTML and as Markdown."""

from __future__ import annotations

import html
import re
import shlex
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from picosam2.errors import InputError
from picosam2.evaluation.report.gallery import make_gallery
from picosam2.evaluation.report.plots import (
    accuracy_against,
    calibration,
    click_curves,
    iou_histograms,
    size_bars,
)
from picosam2.evaluation.report.tables import count_objects
from picosam2.table import Table

TEMPLATE = "page.html.j2"


def render_markdown(tables: list[Table], runs: list[dict[str, Any]]) -> str:
    """Tables and what they were made by."""
    parts = [f"## {table.title}\n\n{table.markdown()}" for table in tables]
    parts.append("## How this was measured\n\n" + "\n".join(f"- {line}" for line in _foot(runs)))
    return "# PicoSAM2: measured\n\n" + "\n".join(parts) + "\n"


def render_html(tables: list[Table], runs: list[dict[str, Any]], folders: list[Path]) -> str:
    """One page that needs nothing else."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), undefined=StrictUndefined, autoescape=True
    )
    environment.filters["inline"] = _inline
    sections = [
        {
            "title": run["data"]["folder"],
            "plots": {
                "Accuracy against time (log axis; crosses: published by others, as marked)": (
                    accuracy_against(run, "time")
                ),
                "Accuracy against size (log axis; crosses: published by others, as marked)": (
                    accuracy_against(run, "parameters")
                ),
                "How the IoUs are spread": iou_histograms(run),
                "By size (small < 32² ≤ medium < 96² ≤ large, pixels of the mask)": size_bars(run),
                "Calibration of the predicted IoU": calibration(run),
            },
        }
        for run in runs
        if _asks(run, {"click", "box"})
    ]
    sections += [
        {"title": run["data"]["folder"], "plots": {"Clicks against IoU": click_curves(run)}}
        for run in runs
        if _asks(run, {"noc", "mask_fix"})
    ]
    galleries = [_gallery(run, folder) for run, folder in zip(runs, folders, strict=True)]
    return environment.get_template(TEMPLATE).render(
        tables=tables, sections=sections, galleries=galleries, foot=_foot(runs)
    )


def _asks(run: dict[str, Any], protocols: set[str]) -> bool:
    return any(protocols & s["protocols"].keys() for s in run["segmenters"].values())


def _gallery(run: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Its title and pictures, or why there are none."""
    title = run["data"]["folder"]
    try:
        return {"title": title, "pictures": make_gallery(run, folder), "missing": None}
    except InputError as error:
        return {"title": title, "pictures": {}, "missing": str(error)}


def _foot(runs: list[dict[str, Any]]) -> list[str]:
    return [_how(run) for run in runs]


def _how(run: dict[str, Any]) -> str:
    data, machine = run["data"], run["machine"]
    return (
        f"{data['folder']} (SHA-256 {data['sha256'][:16]}…, seed {run['seed']}, "
        f"{count_objects(run)} objects{_selection(data)}): "
        f"`picosam2 {shlex.join(run['command'])}`, commit {run['commit'] or 'unknown'}, "
        f"{machine['processor']}, {machine['system']}, "
        + ", ".join(f"{name} {version}" for name, version in run["versions"].items())
    )


def _selection(data: dict[str, Any]) -> str:
    """What was taken of a public annotation file."""
    if "first" not in data:
        return ""
    first = f"the first {data['first']}" if data["first"] else "all"
    return (
        f", {first} of the file without {data['left_out_objects']} of "
        f"{data['left_out_photographs']} photographs that the weights have seen"
    )


def _inline(text: str) -> str:
    """Markdown's bold, emphasis and code inside a cell."""
    text = html.escape(text)
    for mark, tag in ((r"\*\*", "b"), (r"\*", "i"), ("`", "code")):
        text = re.sub(rf"{mark}(.+?){mark}", rf"<{tag}>\1</{tag}>", text)
    return text
