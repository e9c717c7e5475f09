"""What is made of the network's answers, as ONNX: scores, fitting to a box, obeying clicks.

The same formulas as in ``picosam2.predictor``'s ``scores``, ``boxes``, ``readings`` and
``corrections``, which say where they come from.
"""

from __future__ import annotations

from onnxscript import BOOL, FLOAT, INT64, script
from onnxscript import opset18 as op

from picosam2.integrations.x_anylabeling.geometry import (
    SIZE,
    any_of,
    at_cell,
    connected,
    extent,
)
from picosam2.predictor.boxes import MARKED, BoxConfig
from picosam2.predictor.corrections import SURE
from picosam2.predictor.prior import CLICK_RADIUS
from picosam2.predictor.scores import CENTRE, STABILITY_OFFSET
from picosam2.prompt import CROP_SIZE

BOX = BoxConfig()
SLOPE, DEEPEST = BOX.slope, BOX.deepest
SHIFTS, SHIFT_COST = list(BOX.shifts), BOX.shift_cost
# What is different where the network is shown the box.
MORE_SLOPE, MORE_COST = MARKED.slope - SLOPE, MARKED.shift_cost - SHIFT_COST
CARELESS, MORE_CARELESS = BOX.careless, MARKED.careless - BOX.careless
SHIFT_COUNT = len(SHIFTS)
LEAST, MOST = 1e-3, 1 - 1e-3
RADIUS = float(CLICK_RADIUS)
ENDS = [0, CROP_SIZE - 1]
MIDDLE = [round(CROP_SIZE * (1 - CENTRE) / 2)] * 2
AFTER_MIDDLE = [CROP_SIZE - MIDDLE[0]] * 2


@script()
def logit(share: FLOAT[1]) -> FLOAT[1]:
    """Of a share, kept off 0 and 1."""
    kept = op.Clip(share, LEAST, MOST)
    return op.Log(kept / (1.0 - kept))


@script()
def border(logits: FLOAT[96, 96]) -> FLOAT["n"]:
    """Which of the outermost pixels are object, 1 or 0; the corners twice."""
    mask = op.Cast(logits > 0.0, to=FLOAT.dtype)
    rows = op.Flatten(op.Gather(mask, ENDS, axis=0), axis=0)
    columns = op.Flatten(op.Gather(mask, ENDS, axis=1), axis=0)
    return op.Squeeze(op.Concat(rows, columns, axis=1), [0])


@script()
def common_evidence(logits: FLOAT[96, 96], iou: FLOAT[1]) -> FLOAT[4]:
    """Logits of the score, the stability and the middle's probability; the object's mean logit."""
    mask = op.Cast(logits > 0.0, to=FLOAT.dtype)
    sure = op.ReduceSum(op.Cast(logits > STABILITY_OFFSET, to=FLOAT.dtype), keepdims=0)
    possible = op.ReduceSum(op.Cast(logits > -STABILITY_OFFSET, to=FLOAT.dtype), keepdims=0)
    stable = op.Reshape(sure / op.Max(possible, 1.0), [1])
    middle = op.Slice(logits, MIDDLE, AFTER_MIDDLE, [0, 1])
    probability = op.Reshape(op.ReduceMean(op.Sigmoid(middle), keepdims=0), [1])
    area = op.Max(op.ReduceSum(mask, keepdims=0), 1.0)
    strength = op.Reshape(op.ReduceSum(mask * logits, keepdims=0) / area, [1])
    return op.Concat(logit(iou), logit(stable), logit(probability), strength, axis=0)


@script()
def weigh(evidence: FLOAT["n"], weights: FLOAT["n"], bias: FLOAT[1], logits: FLOAT[96, 96]):
    """The IoU to expect, of an empty mask 0: 1 float32."""
    found = op.Cast(any_of(logits), to=FLOAT.dtype)
    return found * op.Sigmoid(op.ReduceSum(evidence * weights, [0]) + bias)


@script()
def click_score(logits: FLOAT[96, 96], iou: FLOAT[1], weights: FLOAT[5], bias: FLOAT[1]):
    """The IoU to expect after a click: 1 float32."""
    share = op.ReduceMean(border(logits), [0])
    evidence = op.Concat(common_evidence(logits, iou), share, axis=0)
    return weigh(evidence, weights, bias, logits)


@script()
def overlap(logits: FLOAT[96, 96], box: FLOAT[4]) -> FLOAT[1]:
    """IoU of the mask's bounding box with a box, both in the crop's pixels."""
    x0, y0, x1, y1 = extent(logits)
    low, high = op.Slice(box, [0], [2]), op.Slice(box, [2], [4])
    first, after = op.Concat(x0, y0, axis=0), op.Concat(x1, y1, axis=0)
    shared = op.ReduceProd(op.Relu(op.Min(high, after) - op.Max(low, first)))
    union = op.ReduceProd(after - first) + op.ReduceProd(high - low) - shared
    return op.Cast(any_of(logits), to=FLOAT.dtype) * shared / union


@script()
def beyond(low: FLOAT[1], high: FLOAT[1]) -> FLOAT[96]:
    """How far each pixel lies outside an interval, in lengths of it."""
    centres = op.Range(0.0, op.Constant(value_float=SIZE), 1.0) + 0.5
    length = op.Max(high - low, 1.0)
    return op.Relu(op.Abs(centres - (low + high) / 2.0) - length / 2.0) / length


@script()
def fit_to_box(logits: FLOAT[96, 96], box: FLOAT[4], marks: FLOAT[1]) -> FLOAT[96, 96]:
    """Logits of a mask that ends where the box does; ``marks`` is 1 where it was drawn."""
    slope, cost = SLOPE + MORE_SLOPE * marks, SHIFT_COST + MORE_COST * marks
    columns = beyond(op.Slice(box, [0], [1]), op.Slice(box, [2], [3]))
    rows = beyond(op.Slice(box, [1], [2]), op.Slice(box, [3], [4]))
    outside = op.Unsqueeze(rows, [1]) + op.Unsqueeze(columns, [0])
    lowered = logits - op.Min(slope * outside, DEEPEST)
    shifts = op.Constant(value_floats=SHIFTS)
    # The gain and the shift in one row: onnxscript 0.7 mixes up what a loop hands on.
    best = op.Constant(value_floats=[-10.0, 0.0])
    for number in range(SHIFT_COUNT):
        shift = op.Gather(shifts, op.Reshape(number, [1]), axis=0)
        gain = overlap(lowered + shift, box) - cost * op.Abs(shift)
        found = op.Concat(gain, shift, axis=0)
        best = op.Where(gain > op.Slice(best, [0], [1]), found, best)
    return lowered + op.Slice(best, [1], [2])


@script()
def is_careless(own: FLOAT[96, 96], box: FLOAT[4], marks: FLOAT[1]) -> BOOL:
    """Whether a box agrees too little with the network's own mask."""
    differs = overlap(own, box) < CARELESS + MORE_CARELESS * marks
    return op.Squeeze(op.And(differs, any_of(own)), [0])


@script()
def box_score(
    own: FLOAT[96, 96],
    fitted: FLOAT[96, 96],
    iou: FLOAT[1],
    box: FLOAT[4],
    weights: FLOAT[7],
    bias: FLOAT[1],
):
    """The IoU to expect in a box: 1 float32."""
    low = op.Cast(op.Max(op.Floor(op.Slice(box, [0], [2])), 0.0), to=INT64.dtype)
    high = op.Cast(op.Min(op.Ceil(op.Slice(box, [2], [4])), SIZE), to=INT64.dtype)
    mask = op.Cast(own > 0.0, to=FLOAT.dtype)
    inside = op.ReduceSum(op.Slice(mask, low, high, [1, 0]), keepdims=0)
    area = op.ReduceSum(mask, keepdims=0)
    beside = op.Reshape(op.Where(area > 0.0, 1.0 - inside / op.Max(area, 1.0), 0.0), [1])
    shift = op.Reshape(op.ReduceMax(fitted - own, keepdims=0), [1])
    evidence = op.Concat(common_evidence(fitted, iou), overlap(fitted, box), shift, beside, axis=0)
    return weigh(evidence, weights, bias, fitted)


@script()
def keep_component(logits: FLOAT[96, 96], x: FLOAT[1], y: FLOAT[1]) -> FLOAT[96, 96]:
    """Without what is not connected to the object at a place of the crop."""
    mask = op.Cast(logits > 0.0, to=FLOAT.dtype)
    part = connected(mask, at_cell(x, y))
    others = op.And(any_of(part), mask - part > 0.0)
    return op.Where(others, -op.Abs(logits), logits)


@script()
def disc(x: FLOAT[1], y: FLOAT[1], radius: FLOAT[1]) -> BOOL[96, 96]:
    """The pixels whose centres are at most ``radius`` away from a place of the crop."""
    centres = op.Range(0.0, op.Constant(value_float=SIZE), 1.0) + 0.5
    across, down = op.Unsqueeze(centres - x, [0]), op.Unsqueeze(centres - y, [1])
    return across * across + down * down <= radius * radius


@script()
def obey(
    logits: FLOAT[96, 96], xs: FLOAT["n"], ys: FLOAT["n"], positive: FLOAT["n"], side: FLOAT[1]
) -> FLOAT[96, 96]:
    """Logits that have every click's sign around it; clicks are in the crop's pixels."""
    radius = op.Max(1.5 * SIZE / side, RADIUS)
    result = logits
    # The places of the positive clicks.
    kept = 0.0 * logits
    for number in range(op.Squeeze(op.Shape(xs), [0])):
        here = op.Reshape(number, [1])
        cell = at_cell(op.Gather(xs, here, axis=0), op.Gather(ys, here, axis=0))
        kept = op.Max(kept, cell * op.Gather(positive, here, axis=0))
    for number in range(op.Squeeze(op.Shape(xs), [0])):
        here = op.Reshape(number, [1])
        x, y = op.Gather(xs, here, axis=0), op.Gather(ys, here, axis=0)
        is_positive = op.Gather(positive, here, axis=0) > 0.0
        cell = at_cell(x, y)
        mask = op.Cast(result > 0.0, to=FLOAT.dtype)
        is_object = any_of(mask * cell)
        wrong = op.And(any_of(cell), op.Not(op.Equal(is_object, is_positive)))
        part = connected(mask, op.Where(is_positive, 0.0 * cell, cell))
        goes = op.And(part > 0.0, op.Not(any_of(part * kept)))
        changed = op.And(wrong, op.Or(disc(x, y, radius), goes))
        sure = op.Max(op.Abs(result), SURE)
        result = op.Where(changed, op.Where(is_positive, sure, -sure), result)
    return result
