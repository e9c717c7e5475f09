"""The tables of a report, as rows of text; the documents' are the same."""

from __future__ import annotations

from typing import Any

from picosam2.evaluation.report.published import PUBLISHED_JITTER
from picosam2.table import ABSENT, Table

CROPS = {
    "crop96": "`crop96`: the paper's crop of 96 native pixels",
    "paper96": "`paper96`: the same, cut as the paper's code does",
    "click": "`click`: one click, IoU over the whole image",
    "box": "`box`: one box, IoU over the whole image",
}
# Targets and numbers of clicks.
NOC, CLICKS = (80, 85, 90), (1, 2, 3, 5, 8)
JITTER = {0: "box", 5: "box_j05", 10: "box_j10", 20: "box_j20", 30: "box_j30"}


def make_tables(runs: list[dict[str, Any]]) -> list[Table]:
    """Every table that the runs have figures for."""
    tables = [_protocols(runs)]
    for run in runs:
        if _has(run, "click") or _has(run, "box"):
            tables += [_accuracy(run), _costs(run)]
        if _has(run, "box_j10"):
            tables.append(_jitter(run))
        tables += [_clicks(run), _fixes(run)]
    return [table for table in tables if table.rows]


def document_tables(runs: list[dict[str, Any]]) -> dict[str, Table]:
    """The tables that README and ``docs/results.md`` show, by the names of their places there.

    Args:
        runs: of ``docs/results/report.json``: the first with peers and jittered boxes.
    """
    networks = {
        key: segmenter
        for key, segmenter in runs[0]["segmenters"].items()
        if segmenter["cost"]["parameters"] and not key.endswith("-fp32")
    }
    brief = runs[0] | {"segmenters": networks}
    return {
        "protocols": _protocols(runs),
        "accuracy": _accuracy(runs[0]),
        "costs": _costs(runs[0]),
        "jitter": _jitter(runs[0]),
        "quality": _accuracy(brief).choose(["", "click", "box"]),
        "cost": _costs(brief).choose(
            ["", "first click, ms", "peak memory, MB", "files, MB", "parameters, M"]
        ),
    }


def clicks_tables(runs: list[dict[str, Any]]) -> dict[str, Table]:
    """What several clicks do, by the names of the tables' places in ``docs/prompts.md``.

    Args:
        runs: of ``docs/results/clicks.json``.
    """
    tables: dict[str, Table] = {}
    for run in runs:
        name = run["data"]["folder"]
        tables |= {f"clicks-{name}": _clicks(run), f"fixes-{name}": _fixes(run)}
    return {name: table for name, table in tables.items() if table.rows}


def predicted_iou_table(runs: list[dict[str, Any]]) -> Table:
    """How well each network that is no floor foresees its IoU: the runs with clicks and boxes."""
    rows = []
    for run in runs:
        for segmenter in run["segmenters"].values():
            figures = [segmenter["protocols"].get(name, {}) for name in ("click", "box")]
            if all(f.get("predicted_iou_rank_correlation") is not None for f in figures):
                cells = [
                    f"{f['predicted_iou_error']:.3f} / {f['predicted_iou_rank_correlation']:.2f}"
                    for f in figures
                ]
                rows.append([run["data"]["folder"], segmenter["title"], *cells])
    title = "Mean error of the predicted IoU / its rank correlation with the true one"
    return Table(title, ["data", "", "click", "box"], rows)


def _protocols(runs: list[dict[str, Any]]) -> Table:
    """Our own networks by protocol, a column a data set and network."""
    columns = [
        (run, segmenter)
        for run in runs
        for segmenter in run["segmenters"].values()
        if segmenter["name"] == "PicoSAM2"
    ]
    header = ["protocol"] + [
        f"{run['data']['folder']}, {segmenter['title'].removeprefix('PicoSAM2 ')}"
        for run, segmenter in columns
    ]
    rows = [
        [title, *(_cell(segmenter["protocols"].get(name)) for _, segmenter in columns)]
        for name, title in CROPS.items()
        if any(name in segmenter["protocols"] for _, segmenter in columns)
    ]
    return Table("mIoU (95 % interval) / mAP, in points", header, rows)


def _accuracy(run: dict[str, Any]) -> Table:
    header = [
        "", "click", "small", "medium", "large", "boundary", "below 0.5",
        "box", "small", "medium", "large", "boundary", "below 0.5",
    ]  # fmt: skip
    rows = []
    for segmenter in run["segmenters"].values():
        row = [segmenter["title"]]
        for name in ("click", "box"):
            figures = segmenter["protocols"].get(name)
            row.append(_cell(figures))
            if figures is None:
                row += [ABSENT] * 5
                continue
            row += [_points(figures["by_size"][s]["miou"]) for s in ("small", "medium", "large")]
            row += [_points(figures["boundary_miou"]), _percent(figures.get("below_half"))]
        rows.append(row)
    title = f"{run['data']['folder']}: mIoU of {count_objects(run)} objects, whole image"
    return Table(title, header, rows)


def _costs(run: dict[str, Any]) -> Table:
    header = [
        "", "first click, ms", "next click, ms", "first box, ms", "peak memory, MB", "files, MB",
        "parameters, M", "first click, M MACs", "next click, M MACs",
    ]  # fmt: skip
    rows = []
    for segmenter in run["segmenters"].values():
        cost = segmenter["cost"]
        rows.append(
            [
                segmenter["title"],
                _number(cost["first_ms"]),
                _number(cost["next_ms"]),
                _number(cost["first_box_ms"]),
                _number(cost["peak_bytes"], 1e6),
                _number(cost["file_bytes"], 1e6),
                _number(cost["parameters"], 1e6),
                _number(cost["first_macs"], 1e6),
                _number(cost["next_macs"], 1e6),
            ]
        )
    title = f"{run['data']['folder']}: one thread, {run['machine']['processor']}"
    return Table(title, header, rows)


def _jitter(run: dict[str, Any]) -> Table:
    header = ["mIoU with each side of the box moved by up to", *(f"{j} %" for j in JITTER)]
    rows = [
        [segmenter["title"]]
        + [_cell(segmenter["protocols"].get(name), brief=True) for name in JITTER.values()]
        for segmenter in run["segmenters"].values()
        if "box_j10" in segmenter["protocols"]
    ]
    published = [f"{PUBLISHED_JITTER[j]:.1f}" for j in JITTER]
    rows.append(["*published: PicoSAM3, in the crop, other photographs*", *published])
    return Table(f"{run['data']['folder']}: jittered boxes", header, rows)


def _clicks(run: dict[str, Any]) -> Table:
    """How many clicks an IoU takes, and how good masks are after so many."""
    header = ["", *(f"NoC{goal}" for goal in NOC), *map(_after, CLICKS), "worse"]
    rows = []
    for segmenter in run["segmenters"].values():
        found = segmenter["protocols"].get("noc", {}).get("clicks")
        if found is None:
            continue
        counts = [
            f"{found[f'noc{goal}']['mean']:.2f} ({100 * found[f'noc{goal}']['failed']:.0f} %)"
            for goal in NOC
        ]
        curve = [_points(found["curve"][count - 1]) for count in CLICKS]
        worse = f"{100 * max(found['worse'][: CLICKS[-1]]):.0f} %"
        rows.append([segmenter["title"], *counts, *curve, worse])
    title = (
        f"{run['data']['folder']}: mean clicks until an IoU (objects that 20 do not bring there), "
        "mIoU after so many, most objects that one of these cost over 0.02 of IoU"
    )
    return Table(title, header, rows)


def _fixes(run: dict[str, Any]) -> Table:
    """What clicks on a damaged mask do."""
    header = ["", "damaged", *map(_after, CLICKS), "worse"]
    rows = []
    for segmenter in run["segmenters"].values():
        found = segmenter["protocols"].get("mask_fix", {}).get("clicks")
        if found is not None:
            curve = [_points(found["curve"][count]) for count in (0, *CLICKS)]
            worse = f"{100 * max(found['worse'][: CLICKS[-1]]):.1f} %"
            rows.append([segmenter["title"], *curve, worse])
    title = f"{run['data']['folder']}: mIoU of damaged masks that are corrected by clicks"
    return Table(title, header, rows)


def _after(count: int) -> str:
    return "1 click" if count == 1 else f"{count} clicks"


def count_objects(run: dict[str, Any]) -> int:
    """How many objects were measured."""
    first = next(iter(run["segmenters"].values()))
    return int(max(figures["n"] for figures in first["protocols"].values()))


def _has(run: dict[str, Any], protocol: str) -> bool:
    return any(protocol in segmenter["protocols"] for segmenter in run["segmenters"].values())


def _cell(figures: dict[str, Any] | None, brief: bool = False) -> str:
    if figures is None:
        return ABSENT
    if brief:
        return _points(figures["miou"])
    low, high = figures["ci95"]
    return (
        f"**{_points(figures['miou'])}** ({_points(low)}–{_points(high)}) / "
        f"{_points(figures['map'])}"
    )


def _points(value: float | None) -> str:
    return ABSENT if value is None else f"{100 * value:.1f}"


def _percent(share: float | None) -> str:
    """Runs before this was counted have none."""
    return ABSENT if share is None else f"{100 * share:.0f} %"


def _number(value: float | None, unit: float = 1) -> str:
    """Three digits, as many as such measurements bear."""
    if value is None:
        return ABSENT
    value /= unit
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
