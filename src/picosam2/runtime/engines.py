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
from picosam2.weights import (
    BUNDLED,
    CORRECTING,
    CORRECTING_MODEL,
    DEFAULT_MODEL,
    check_name,
    current_name,
    model_files,
    model_path,
)


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
    runtime = open_network(weights, engine, threads)
    if getattr(runtime, "takes_prior", False):
        raise InputError(
            f"{weights} is a correcting network, which has no first look: give the first look's "
            f"weights, such as {DEFAULT_MODEL}"
        )
    return cast(Runtime, runtime)


def open_corrector(weights: str | Path, engine: str | None, threads: int) -> Corrector:
    """A correcting network on an engine; arguments and errors are those of ``open_runtime``."""
    runtime = open_network(weights, engine, threads)
    if not getattr(runtime, "takes_prior", False):
        raise InputError(
            f"{weights} is not a correcting network: give its weights, such as {CORRECTING_MODEL}"
        )
    return cast(Corrector, runtime)


def open_network(weights: str | Path, engine: str | None, threads: int) -> Runtime | Corrector:
    """A network of either kind on an engine; arguments and errors are ``open_runtime``'s."""
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
            return min((open_network(weights, name, threads) for name in able), key=_time_crop)
        engine = able[0] if able else None
    if engine is None:
        path = model_path(weights)
        made_for = (name for name, e in ENGINES.items() if e.suffixes[0] == path.suffix)
        engine = next(made_for, "onnx")
    found = find_model(weights, engine)
    if found is None:
        wanted = " or ".join(ENGINES[engine].suffixes)
        # Of the package's own, those in fp32 are there for PyTorch as well.
        alike = CORRECTING if weights in CORRECTING else BUNDLED
        names = [name for name in alike if find_model(name, engine)]
        maker = "train" if engine == "torch" else "export"
        advice = f"give {' or '.join(names)}" if names else f"picosam2 {maker} makes them"
        raise InputError(f"{engine} runs {wanted} files, not {weights}: {advice}")
    if not ENGINES[engine].is_installed:
        extra = ENGINES[engine].extra
        raise InputError(f"{engine} is not installed: {how_to_install(extra)}")
    return ENGINES[engine].open(found, threads)


def find_model(weights: str | Path, engine: str) -> Path | None:
    """The file that an engine runs for these weights; None where there is none."""
    suffixes = ENGINES[engine].suffixes
    paths = model_files(weights)
    return next((path for suffix in suffixes for path in paths if path.suffix == suffix), None)


def ask_one_crop(network: Runtime | Corrector) -> None:
    """Show a network a grey crop, and a correcting one that nothing is known of it."""
    inputs: list[Any] = [np.full((1, CROP_SIZE, CROP_SIZE, 3), 128, np.uint8)]
    if getattr(network, "takes_prior", False):
        inputs.append(np.zeros((1, CROP_SIZE, CROP_SIZE, 2), np.int8))
    network(*inputs)


def _time_crop(network: Runtime | Corrector) -> float:
    """The shortest of a few times that a crop takes, in seconds."""
    times = []
    for _ in range(1 + TRIALS):
        start = time.perf_counter()
        ask_one_crop(network)
        times.append(time.perf_counter() - start)
    return min(times[1:])
