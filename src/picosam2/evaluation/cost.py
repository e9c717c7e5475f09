"""What an answer costs: time, memory, size, arithmetic."""

from __future__ import annotations

import statistics
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from picosam2.data.rle import rle_bbox
from picosam2.evaluation.memory import in_own_process, peak_of_a_click
from picosam2.evaluation.peers import open_segmenter
from picosam2.evaluation.run import Groups
from picosam2.evaluation.segmenter import PredictorSegmenter, Segmenter
from picosam2.graph_costs import count_macs, count_parameters
from picosam2.masks import most_interior_pixel

PHOTOGRAPHS = 10

Point = tuple[float, float]
Box = tuple[float, float, float, float]
Prompts = tuple[NDArray[np.uint8], list[Point], Box]


def measure_costs(names: list[str], groups: Groups, seed: int) -> dict[str, dict[str, Any]]:
    """Costs of segmenters, one thread each.

    Args:
        names: for ``open_segmenter``.
        groups: photographs with objects to click; ten with at least two are taken.
        seed: of their choice.

    Returns:
        By name: ``first_ms`` (from the decoded photograph to the mask of a click), ``next_ms`` (of
        another click on it), ``first_box_ms`` (from the decoded photograph to the mask of a box),
        medians over the photographs, the segmenters taking turns;
        ``peak_bytes`` (resident, of a process that answers one click), ``file_bytes``,
        ``parameters``, ``first_macs`` and ``next_macs``; None where there is no such figure.

    Raises:
        InputError: a photograph cannot be read, or a process died.
    """
    prompts = _choose_prompts(groups, seed)
    segmenters = {name: open_segmenter(name, threads=1) for name in names}
    steps = tqdm(total=(len(prompts) + 2) * len(names), desc="measuring costs", unit="step")
    times: dict[str, list[tuple[float, float, float]]] = {name: [] for name in names}
    passes: dict[str, list[int]] = {name: [] for name in names}
    with steps, threadpool_limits(1):
        # The first round warms up and does not count.
        for image, points, box in [prompts[0], *prompts]:
            for name, segmenter in segmenters.items():
                times[name].append(_time_prompts(segmenter, image, points, box))
                if isinstance(segmenter, PredictorSegmenter):
                    passes[name].append(segmenter.predictor.forward_passes)
                steps.update()
        costs = {}
        image, points, _ = prompts[0]
        for name, segmenter in segmenters.items():
            first, following, first_box = zip(*times[name][1:], strict=True)
            costs[name] = {
                "first_ms": round(statistics.median(first), 2),
                "next_ms": round(statistics.median(following), 2),
                "first_box_ms": round(statistics.median(first_box), 2),
                "photographs": len(prompts),
                "peak_bytes": in_own_process(peak_of_a_click, name, image, points[0]),
                **_graph_costs(segmenter, float(np.mean(passes[name][1:] or [1]))),
            }
            steps.update()
    return costs


def _choose_prompts(groups: Groups, seed: int) -> list[Prompts]:
    """Photographs, the most interior pixels of two of their objects, and the first one's box."""
    order = np.random.default_rng(seed).permutation(len(groups))
    # Where no photograph has two objects, the one is clicked twice.
    chosen = sorted(order, key=lambda index: len(groups[index][1]) < 2)[:PHOTOGRAPHS]
    prompts = []
    for photograph, group in (groups[index] for index in chosen):
        pixels = [most_interior_pixel(photograph.mask(a)) for a in (group * 2)[:2]]
        assert group[0].segmentation is not None
        # Of the mask: annotated boxes may be empty.
        x, y, width, height = rle_bbox(group[0].segmentation)
        box = (x, y, x + width, y + height)
        prompts.append((photograph.load(), [(x + 0.5, y + 0.5) for x, y in pixels], box))
    return prompts


def _time_prompts(
    segmenter: Segmenter, image: NDArray[np.uint8], points: list[Point], box: Box
) -> tuple[float, float, float]:
    """Milliseconds to the first mask by a click, of the next one, and to the first one by a box."""
    marks = [time.perf_counter()]
    for ask in (
        lambda: segmenter.set_image(image),
        lambda: segmenter.box(box),
        lambda: segmenter.click(*points[1]),
        lambda: segmenter.click(*points[0]),
    ):
        ask()
        marks.append(time.perf_counter())
    embedding, by_box, following, by_click = 1e3 * np.diff(marks)
    return embedding + by_click, following, embedding + by_box


def _graph_costs(segmenter: Segmenter, passes: float) -> dict[str, Any]:
    once, every = segmenter.image_graphs, segmenter.prompt_graphs
    if not once + every:
        return dict.fromkeys(("file_bytes", "parameters", "first_macs", "next_macs"))
    following = round(passes * sum(count_macs(graph) for graph in every))
    return {
        "file_bytes": sum(graph.path.stat().st_size for graph in once + every),
        "parameters": sum(count_parameters(graph) for graph in once + every),
        "first_macs": sum(count_macs(graph) for graph in once) + following,
        "next_macs": following,
    }
