"""The same network on several engines: time and masks, side by side."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from picosam2.errors import InputError
from picosam2.evaluation.memory import in_own_process, peak_resident_bytes
from picosam2.masks import mask_iou
from picosam2.predictor import Predictor
from picosam2.prompt import Crop, cut
from picosam2.runtime import Corrector, Runtime
from picosam2.runtime.engines import ENGINES, ask_one_crop, find_model, open_network, open_runtime
from picosam2.table import Table
from picosam2.weights import BUNDLED

WARM_UP = 3


def list_models(files: list[Path]) -> list[tuple[str, str | Path]]:
    """Engines and weights that can be run here: the models in the package, and files.

    Args:
        files: exported models.

    Raises:
        InputError: no installed engine runs one of them.
    """
    weights: list[str | Path] = [*BUNDLED, *files]
    found = [(n, w) for w in weights for n in ENGINES if find_model(w, n) is not None]
    able = [(name, model) for name, model in found if ENGINES[name].is_installed]
    for file in files:
        if not any(model == file for _, model in able):
            wanted = " or ".join(name for name, model in found if model == file)
            missing = f"{wanted} is not installed" if wanted else "no engine runs such files"
            raise InputError(f"cannot run {file}: {missing}")
    return able


def measure_engines(
    models: list[tuple[str, str | Path]],
    image: NDArray[np.uint8],
    point: tuple[float, float],
    threads: int,
    rounds: int,
) -> list[dict[str, Any]]:
    """Time models in turns, and compare their masks.

    Args:
        models: engines and weights.
        image: H×W×3 uint8 RGB.
        point: a click on it, in pixels.
        threads: CPU threads; 0 for all cores.
        rounds: how often each is timed.

    Returns:
        One row a model: ``engine``, ``weights``, ``crop_ms`` (one crop), ``click_ms`` (from decoded
        photograph to full-size mask), medians; ``ratio`` of ``crop_ms`` to the first model's, and
        ``mask_iou`` of its mask with the first model's, in one crop around the point: which of a
        click's scales is chosen hangs on small differences.

    Raises:
        InputError: a model is broken.
    """
    runtimes = [open_runtime(weights, engine, threads) for engine, weights in models]
    predictors = [Predictor(runtime) for runtime in runtimes]
    crop = cut(image, Crop(*point, min(image.shape[:2])))
    masks = [runtime(crop[None])[0][0] > 0 for runtime in runtimes]
    clicks = time_in_turns([_clicking(p, image, point) for p in predictors], threads, rounds)
    times = time_crops(runtimes, threads, rounds)
    return [
        {
            "engine": engine,
            "weights": str(weights),
            "crop_ms": round(crop_time, 3),
            "ratio": round(crop_time / times[0], 3),
            "click_ms": round(click_time, 2),
            "mask_iou": round(mask_iou(mask, masks[0]), 4),
        }
        for (engine, weights), crop_time, click_time, mask in zip(
            models, times, clicks, masks, strict=True
        )
    ]


def bench_table(rows: list[dict[str, Any]]) -> Table:
    """The rows of ``measure_engines``, for people."""
    header = ["engine", "weights", "one crop, ms", "ratio", "one click, ms", "mask IoU"]
    cells = [
        [
            row["engine"],
            row["weights"],
            f"{row['crop_ms']:.2f}",
            f"{row['ratio']:.2f}",
            f"{row['click_ms']:.1f}",
            f"{row['mask_iou']:.3f}",
        ]
        for row in rows
    ]
    return Table("Engines", header, cells)


def time_crops(networks: Sequence[Runtime | Corrector], threads: int, rounds: int) -> list[float]:
    """Milliseconds that each takes for one crop: medians, taking turns."""
    return time_in_turns([partial(ask_one_crop, network) for network in networks], threads, rounds)


def time_in_turns(functions: list[Callable[[], object]], threads: int, rounds: int) -> list[float]:
    """Median milliseconds of each of several functions, called one after the other in rounds."""
    times: list[list[float]] = [[] for _ in functions]
    with threadpool_limits(threads or None):
        for turn in tqdm(range(WARM_UP + rounds), desc="measuring", unit="round", delay=2):
            for function, found in zip(functions, times, strict=True):
                start = time.perf_counter()
                function()
                if turn >= WARM_UP:
                    found.append(1000 * (time.perf_counter() - start))
    return [statistics.median(found) for found in times]


def resident_bytes(engine: str, weights: str | Path) -> int | None:
    """The most memory that a process needs to run one crop, measured in one of its own."""
    return in_own_process(_run_one_crop, engine, weights)


def _run_one_crop(engine: str, weights: str | Path) -> int | None:
    ask_one_crop(open_network(weights, engine, threads=1))
    return peak_resident_bytes()


def _clicking(
    predictor: Predictor, image: NDArray[np.uint8], point: tuple[float, float]
) -> Callable[[], object]:
    def click() -> None:
        predictor.set_image(image)
        predictor.predict([point], multimask_output=False)

    return click
