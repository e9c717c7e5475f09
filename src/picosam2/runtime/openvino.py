"""OpenVINO on the CPU; it runs our ONNX models too."""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path

import numpy as np
import openvino
from numpy.typing import NDArray
from openvino import opset13 as operators
from openvino.preprocess import PrePostProcessor
from scipy.special import expit

from picosam2.errors import InputError
from picosam2.prompt import CROP_SIZE
from picosam2.runtime.files import FileRuntime, read_model

IMAGE, PRIOR = ("image", [3, CROP_SIZE, CROP_SIZE]), ("prior", [2, CROP_SIZE, CROP_SIZE])
OUTPUTS = [("logits", [1, CROP_SIZE, CROP_SIZE]), ("iou_logits", [1, 1, 1])]


class OpenVinoRuntime(FileRuntime):
    """The exported network in OpenVINO, fp32 or INT8.

    Args:
        path: an ``.xml`` file (its ``.bin`` beside it) or an ``.onnx`` file made by ``picosam2``.
        threads: CPU threads of one call; 0 for all cores.

    Raises:
        InputError: a file is missing, broken or another model.
    """

    def __init__(self, path: str | Path, threads: int = 0) -> None:
        super().__init__(path, threads)
        path = Path(path)
        files = [path, path.with_suffix(".bin")] if path.suffix == ".xml" else [path]
        self.digest = hashlib.sha256(b"".join(map(read_model, files))).hexdigest()
        try:
            model = openvino.Core().read_model(path)
        # OpenVINO raises RuntimeError and subclasses of Exception alone.
        except Exception:
            raise InputError(f"{path} is not an OpenVINO or ONNX model, or is damaged") from None
        found = [
            (port.get_any_name(), [int(size.get_max_length()) for size in port.partial_shape[1:]])
            for port in (*model.inputs, *model.outputs)
        ]
        self.takes_prior = PRIOR in found
        if found != [IMAGE, *([PRIOR] if self.takes_prior else []), *OUTPUTS]:
            names = ", ".join(name for name, _ in found)
            raise InputError(f"{path} is not a PicoSAM2 model: its tensors are {names}")
        settings = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
        if not sums_of_bytes_are_exact():
            # Quantised values in floats: the same masks as elsewhere, in the time of the sums.
            settings["LP_TRANSFORMS_MODE"] = "NO"
        if threads:
            settings["INFERENCE_NUM_THREADS"] = str(threads)
        compiled = openvino.compile_model(_for_crops(model), "CPU", settings)
        self._request = compiled.create_infer_request()
        # Views of the tensors' memory: passing arrays would take a sixth of the time.
        self._image = self._request.get_input_tensor(0).data
        self._prior = self._request.get_input_tensor(1).data if self.takes_prior else None
        self._outputs = [self._request.get_output_tensor(index).data for index in (0, 1)]

    def __call__(
        self, crops: NDArray[np.uint8], prior: NDArray[np.int8] | None = None
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """See :class:`picosam2.runtime.Runtime`."""
        logits = np.empty(crops.shape[:3], np.float32)
        iou_logits = np.empty(len(crops), np.float32)
        with self._one_at_a_time, self.running():
            for row, crop in enumerate(crops):
                self._image[0] = crop
                if self._prior is not None and prior is not None:
                    self._prior[0] = prior[row]
                self._request.infer()
                mask, score = self._outputs
                logits[row], iou_logits[row] = mask[0, 0], score.item()
        return logits, expit(iou_logits)


@functools.cache
def sums_of_bytes_are_exact() -> bool:
    """Whether this processor adds products of 8 bits without overflow: tried on the largest.

    x86 without VNNI adds pairs of them in 16 bits.
    """
    image = operators.parameter([1, 4, 1, 1], np.float32)
    low, high = np.float32(0), np.float32(255)
    quantised = operators.fake_quantize(image, low, high, low, high, 256)
    weights = operators.convert(np.full((1, 4, 1, 1), 127, np.int8), "f32")
    scaled = operators.multiply(weights, np.ones((1, 1, 1, 1), np.float32))
    total = operators.convolution(quantised, scaled, [1, 1], [0, 0], [0, 0], [1, 1])
    # Where the processor has bfloat16, OpenVINO would round the sum to it.
    settings = {"INFERENCE_PRECISION_HINT": "f32"}
    compiled = openvino.compile_model(openvino.Model([total], [image]), "CPU", settings)
    answer = compiled(np.full((1, 4, 1, 1), 255, np.float32))[0]
    return bool(answer.item() == 4 * 255 * 127)


def _for_crops(model: openvino.Model) -> openvino.Model:
    """The model for one crop of bytes, channels last: 0.9 of the time of any number of floats."""
    model.reshape({port: [1, *port.partial_shape[1:]] for port in model.inputs})
    steps = PrePostProcessor(model)
    for index, dtype in enumerate((openvino.Type.u8, openvino.Type.i8)[: len(model.inputs)]):
        steps.input(index).tensor().set_element_type(dtype).set_layout(openvino.Layout("NHWC"))
        steps.input(index).model().set_layout(openvino.Layout("NCHW"))
    return steps.build()
