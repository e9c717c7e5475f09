"""Arm Ethos-U: the INT8 LiteRT model compiled by Vela, with Vela's estimates."""

from __future__ import annotations

import csv
import re
import shutil
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import ethosu.vela  # noqa: F401  # it runs in a process of its own; here it must be there

from picosam2.errors import InputError
from picosam2.export.artefact import Artefact, Job
from picosam2.export.environment import run_tool
from picosam2.export.litert import export_litert_int8
from picosam2.files import scratch_folder

VELA = (sys.executable, "-m", "ethosu.vela")


@dataclass(frozen=True)
class VelaConfig:
    """Which Ethos-U, in Vela's own words; None leaves Vela's default.

    Args:
        accelerator: such as ``ethos-u55-256``.
        system_config: clock and memories, a section of ``Arm/vela.ini``.
        memory_mode: where weights and activations lie, a section of ``Arm/vela.ini``.
        optimise: ``Performance`` or ``Size``.
    """

    accelerator: str = "ethos-u55-256"
    system_config: str | None = None
    memory_mode: str | None = None
    optimise: str = "Performance"

    @property
    def arguments(self) -> list[str]:
        """For Vela's command line."""
        arguments = ["--accelerator-config", self.accelerator, "--optimise", self.optimise]
        if self.system_config or self.memory_mode:
            arguments += ["--config", "Arm/vela.ini"]
        if self.system_config:
            arguments += ["--system-config", self.system_config]
        if self.memory_mode:
            arguments += ["--memory-mode", self.memory_mode]
        return arguments


def export_ethos_u(job: Job, config: VelaConfig) -> Artefact:
    """``picosam2-ethos-u.tflite``, and ``picosam2-litert-int8.tflite`` that it was compiled from.

    Raises:
        InputError: Vela failed, or left operators to the CPU.
    """
    # What Vela does not know is said before the minutes of the conversion.
    run_tool([*VELA, *config.arguments, "--help"], "asking Vela")
    source = export_litert_int8(job)
    model = job.folder / "picosam2-ethos-u.tflite"
    details = {"vela": asdict(config), **compile_by_vela(source.model, model, config)}
    return Artefact(
        model,
        source.runtime,
        source.tensors,
        runs=f"{source.model.name}, which it was compiled from, in LiteRT",
        details=details,
    )


def compile_by_vela(source: Path, out: Path, config: VelaConfig) -> dict[str, Any]:
    """Compile an INT8 ``.tflite`` file for an Ethos-U.

    Returns:
        Vela's estimates: ``estimate`` with ``ms``, ``cycles``, ``clock_mhz`` and ``macs``, and
        ``memory`` with ``sram_kib``, ``dram_kib`` and ``flash_kib``.
    """
    with scratch_folder() as folder:
        command: list[str | Path] = [*VELA, source, "--output-dir", folder, *config.arguments]
        said = run_tool(command, "compiling by Vela")
        shutil.copy(folder / f"{source.stem}_vela.tflite", out)
        (summary,) = folder.glob("*_summary_*.csv")
        with summary.open(newline="") as file:
            (row,) = csv.DictReader(file)
    number = {name: float(value) for name, value in row.items() if _is_number(value)}
    left = re.search(r"CPU operators = (\d+)", said)
    if left is None or int(left.group(1)):
        raise InputError(f"Vela leaves operators to the CPU: {said[-300:]}")
    return {
        "cpu_operators": int(left.group(1)),
        "system_config": row["system_config"],
        "memory_mode": row["memory_mode"],
        "estimate": {
            "ms": number["inference_time"] * 1000,
            "cycles": number["cycles_total"],
            "clock_mhz": number["core_clock"] / 1e6,
            "macs": number["nn_macs"],
        },
        "memory": {
            "sram_kib": number["sram_memory_used"],
            "dram_kib": number["dram_memory_used"],
            "flash_kib": number["on_chip_flash_memory_used"] + number["off_chip_flash_memory_used"],
        },
    }


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
