"""The decoder: from the photograph and a prompt to a mask, as ONNX.

As ``picosam2.predictor`` does it, one mask a prompt: a click is looked at in four crops and the
best of them once more where it is cut off; a box in one, and once more halfway to its mask where it
is careless; further clicks are answered one after the other by the correcting network. Coordinates
are pixels of the square that X-AnyLabeling makes of every photograph.

A reading is one row of numbers: the IoU to expect, x and y of its crop's centre, the crop's side,
and the crop's logits. (What a loop hands on in several variables, onnxscript 0.7 mixes up.)
"""

from __future__ import annotations

from onnxscript import BOOL, FLOAT, INT64, script
from onnxscript import opset18 as op
from onnxscript.values import Opset

from picosam2.integrations.x_anylabeling.geometry import SIZE, any_of, cut, extent, paste
from picosam2.integrations.x_anylabeling.readings import (
    RADIUS,
    border,
    box_score,
    click_score,
    disc,
    fit_to_box,
    is_careless,
    keep_component,
    obey,
)
from picosam2.marks import TINT as MAGENTA
from picosam2.predictor.config import PredictorConfig
from picosam2.prompt import CROP_SIZE, OUTSIDE_LOGIT

# The domain of the two networks, functions that the model brings along.
NETWORKS = "picosam2.networks"
networks = Opset(NETWORKS, 1)
CONFIG = PredictorConfig()
SIDES, SIDE_COUNT = list(CONFIG.click_sides), len(CONFIG.click_sides)
REFINE_MARGIN, BEYOND = CONFIG.refine_margin, CONFIG.box.margin
WIDENING, MOST_MOVED = CONFIG.widening, CONFIG.marked_box.most_moved
# Pixels that no photograph's side has.
FAR = 1e9
PADDED = 1 + 2 * CONFIG.box_paddings[0]
MARGIN = CONFIG.correction_margins[0]
# Of a crop where nothing says how large the object is.
UNKNOWN_SIDE = CONFIG.click_sides[len(CONFIG.click_sides) // 2]
PLANE, NO_READING = [CROP_SIZE, CROP_SIZE], [4 + CROP_SIZE**2]
HALF, SIZES, OUTSIDE = SIZE / 2, [SIZE], [OUTSIDE_LOGIT]
CENTRE = [HALF]
TINT = [float(value) for value in MAGENTA]


@script()
def pack(score: FLOAT[1], x: FLOAT[1], y: FLOAT[1], side: FLOAT[1], logits: FLOAT[96, 96]):
    """A reading."""
    return op.Concat(score, x, y, side, op.Reshape(logits, [-1]), axis=0)


@script()
def unpack(reading: FLOAT["n"]):
    """What :func:`pack` takes."""
    score, x = op.Slice(reading, [0], [1]), op.Slice(reading, [1], [2])
    y, side = op.Slice(reading, [2], [3]), op.Slice(reading, [3], [4])
    return score, x, y, side, op.Reshape(op.Slice(reading, [4], NO_READING), PLANE)


@script()
def side_of(image: FLOAT[3, "S", "S"]) -> FLOAT[1]:
    """The photograph's side in pixels."""
    return op.Cast(op.Shape(image, start=1, end=2), to=FLOAT.dtype)


@script()
def look_at(crop: FLOAT[1, 3, 96, 96]):
    """Logits 96×96 of a crop, and the network's predicted IoU, 1."""
    logits, iou = networks.FirstLook(crop)
    return op.Squeeze(logits, [0, 1]), op.Sigmoid(op.Reshape(iou, [1]))


@script()
def first_look(image: FLOAT[3, "S", "S"], x: FLOAT[1], y: FLOAT[1], side: FLOAT[1]):
    """As :func:`look_at`, of a place in the photograph."""
    logits, iou = look_at(cut(image, x, y, side))
    return logits, iou


@script()
def look_at_click(
    image: FLOAT[3, "S", "S"], x: FLOAT[1], y: FLOAT[1], weights: FLOAT[5], bias: FLOAT[1]
):
    """The reading of a first click."""
    sides = op.Constant(value_floats=SIDES) * side_of(image)
    kept = op.ConstantOfShape(NO_READING) - 1.0
    for number in range(SIDE_COUNT):
        wanted = op.Gather(sides, op.Reshape(number, [1]), axis=0)
        seen, iou = first_look(image, x, y, wanted)
        score = click_score(seen, iou, weights, bias)
        # A crop that is all object shows a piece of it and no shape: any other counts more.
        has_outline = op.ReduceMin(border(seen), keepdims=0) < 0.5
        found = pack(op.Where(has_outline, score + 1.0, wanted / FAR), x, y, wanted, seen)
        better = op.Slice(found, [0], [1]) > op.Slice(kept, [0], [1])
        kept = op.Where(better, found, kept)
    rank, _x, _y, side, whole = unpack(kept)
    middle = op.Constant(value_floats=CENTRE)
    logits = keep_component(whole, middle, middle)
    best = pack(rank - 1.0, x, y, side, logits)
    x0, y0, x1, y1 = extent(logits)
    scale = side / SIZE
    new_x = x - side / 2.0 + (x0 + x1) / 2.0 * scale
    new_y = y - side / 2.0 + (y0 + y1) / 2.0 * scale
    margin = op.Where(rank >= 1.0, REFINE_MARGIN, WIDENING)
    new_side = margin * op.Max(x1 - x0, y1 - y0) * scale
    shift = op.Max(op.Abs(new_x - x), op.Abs(new_y - y))
    is_fitted = op.And(op.Abs(new_side / side - 1.0) < 0.1, shift < 0.05 * new_side)
    is_cut = any_of(op.Unsqueeze(border(logits), [0]))
    if op.Squeeze(op.And(is_cut, op.Not(is_fitted)), [0]):
        again, again_iou = first_look(image, new_x, new_y, new_side)
        factor = SIZE / new_side
        part = keep_component(again, (x - new_x) * factor + HALF, (y - new_y) * factor + HALF)
        reading = pack(click_score(again, again_iou, weights, bias), new_x, new_y, new_side, part)
    else:
        reading = op.Identity(best)
    return reading


@script()
def within(size: FLOAT[1], scale: FLOAT[1], low: FLOAT[2], high: FLOAT[2]) -> BOOL["h", "w"]:
    """Which pixels of the answer have their centres in a box."""
    centres = (op.Range(0.0, op.Squeeze(size), 1.0) + 0.5) * scale
    columns = op.And(centres >= op.Slice(low, [0], [1]), centres < op.Slice(high, [0], [1]))
    rows = op.And(centres >= op.Slice(low, [1], [2]), centres < op.Slice(high, [1], [2]))
    return op.And(op.Unsqueeze(rows, [1]), op.Unsqueeze(columns, [0]))


@script()
def mark_box(crop: FLOAT[1, 3, 96, 96], box: FLOAT[4]):
    """The crop with its pixels outside the box tinted."""
    low, high = op.Slice(box, [0], [2]), op.Slice(box, [2], [4])
    one, size = op.Constant(value_floats=[1.0]), op.Constant(value_floats=SIZES)
    tint = op.Reshape(op.Constant(value_floats=TINT), [1, 3, 1, 1])
    return op.Where(within(size, one, low, high), crop, op.Floor((crop + tint + 1.0) / 2.0))


@script()
def crop_of_box(low: FLOAT[2], high: FLOAT[2]):
    """Centre and side of a box's crop, and the box in the crop's pixels."""
    lengths = op.Max(high - low, 1.0)
    side = PADDED * op.ReduceMax(lengths)
    half = lengths / 2.0 * SIZE / side
    return (low + high) / 2.0, side, op.Concat(HALF - half, HALF + half, axis=0)


@script()
def look_once_in_box(
    image: FLOAT[3, "S", "S"],
    low: FLOAT[2],
    high: FLOAT[2],
    weights: FLOAT[7],
    bias: FLOAT[1],
    marks: FLOAT[1],
):
    """The reading of a box, which is drawn on its crop where ``marks`` is 1, and own logits."""
    centre, side, box = crop_of_box(low, high)
    x, y = op.Slice(centre, [0], [1]), op.Slice(centre, [1], [2])
    crop = cut(image, x, y, side)
    own, iou = look_at(op.Where(marks > 0.5, mark_box(crop, box), crop))
    logits = fit_to_box(own, box, marks)
    return pack(box_score(own, logits, iou, box, weights, bias), x, y, side, logits), own


@script()
def look_in_box(
    image: FLOAT[3, "S", "S"],
    low: FLOAT[2],
    high: FLOAT[2],
    weights: FLOAT[7],
    bias: FLOAT[1],
    marks: FLOAT[1],
):
    """The reading of a box, and where the box is: a careless one is moved halfway to its mask."""
    first, own = look_once_in_box(image, low, high, weights, bias, marks)
    centre, side, box = crop_of_box(low, high)
    x0, y0, x1, y1 = extent(own)
    lengths = op.Slice(box, [2], [4]) - op.Slice(box, [0], [2])
    most = MOST_MOVED * op.Concat(lengths, lengths, axis=0)
    way = (op.Concat(x0, y0, x1, y1, axis=0) - box) / 2.0
    halfway = (box + op.Max(op.Min(way, most), -most)) * side / SIZE
    corner = centre - side / 2.0
    careless = is_careless(own, box, marks)
    low_found = op.Where(careless, corner + op.Slice(halfway, [0], [2]), low)
    high_found = op.Where(careless, corner + op.Slice(halfway, [2], [4]), high)
    if careless:
        reading, _own = look_once_in_box(image, low_found, high_found, weights, bias, marks)
    else:
        reading = op.Identity(first)
    return reading, low_found, high_found


@script()
def corrected_crop(
    image: FLOAT[3, "S", "S"], reading: FLOAT["n"], xs: FLOAT["n"], ys: FLOAT["n"], signs
):
    """Centre and side of the crop that is fitted to a reading and the clicks."""
    _score, x, y, side, logits = unpack(reading)
    x0, y0, x1, y1 = extent(logits)
    scale = side / SIZE
    left, top = x - side / 2.0, y - side / 2.0
    last_x, last_y = op.Slice(xs, [-1], [100000]), op.Slice(ys, [-1], [100000])
    # What is not the object matters where it was taken for it, which is inside the mask before.
    counts = signs > 0.0
    found = any_of(logits)
    low_x = op.Where(found, left + x0 * scale, last_x)
    high_x = op.Where(found, left + x1 * scale, last_x)
    low_y = op.Where(found, top + y0 * scale, last_y)
    high_y = op.Where(found, top + y1 * scale, last_y)
    across = op.Concat(op.Compress(xs, counts, axis=0), last_x, low_x, high_x, axis=0)
    down = op.Concat(op.Compress(ys, counts, axis=0), last_y, low_y, high_y, axis=0)
    low = op.Concat(op.ReduceMin(across, [0]), op.ReduceMin(down, [0]), axis=0)
    high = op.Concat(op.ReduceMax(across, [0]), op.ReduceMax(down, [0]), axis=0)
    longer = op.ReduceMax(high - low)
    longer = op.Where(found, longer, op.Max(longer, UNKNOWN_SIDE * side_of(image)))
    centre = (low + high) / 2.0
    return op.Slice(centre, [0], [1]), op.Slice(centre, [1], [2]), op.Max(MARGIN * longer, 1.0)


@script()
def correct(image: FLOAT[3, "S", "S"], reading: FLOAT["n"], xs: FLOAT["n"], ys: FLOAT["n"], signs):
    """The reading after the last of the clicks, which corrects the reading before it."""
    _score, x, y, side, logits = unpack(reading)
    new_x, new_y, new_side = corrected_crop(image, reading, xs, ys, signs)
    factor = SIZE / new_side
    left, top = new_x - new_side / 2.0, new_y - new_side / 2.0
    places_x, places_y = (xs - left) * factor, (ys - top) * factor
    one, count = op.Constant(value_floats=[1.0]), op.Constant(value_floats=SIZES)
    outside = op.Constant(value_floats=OUTSIDE)
    shown = paste(
        logits, (x - left) * factor, (y - top) * factor, side * factor, one, count, outside
    )
    before = op.Where(shown > 0.0, 1.0, -1.0)
    clicks = 0.0 * before
    for number in range(op.Squeeze(op.Shape(xs), [0])):
        here = op.Reshape(number, [1])
        around = disc(op.Gather(places_x, here, axis=0), op.Gather(places_y, here, axis=0), RADIUS)
        clicks = op.Where(around, 2.0 * op.Gather(signs, here, axis=0) - 1.0, clicks)
    prior = op.Concat(op.Unsqueeze(before, [0, 1]), op.Unsqueeze(clicks, [0, 1]), axis=1)
    answer, iou = networks.Correcting(cut(image, new_x, new_y, new_side), prior)
    obeyed = obey(op.Squeeze(answer, [0, 1]), places_x, places_y, signs, new_side)
    score = op.Cast(any_of(obeyed), to=FLOAT.dtype) * op.Sigmoid(op.Reshape(iou, [1]))
    return pack(score, new_x, new_y, new_side, obeyed)


@script()
def first_click(
    image: FLOAT[3, "S", "S"], click: FLOAT[2], sign: FLOAT[1], weights: FLOAT[5], bias: FLOAT[1]
):
    """The reading of a first click, which is obeyed."""
    click_x, click_y = op.Slice(click, [0], [1]), op.Slice(click, [1], [2])
    score, x, y, side, logits = unpack(look_at_click(image, click_x, click_y, weights, bias))
    factor = SIZE / side
    obeyed = obey(logits, (click_x - x) * factor + HALF, (click_y - y) * factor + HALF, sign, side)
    return pack(score, x, y, side, obeyed)


@script()
def answer(
    image: FLOAT[3, "S", "S"],
    points: FLOAT["n", 2],
    labels: FLOAT["n"],
    click_weights: FLOAT[5],
    click_bias: FLOAT[1],
    box_weights: FLOAT[7],
    box_bias: FLOAT[1],
    marks: FLOAT[1],
    size: FLOAT[1],
):
    """The mask of one prompt, of the whole photograph: size×size logits, and the IoU to expect.

    Labels are SAM's: 1 a click on the object, 0 not on it, 2 and 3 the corners of a box, −1 none.
    """
    is_click = op.Or(op.Equal(labels, 0.0), op.Equal(labels, 1.0))
    clicked = op.Compress(points, is_click, axis=0)
    given = op.Compress(labels, is_click, axis=0)
    is_corner, is_opposite = op.Equal(labels, 2.0), op.Equal(labels, 3.0)
    has_box = any_of(op.Unsqueeze(op.Cast(is_corner, to=FLOAT.dtype), [0]))
    if has_box:
        corner = op.ReduceMean(op.Compress(points, is_corner, axis=0), [0], keepdims=0)
        opposite = op.ReduceMean(op.Compress(points, is_opposite, axis=0), [0], keepdims=0)
        low, high = op.Min(corner, opposite), op.Max(corner, opposite)
        reading, left_top, right_bottom = look_in_box(
            image, low, high, box_weights, box_bias, marks
        )
        clicks, signs = op.Identity(clicked), op.Identity(given)
        beyond = BEYOND * (right_bottom - left_top) + 1.0
        least, most = left_top - beyond, right_bottom + beyond
        answered = op.Constant(value_ints=[0])
    else:
        # The first click on the object is looked at first.
        index = op.Range(0, op.Squeeze(op.Shape(given), [0]), 1)
        start = op.ArgMax(given, axis=0, keepdims=1)
        others = op.Compress(index, op.Not(op.Equal(index, start)), axis=0)
        order = op.Concat(start, others, axis=0)
        clicks, signs = op.Gather(clicked, order, axis=0), op.Gather(given, order, axis=0)
        first, sign = op.Gather(clicks, 0, axis=0), op.Slice(signs, [0], [1])
        reading = first_click(image, first, sign, click_weights, click_bias)
        least = op.Constant(value_floats=[-1e9, -1e9])
        most = op.Constant(value_floats=[1e9, 1e9])
        answered = op.Constant(value_ints=[1])
    xs, ys = op.Gather(clicks, 0, axis=1), op.Gather(clicks, 1, axis=1)
    kept = op.Identity(reading)
    for number in range(op.Squeeze(op.Shape(signs) - answered, [0])):
        count = op.Reshape(number, [1]) + answered + 1
        asked_x, asked_y = op.Slice(xs, [0], count), op.Slice(ys, [0], count)
        kept = correct(image, kept, asked_x, asked_y, op.Slice(signs, [0], count))
    score, x, y, side, logits = unpack(kept)
    scale = side_of(image) / size
    outside = op.Constant(value_floats=OUTSIDE)
    mask = paste(logits, x, y, side, scale, size, outside)
    # A click on the object beside the box: the box does not bound the mask then.
    beside = op.Or(clicks < least, clicks >= most)
    strays = op.And(beside, op.Unsqueeze(signs > 0.0, [1]))
    is_free = op.ReduceSum(op.Cast(strays, to=FLOAT.dtype), keepdims=0) > 0.0
    allowed = op.Or(is_free, within(size, scale, least, most))
    return op.Where(allowed, mask, outside), score


@script()
def decode(
    image_embed: FLOAT[1, 3, "S", "S"],
    high_res_feats_0: FLOAT[1, 1, 1, 1],
    high_res_feats_1: FLOAT[1, 1, 1, 1],
    point_coords: FLOAT["prompts", "points", 2],
    point_labels: FLOAT["prompts", "points"],
    mask_input: FLOAT["prompts", 1, "h", "w"],
    has_mask_input: FLOAT[1],
    click_weights: FLOAT[5],
    click_bias: FLOAT[1],
    box_weights: FLOAT[7],
    box_bias: FLOAT[1],
    marks: FLOAT[1],
    size: FLOAT[1],
):
    """Masks P×1×size×size (logits) and the IoU to expect, P×1, of P prompts."""
    image = op.Squeeze(image_embed, [0])
    length = op.Cast(size, to=INT64.dtype)
    # Masks and then their scores, one row a prompt.
    rows = op.ConstantOfShape(op.Concat(op.Constant(value_ints=[0]), length * length + 1, axis=0))
    for number in range(op.Squeeze(op.Shape(point_labels, end=1), [0])):
        points = op.Gather(point_coords, number, axis=0)
        labels = op.Gather(point_labels, number, axis=0)
        mask, iou = answer(
            image, points, labels, click_weights, click_bias, box_weights, box_bias, marks, size
        )
        row = op.Concat(op.Reshape(mask, [-1]), iou, axis=0)
        rows = op.Concat(rows, op.Unsqueeze(row, [0]), axis=0)
    count = op.Shape(point_labels, end=1)
    masks = op.Slice(rows, [0], length * length, [1])
    ious = op.Slice(rows, length * length, length * length + 1, [1])
    shape = op.Concat(count, op.Constant(value_ints=[1]), length, length, axis=0)
    return op.Reshape(masks, shape), ious
