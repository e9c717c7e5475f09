"""The edge-fit report: what each exported model needs, and how fast it is."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from picosam2.errors import InputError
from picosam2.evaluation.engines import resident_bytes, time_crops
from picosam2.export.targets import TARGETS
from picosam2.record import describe_machine, git_commit, versions
from picosam2.runtime.engines import ENGINES, open_network
from picosam2.table import ABSENT, Table
from picosam2.weights import DEFAULT_MODEL

ROUNDS = 100
# What fields of other types, or that are missing, raise.
DAMAGED = (KeyError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError)
# What a sidecar must say, and what those of some targets must say besides.
NEEDED = ("target", "model", "bytes", "verification", "network", "weights_sha256")
NEEDED_OF = {
    "ethos-u": ("vela", "estimate", "memory", "system_config"),
    "imx500": ("memory",),
    "c-array": ("memory",),
}
# Targets whose memory tools report, and how those lay out activations: padded channels.
CHANNEL_MULTIPLE = {"ethos-u": 1, "imx500": 32}


def measure_fit(folder: Path) -> list[dict[str, Any]]:
    """Collect and measure the exports in a folder.

    Args:
        folder: of ``picosam2 export``'s folders, at any depth; each is one row.

    Returns:
        Rows: ``family``, ``weights_sha256``, ``target``, ``model``, ``bytes``, ``macs``, ``memory``
        (what a tool reported, or ``resident_bytes``), ``latency_ms`` with ``latency``
        (``measured`` or ``estimated``), ``macs_per_cycle``, ``verification``, and for targets whose
        tools report activation memory ``activations``: our liveness analysis, the tool's figure,
        and their ratio.

    Raises:
        InputError: there is no export, or one is damaged.
    """
    sidecars = [_read(path) for path in sorted(folder.rglob("picosam2*.json"))]
    sidecars += [_read(path) for path in sorted(folder.rglob("packerOut.json"))]
    if not sidecars:
        raise InputError(f"{folder} has no exported model: picosam2 export TARGET makes them")
    order = list(TARGETS)
    sidecars.sort(
        key=lambda pair: (
            pair[1]["network"]["family"] != DEFAULT_MODEL,
            order.index(pair[1]["target"]),
            pair[0],
        )
    )
    latencies = _latencies(sidecars)
    rows = []
    for path, sidecar in sidecars:
        try:
            row = _row(path, sidecar, latencies)
            # What a table cannot show is refused by the name of its file.
            fit_table([row])
        except DAMAGED as error:
            raise InputError(f"{path} is not a description by picosam2 export: {error!r}") from None
        rows.append(row)
    return rows


def _row(
    path: Path, sidecar: dict[str, Any], latencies: dict[Path, dict[str, Any]]
) -> dict[str, Any]:
    target, network = sidecar["target"], sidecar["network"]
    row = {
        "family": network["family"],
        "weights_sha256": sidecar["weights_sha256"],
        "target": target,
        "folder": path.parent.name,
        "model": sidecar["model"],
        "bytes": sidecar["bytes"],
        "macs": network["macs"],
        "memory": sidecar.get("memory", {}),
        "verification": sidecar["verification"],
        **latencies.get(path, {}),
    }
    if target == "ethos-u":
        clock = f"{sidecar['estimate']['clock_mhz']:.0f} MHz"
        parts = sidecar["vela"]["accelerator"], clock, sidecar["system_config"]
        row |= {"accelerator": ", ".join(parts)}
        row |= _estimate(sidecar["estimate"])
    if target in CHANNEL_MULTIPLE and _holds_all_activations(sidecar):
        predicted = network["activation_bytes"][str(CHANNEL_MULTIPLE[target])]
        row["activations"] = _compare(predicted, sidecar["memory"])
    return row


def fit_table(rows: list[dict[str, Any]]) -> Table:
    """The rows of ``measure_fit``, for people."""
    header = ["network", "target", "file, MB", "run-time memory", "activations, KiB: ours / tool's"]
    header += ["M MACs", "one crop, ms", "of ONNX fp32's", "MACs/cycle"]
    header += ["`box` mIoU (fp32)", "mask IoU with fp32"]
    cells = []
    # Before there were families, all were the paper's.
    rows = [{"family": "paper"} | row for row in rows]
    fp32 = {row["family"]: row.get("latency_ms") for row in rows if row["target"] == "onnx"}
    for row in rows:
        found, onnx = row["verification"], fp32.get(row["family"])
        accelerator = f" {row['accelerator']}" if "accelerator" in row else ""
        # Correcting networks are measured by clicks.
        miou = (
            f"{100 * found['miou']['box']:.1f} ({100 * found['fp32_miou']['box']:.1f})"
            if "box" in found.get("miou", {})
            else ABSENT
        )
        estimated = " (estimated)" if row.get("latency") == "estimated" else ""
        cells.append(
            [
                f"`{row['family']}`",
                f"{TARGETS[row['target']].title}{accelerator}",
                f"{row['bytes'] / 1e6:.2f}",
                _memory_text(row["memory"]),
                _activations_text(row),
                f"{row['macs'] / 1e6:.0f}",
                f"{row['latency_ms']:.2f}{estimated}" if "latency_ms" in row else ABSENT,
                f"{row['latency_ms'] / onnx:.2f}"
                if onnx and row.get("latency") == "measured"
                else ABSENT,
                f"{row['macs_per_cycle']:.0f}" if "macs_per_cycle" in row else ABSENT,
                miou,
                f"{found['mask_iou']:.3f}",
            ]
        )
    return Table("Edge fit", header, cells)


def targets_table(rows: list[dict[str, Any]]) -> Table:
    """What decides about a target, of the default network."""
    mine = [row for row in rows if row.get("family") == DEFAULT_MODEL]
    return fit_table(mine).choose(
        ["target", "file, MB", "run-time memory", "one crop, ms", "mask IoU with fp32"]
    )


def describe_measurement() -> dict[str, Any]:
    """Where the figures were measured, and with what."""
    packages = ("onnxruntime", "openvino", "ai-edge-litert", "executorch", "torch")
    installed = [name for name in packages if find_spec(name.replace("-", "_"))]
    return {
        "machine": describe_machine(),
        "versions": versions("numpy", *installed),
        "commit": git_commit(),
    }


def _read(path: Path) -> tuple[Path, dict[str, Any]]:
    try:
        content = json.loads(path.read_bytes())
        missing = [key for key in NEEDED if key not in content]
        missing += [key for key in NEEDED_OF.get(content.get("target"), []) if key not in content]
        if content.get("target") not in TARGETS or missing:
            raise ValueError(f"lacks {', '.join(missing)}" if missing else "is of no known target")
        content["verification"]["mask_iou"], content["network"]["family"]
        if not content["model"] or Path(content["model"]).name != content["model"]:
            raise ValueError(f"names the model {content['model']!r}")
    except (OSError, *DAMAGED) as error:
        raise InputError(f"{path} is not a description by picosam2 export: {error}") from None
    return path, content


def _latencies(sidecars: list[tuple[Path, dict[str, Any]]]) -> dict[Path, dict[str, Any]]:
    """Of the models that run on this machine: time and memory, one thread."""
    runnable = {
        path: (name, path.with_name(sidecar["model"]))
        for path, sidecar in sidecars
        for name, engine in ENGINES.items()
        if path.with_name(sidecar["model"]).suffix == engine.suffixes[0]
        and sidecar["target"] in (name, f"{name}-int8")
        and engine.is_installed
    }
    networks = [open_network(model, engine, 1) for engine, model in runnable.values()]
    times = time_crops(networks, 1, ROUNDS)
    return {
        path: {
            "latency_ms": round(milliseconds, 3),
            "latency": "measured",
            "memory": {"resident_bytes": resident_bytes(*model)},
        }
        for (path, model), milliseconds in zip(runnable.items(), times, strict=True)
    }


def _estimate(estimate: dict[str, float]) -> dict[str, Any]:
    return {
        "latency_ms": round(estimate["ms"], 3),
        "latency": "estimated",
        "macs_per_cycle": estimate["macs"] / estimate["cycles"],
    }


def _holds_all_activations(sidecar: dict[str, Any]) -> bool:
    """Whether the tool's figure is of whole tensors: Vela may cut them up, or spill into DRAM."""
    vela = sidecar.get("vela")
    return vela is None or (vela["optimise"] == "Performance" and not sidecar["memory"]["dram_kib"])


def _compare(predicted: int, memory: dict[str, float]) -> dict[str, float]:
    """Our liveness analysis beside a tool's own figure of activation memory, in bytes."""
    kib = memory["sram_kib"] if "sram_kib" in memory else memory["runtime_mb"] * 1024
    return {
        "predicted_bytes": predicted,
        "reported_bytes": kib * 1024,
        "ratio": predicted / (kib * 1024),
    }


def _activations_text(row: dict[str, Any]) -> str:
    if "activations" not in row:
        return ABSENT
    found = row["activations"]
    return f"{found['predicted_bytes'] / 1024:.0f} / {found['reported_bytes'] / 1024:.0f}"


def _memory_text(memory: dict[str, Any]) -> str:
    if "runtime_mb" in memory:
        parts = f"{memory['runtime_mb']:.2f} + model {memory['model_mb']:.2f}"
        return f"{memory['total_mb']:.2f} of {memory['available_mb']:.0f} MB ({parts})"
    if "sram_kib" in memory:
        dram = f", DRAM {memory['dram_kib']:.0f}" if memory["dram_kib"] else ""
        return f"SRAM {memory['sram_kib']:.0f}, flash {memory['flash_kib']:.0f}{dram} KiB"
    if "arena_bytes" in memory:
        return f"arena {memory['arena_bytes'] / 1024:.0f} KiB"
    if memory.get("resident_bytes"):
        return f"process {memory['resident_bytes'] / 1e6:.0f} MB"
    return ABSENT
