"""Prompt geometry as ONNX: cutting crops, putting logits back, outlines and connected parts.

The same formulas as in ``picosam2.prompt`` and ``picosam2.masks``, which say where they come from.
"""

from __future__ import annotations

from onnxscript import BOOL, FLOAT, INT64, script
from onnxscript import opset18 as op

from picosam2.prompt import CROP_SIZE

SIZE = float(CROP_SIZE)


@script()
def taps(start: FLOAT[1], step: FLOAT[1], length: FLOAT[1]):
    """Weights 96×m of the pixels from ``first`` to before ``after``; all others are black."""
    zero, one = op.Constant(value_float=0.0), op.Constant(value_float=1.0)
    centres = start + (op.Range(zero, op.Constant(value_float=SIZE), one) + 0.5) * step - 0.5
    radius = op.Max(step, op.Constant(value_floats=[1.0]))
    low = op.Floor(start - radius)
    high = op.Ceil(start + SIZE * step + radius)
    index = op.Range(op.Squeeze(low), op.Squeeze(high) + 1.0, one)
    distance = op.Abs(op.Unsqueeze(index, [0]) - op.Unsqueeze(centres, [1]))
    weights = op.Relu(1.0 - distance / radius)
    weights = weights / op.ReduceSum(weights, [1])
    first = op.Max(low, op.Constant(value_floats=[0.0]))
    after = op.Min(high + 1.0, length)
    begin = op.Cast(first - low, to=INT64.dtype)
    end = op.Cast(after - low, to=INT64.dtype)
    inside = op.Slice(weights, begin, end, [1])
    return inside, op.Cast(first, to=INT64.dtype), op.Cast(after, to=INT64.dtype)


@script()
def cut(image: FLOAT[3, "H", "W"], x: FLOAT[1], y: FLOAT[1], side: FLOAT[1]) -> FLOAT[1, 3, 96, 96]:
    """A crop of the photograph, in whole grey levels 0..255."""
    size = op.Cast(op.Shape(image), to=FLOAT.dtype)
    step = side / SIZE
    across, x0, x1 = taps(x - side / 2.0, step, op.Slice(size, [2], [3]))
    down, y0, y1 = taps(y - side / 2.0, step, op.Slice(size, [1], [2]))
    pixels = op.Slice(image, op.Concat(y0, x0, axis=0), op.Concat(y1, x1, axis=0), [1, 2])
    crop = op.MatMul(op.MatMul(down, pixels), op.Transpose(across, perm=[1, 0]))
    return op.Unsqueeze(op.Round(crop), [0])


@script()
def inverse(low: FLOAT[1], side: FLOAT[1], scale: FLOAT[1], count: FLOAT[1]):
    """Weights of a crop's pixels in ``count`` outputs of ``scale`` each, and which lie in it."""
    zero, one = op.Constant(value_float=0.0), op.Constant(value_float=1.0)
    centres = (op.Range(zero, op.Squeeze(count), one) + 0.5) * scale
    position = op.Clip((centres - low) * SIZE / side - 0.5, 0.0, SIZE - 1.0)
    radius = op.Max(scale * SIZE / side, op.Constant(value_floats=[1.0]))
    index = op.Range(zero, op.Constant(value_float=SIZE), one)
    distance = op.Abs(op.Unsqueeze(index, [0]) - op.Unsqueeze(position, [1]))
    weights = op.Relu(1.0 - distance / radius)
    inside = op.And(op.GreaterOrEqual(centres, low), op.Less(centres, low + side))
    return weights / op.ReduceSum(weights, [1]), inside


@script()
def paste(
    logits: FLOAT[96, 96],
    x: FLOAT[1],
    y: FLOAT[1],
    side: FLOAT[1],
    scale: FLOAT[1],
    count: FLOAT[1],
    outside: FLOAT[1],
) -> FLOAT["h", "w"]:
    """A crop's logits in a picture of ``count`` × ``count`` pixels of ``scale`` each."""
    across, columns = inverse(x - side / 2.0, side, scale, count)
    down, rows = inverse(y - side / 2.0, side, scale, count)
    values = op.MatMul(op.MatMul(down, logits), op.Transpose(across, perm=[1, 0]))
    inside = op.And(op.Unsqueeze(rows, [1]), op.Unsqueeze(columns, [0]))
    return op.Where(inside, values, outside)


@script()
def span(touched: BOOL[96]):
    """First pixel of a row of marks, and the one after the last."""
    marks = op.Cast(touched, to=FLOAT.dtype)
    first = op.ArgMax(marks, axis=0, keepdims=1)
    after = op.ArgMax(marks, axis=0, keepdims=1, select_last_index=1) + 1
    return op.Cast(first, to=FLOAT.dtype), op.Cast(after, to=FLOAT.dtype)


@script()
def extent(logits: FLOAT[96, 96]):
    """x0, y0, x1, y1 of a mask in the crop's pixels."""
    mask = op.Cast(logits > 0.0, to=FLOAT.dtype)
    x0, x1 = span(op.ReduceMax(mask, [0], keepdims=0) > 0.0)
    y0, y1 = span(op.ReduceMax(mask, [1], keepdims=0) > 0.0)
    return x0, y0, x1, y1


@script()
def any_of(marks: FLOAT["h", "w"]) -> BOOL:
    """Whether one of them is above 0."""
    return op.ReduceMax(marks, keepdims=0) > 0.0


@script()
def at_cell(x: FLOAT[1], y: FLOAT[1]) -> FLOAT[96, 96]:
    """1 at the pixel that holds a place of the crop, else 0; all 0 beside the crop."""
    zero, one = op.Constant(value_float=0.0), op.Constant(value_float=1.0)
    index = op.Range(zero, op.Constant(value_float=SIZE), one)
    across = op.Unsqueeze(op.Equal(index, op.Floor(x)), [0])
    down = op.Unsqueeze(op.Equal(index, op.Floor(y)), [1])
    return op.Cast(op.And(down, across), to=FLOAT.dtype)


@script()
def connected(mask: FLOAT[96, 96], seed: FLOAT[96, 96]) -> FLOAT[96, 96]:
    """The 4-connected parts of a mask that touch a seed, both 0 or 1."""
    part = mask * seed
    grows = any_of(part)
    while grows:
        before = part
        planes = op.Unsqueeze(part, [0, 1])
        for _ in range(4):
            across = op.MaxPool(planes, kernel_shape=[1, 3], pads=[0, 1, 0, 1])
            down = op.MaxPool(planes, kernel_shape=[3, 1], pads=[1, 0, 1, 0])
            planes = op.Max(across, down) * mask
        part = op.Squeeze(planes, [0, 1])
        grows = any_of(part - before)
    return part
