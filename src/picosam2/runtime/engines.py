"""The engines by name, and which file each of them runs."""

from __future__ import annotations

import importlib.util
import os
import pkgutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Integral
from pathlib import Path
from typing import Any, cast

import numpy as np

from picosam2.errors import InputError
from picosam2.installation import how_to_install
from picosam2.prompt import CROP_SIZE
from picosam2.runtime import Corrector, Runtime
from picosam2.weights import check_name, current_name, model_files, model_path


@dataclass(frozen=True)
class Engine:
    """What runs the network.

    Args:
        runtime: ``module:constructor`` that takes a file and a thread count.
        package: what must be installed.
        extra: of this package, which installs it.
        suffixes: of the files it runs, the one that it was made for first.
    """

    runtime: str
    package: str
    extra: str
    suffixes: tuple[str, ...]

    @property
    def is_installed(self) -> bool:
        """Whether its package can be imported."""
        return importlib.util.find_spec(self.package) is not None

    def open(self, path: Path, threads: int) -> Runtime:
        """The network in a file.

        Raises:
            InputError: the file is missing, broken or another model.
            ModuleNotFoundError: its package is missing.
        """
        load: Callable[[Path, int], Runtime] = pkgutil.resolve_name(
            f"picosam2.runtime.{self.runtime}"
        )
        return load(path, threads)


ENGINES = {
    "onnx": Engine("onnx:OnnxRuntime", "onnxruntime", "", (".onnx",)),
    "openvino": Engine("openvino:OpenVinoRuntime", "openvino", "openvino", (".xml", ".onnx")),
    "litert": Engine("litert:LiteRtRuntime", "ai_edge_litert", "litert", (".tflite",)),
    "executorch": Engine("executorch:ExecuTorchRuntime", "executorch", "executorch", (".pte",)),
    "torch": Engine("torch:TorchRuntime.from_file", "torch", "train", (".safetensors",)),
}
# What "auto" tries: those that are made for speed on a CPU.
FAST = ("onnx", "openvino", "litert")
TRIALS = 5
# Where a machine has less cores: as many as they like, but none that starting them would hang on.
MOST_THREADS = 64
WHERE_TO = "weights= is for the first look, correcting= for what comes after it"


def open_runtime(weights: str | Path, engine: str | None, threads: int) -> Runtime:
    """The network of the first look on an engine.

    Args:
        weights: the name of a model in the package (``picosam2.weights.BUNDLED``), or a file.
        engine: a name in ``ENGINES``; ``"auto"`` tries those that are installed and run
            ``weights`` on a few crops and takes the fastest; None takes the one that the file was
            made for (ONNX Runtime for names).
        threads: CPU threads; 0 for all cores.

    Raises:
        InputError: the engine does not run these weights, is unknown or not installed, the file is
            missing, broken or a correcting network, or ``threads`` is not a count.
    """
    runtime = _open(weights, engine, threads)
    if getattr(runtime, "takes_prior", False):
        raise InputError(f"{weights} is a correcting network, which has no first look: {WHERE_TO}")
    return runtime


def open_corrector(weights: str | Path, engine: str | None, threads: int) -> Corrector:
    """A correcting network on an engine; arguments and errors are those of ``open_runtime``."""
    runtime = _open(weights, engine, threads)
    if not getattr(runtime, "takes_prior", False):
        raise InputError(f"{weights} is not a correcting network: {WHERE_TO}")
    return cast(Corrector, runtime)


def _open(weights: str | Path, engine: str | None, threads: int) -> Runtime:
    most = max(MOST_THREADS, os.cpu_count() or 1)
    if not isinstance(threads, Integral) or not 0 <= threads <= most:
        raise InputError(
            f"threads must be a whole number up to {most}, 0 for all cores, not {threads!r}"
        )
    if engine not in (None, "auto", *ENGINES):
        raise InputError(f"unknown engine {engine}: choose from auto, {', '.join(ENGINES)}")
    weights = current_name(weights)
    check_name(weights)
    if engine == "auto":
        able = [n for n in FAST if ENGINES[n].is_installed and find_model(weights, n)]
        if len(able) > 1:
            return min((_open(weights, name, threads) for name in able), key=_time_crop)
        engine = able[0] if able else None
    if engine is None:
        path = model_path(weights)
        made_for = (name for name, e in ENGINES.items() if e.suffixes[0] == path.suffix)
        engine = next(made_for, "onnx")
    found = find_model(weights, engine)
    if found is None:
        wanted = " or ".join(ENGINES[engine].suffixes)
        raise InputError(f"{engine} runs {wanted} files, not {weights}: picosam2 export makes them")
    if not ENGINES[engine].is_installed:
        extra = ENGINES[engine].extra
        raise InputError(f"{engine} is not installed: {how_to_install(extra)}")
    return ENGINES[engine].open(found, threads)


def find_model(weights: str | Path, engine: str) -> Path | None:
    """The file that an engine runs for these weights; None where there is none."""
    suffixes = ENGINES[engine].suffixes
    paths = model_files(weights)
    return next((path for suffix in suffixes for path in paths if path.suffix == suffix), None)


def _time_crop(runtime: Runtime) -> float:
    """The shortest of a few times that a crop takes, in seconds."""
    inputs: list[Any] = [np.zeros((1, CROP_SIZE, CROP_SIZE, 3), np.uint8)]
    if getattr(runtime, "takes_prior", False):
        inputs.append(np.zeros((1, CROP_SIZE, CROP_SIZE, 2), np.int8))
    times = []
    for _ in range(1 + TRIALS):
        start = time.perf_counter()
        runtime(*inputs)
        times.append(time.perf_counter() - start)
    return min(times[1:])
