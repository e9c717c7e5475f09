"""Where models can be exported to: one entry a target."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from picosam2.errors import InputError
from picosam2.installation import how_to_install

if TYPE_CHECKING:
    from picosam2.export.artefact import Artefact


@dataclass(frozen=True)
class Target:
    """One way of exporting.

    Args:
        exporter: ``module:function``, imported when it is asked for.
        title: what it is.
        extra: of this package, which its exporter needs besides ``export``.
        int8: whether activations are quantised, so that there is something to calibrate.
        corrects: whether correcting networks run there; a sensor or a microcontroller has the
            first look alone.
    """

    exporter: str
    title: str
    extra: str
    int8: bool = True
    corrects: bool = True

    def load(self) -> Callable[..., Artefact]:
        """The exporter.

        Raises:
            InputError: a package of its extras is missing.
        """
        try:
            function: Callable[..., Any] = pkgutil.resolve_name(f"picosam2.export.{self.exporter}")
        except ModuleNotFoundError as error:
            extras = f"export,{self.extra}" if self.extra else "export"
            raise InputError(f"this target needs {error.name}: {how_to_install(extras)}") from None
        return function


TARGETS = {
    "onnx": Target("onnx:export_onnx", "ONNX fp32", "", int8=False),
    "onnx-int8": Target("onnx_int8:export_onnx_int8", "ONNX INT8", ""),
    "openvino": Target("openvino:export_openvino", "OpenVINO fp32", "openvino", int8=False),
    "openvino-int8": Target("openvino:export_openvino_int8", "OpenVINO INT8", "openvino"),
    "litert": Target("litert:export_litert", "LiteRT fp32", "litert", int8=False),
    "litert-int8": Target("litert:export_litert_int8", "LiteRT INT8", "litert"),
    "executorch": Target(
        "executorch:export_executorch", "ExecuTorch fp32", "executorch", int8=False
    ),
    "executorch-int8": Target("executorch:export_executorch_int8", "ExecuTorch INT8", "executorch"),
    "ethos-u": Target("ethos_u:export_ethos_u", "Arm Ethos-U", "ethos-u", corrects=False),
    "imx500": Target("imx500:export_imx500", "Sony IMX500", "", corrects=False),
    "c-array": Target("c_array:export_c_array", "TensorFlow Lite Micro", "c-array", corrects=False),
}
