"""The plots of a report, as SVG."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from picosam2.evaluation.report.published import PUBLISHED

PROMPTS = ("click", "box")
FIRST_MASK = {"click": "first_ms", "box": "first_box_ms"}
PUBLISHED_MARKERS = ("x", "+", "1", "2", "3", "4")
# Clicks.
MOST_SHOWN = 12
SIZES = ("small", "medium", "large")
# Equal figures give equal bytes.
STYLE: dict[Any, Any] = {"svg.hashsalt": "picosam2", "svg.fonttype": "none", "font.size": 9}


def accuracy_against(run: dict[str, Any], cost: str) -> str:
    """Click and box mIoU against ``time`` or ``parameters``, published figures beside them."""
    is_time = cost == "time"

    def draw(axes: list[Axes]) -> None:
        for axis, prompt in zip(axes, PROMPTS, strict=True):
            key = FIRST_MASK[prompt] if is_time else cost
            for number, segmenter in enumerate(run["segmenters"].values()):
                figures, value = segmenter["protocols"].get(prompt), segmenter["cost"][key]
                if figures is not None and value:
                    low, high = (100 * v for v in figures["ci95"])
                    colour = f"C{number}"
                    axis.plot([value] * 2, [low, high], color=colour)
                    axis.plot(
                        value, 100 * figures["miou"], "o", color=colour, label=segmenter["title"]
                    )
            for published, marker in zip(PUBLISHED, PUBLISHED_MARKERS, strict=True):
                value = published.milliseconds if is_time else published.parameters
                if value and published.protocol.startswith(prompt):
                    where = f"; {published.where}" if is_time else ""
                    label = f"published: {published.system} ({published.protocol}{where})"
                    axis.plot(value, published.miou, marker, color="black", label=label)
            axis.set_xscale("log")
            axis.margins(x=0.1, y=0.1)
            axis.set_xlabel("first mask, ms, one thread" if is_time else "parameters")
            axis.set_title(f"{prompt}: mIoU, points")
            axis.grid(alpha=0.3)
            axis.legend(fontsize=6.5, loc="upper left", bbox_to_anchor=(0, -0.16))

    return _svg(draw, 2, height=6.0)


def iou_histograms(run: dict[str, Any]) -> str:
    """How the objects' IoUs are spread."""

    def draw(axes: list[Axes]) -> None:
        for axis, prompt in zip(axes, PROMPTS, strict=True):
            for number, segmenter in enumerate(run["segmenters"].values()):
                if prompt in segmenter["objects"]:
                    axis.hist(
                        segmenter["objects"][prompt]["iou"],
                        bins=[step / 20 for step in range(21)],
                        histtype="step",
                        color=f"C{number}",
                        label=segmenter["title"],
                    )
            axis.set_xlabel("IoU")
            axis.set_title(f"{prompt}: objects")
        axes[0].legend(fontsize=7, ncols=3, loc="upper left", bbox_to_anchor=(0, -0.14))

    return _svg(draw, 2)


def size_bars(run: dict[str, Any]) -> str:
    """mIoU by the object's size."""  # noqa: D403 (the measure's name)

    def draw(axes: list[Axes]) -> None:
        shown = list(run["segmenters"].values())
        for axis, prompt in zip(axes, PROMPTS, strict=True):
            for number, segmenter in enumerate(shown):
                if prompt not in segmenter["protocols"]:
                    continue
                by_size = segmenter["protocols"][prompt]["by_size"]
                heights = [100 * (by_size[size]["miou"] or 0) for size in SIZES]
                places = np.arange(len(SIZES)) + (number - len(shown) / 2) * 0.8 / len(shown)
                width = 0.8 / len(shown)
                axis.bar(places, heights, width, color=f"C{number}", label=segmenter["title"])
            axis.set_xticks(range(len(SIZES)), SIZES)
            axis.set_title(f"{prompt}: mIoU, points, by size")
        axes[0].legend(fontsize=7, ncols=3, loc="upper left", bbox_to_anchor=(0, -0.14))

    return _svg(draw, 2)


def click_curves(run: dict[str, Any]) -> str:
    """The mean IoU after each click: on objects, and on damaged masks."""

    def draw(axes: list[Axes]) -> None:
        for axis, (protocol, first) in zip(axes, (("noc", 1), ("mask_fix", 0)), strict=True):
            for number, segmenter in enumerate(run["segmenters"].values()):
                found = segmenter["protocols"].get(protocol, {}).get("clicks")
                if found is not None:
                    curve = 100 * np.array(found["curve"][:MOST_SHOWN])
                    counts = np.arange(first, first + len(curve))
                    label = segmenter["title"]
                    axis.plot(counts, curve, "o-", markersize=3, color=f"C{number}", label=label)
            axis.set_xlabel("clicks")
            axis.set_title(f"{protocol}: mIoU, points")
            axis.grid(alpha=0.3)
        axes[0].legend(fontsize=7, ncols=3, loc="upper left", bbox_to_anchor=(0, -0.14))

    return _svg(draw, 2)


def calibration(run: dict[str, Any]) -> str:
    """The mean IoU of objects by their predicted IoU, in tenths; on the diagonal it is right."""

    def draw(axes: list[Axes]) -> None:
        for axis, prompt in zip(axes, PROMPTS, strict=True):
            axis.plot([0, 1], [0, 1], color="grey", linestyle=":")
            for number, segmenter in enumerate(run["segmenters"].values()):
                if prompt not in segmenter["objects"]:
                    continue
                scores, ious = (
                    np.array(segmenter["objects"][prompt][key]) for key in ("score", "iou")
                )
                if not np.ptp(scores):
                    continue
                bins = np.clip((scores * 10).astype(int), 0, 9)
                used = [b for b in range(10) if (bins == b).sum() >= 5]
                axis.plot(
                    [scores[bins == b].mean() for b in used],
                    [ious[bins == b].mean() for b in used],
                    "o-",
                    markersize=3,
                    color=f"C{number}",
                    label=segmenter["title"],
                )
            axis.set_xlabel("predicted IoU")
            axis.set_title(f"{prompt}: mean IoU (bins of at least 5 objects)")
        axes[0].legend(fontsize=7, ncols=3, loc="upper left", bbox_to_anchor=(0, -0.14))

    return _svg(draw, 2)


def _svg(draw: Callable[[list[Axes]], None], count: int, height: float = 4.2) -> str:
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(11, height), layout="constrained")
        draw(list(figure.subplots(1, count)))
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :]
