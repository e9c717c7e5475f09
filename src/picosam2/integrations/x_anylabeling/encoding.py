"""The encoder, as ONNX: it passes the photograph on."""

from __future__ import annotations

from onnxscript import FLOAT, script
from onnxscript import opset18 as op

# Side of the square that X-AnyLabeling makes of every photograph, in pixels.
SIDE = 1024
# The normalisation that X-AnyLabeling applies: ImageNet's.
MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
PLANES, NOTHING = [1, 3, 1, 1], [1, 1, 1, 1]


@script()
def encode(image: FLOAT[1, 3, SIDE, SIDE]):
    """The photograph in grey levels 0..255, after two outputs that carry nothing."""
    mean = op.Reshape(op.Constant(value_floats=MEAN), PLANES)
    std = op.Reshape(op.Constant(value_floats=STD), PLANES)
    first = op.ConstantOfShape(NOTHING)
    second = op.ConstantOfShape(NOTHING)
    photograph = op.Round((image * std + mean) * 255.0)
    return first, second, photograph
