/** What is made of the network's answer to one crop: a port of `picosam2/predictor/readings.py`. */
import { boundsAbove, boxBounds, boxInCrop, fitToBox, halfwayBox } from "./boxes";
import { cellAt, label, positive } from "./components";
import { type Patch, iou } from "./patches";
import { CROP_SIZE, type Corners, type Crop, left, pasteMask, relative, top } from "./prompt";
import { type ScoreModel, borderShare, boxEvidence, clickEvidence, expected } from "./scores";

/** Two readings whose masks agree more than this are one. */
const SAME_READING_IOU = 0.8;
const FRAME = { width: CROP_SIZE, height: CROP_SIZE };

/** A click in the image's pixels; a negative one says what is not part of the object. */
export interface Click {
  readonly x: number;
  readonly y: number;
  readonly positive: boolean;
}

/** What of a given mask changes: 96×96 of the crop. */
export interface Merge {
  readonly mask: Patch;
  readonly added: Uint8Array;
  readonly removed: Uint8Array;
}

/** One answer to a prompt. */
export interface Reading {
  readonly crop: Crop;
  /** 96×96 of the crop, above 0 is object. */
  readonly logits: Float32Array;
  /** Predicted IoU in 0..1. */
  readonly score: number;
  /** What the mask keeps to, in the image's pixels. */
  readonly bounds: Corners | null;
  /** That its pixels obey. */
  readonly clicks: readonly Click[];
  /** The mask that it changes in part; null where it is the whole answer. */
  readonly merge: Merge | null;
  /** Where its box is careless: the box halfway to the network's own mask, in the image's pixels. */
  readonly halfway: Corners | null;
}

/** A mask that nothing bounds and no click has changed. */
export function unbounded(crop: Crop, logits: Float32Array, score: number): Reading {
  return { crop, logits, score, bounds: null, clicks: [], merge: null, halfway: null };
}

/** The network's answer to a crop around a click. */
export function readClick(
  crop: Crop,
  logits: Float32Array,
  score: number,
  model: ScoreModel,
): Reading {
  const sure = some(logits) ? expected(model, clickEvidence(logits, score)) : 0;
  return unbounded(crop, logits, sure);
}

/** The network's answer to a crop around a box, fitted to it. */
export function readBox(
  crop: Crop,
  logits: Float32Array,
  score: number,
  box: Corners,
  marked: boolean,
  model: ScoreModel,
): Reading {
  const inner = boxInCrop(box, crop);
  const fit = fitToBox(logits, inner, marked);
  const sure = some(fit) ? expected(model, boxEvidence(logits, fit, score, inner)) : 0;
  const moved = halfwayBox(logits, inner, marked);
  const halfway = moved && inImage(moved, crop);
  const bounds = boxBounds(box);
  return { crop, logits: fit, score: sure, bounds, clicks: [], merge: null, halfway };
}

/** Whether any pixel is object. */
export function some(logits: Float32Array): boolean {
  return logits.some((value) => value > 0);
}

/** Drop what is not connected to the object under a click. */
export function keepComponent(reading: Reading, x: number, y: number): Reading {
  const { crop, logits } = reading;
  const scale = CROP_SIZE / crop.side;
  const cell = cellAt((x - left(crop)) * scale, (y - top(crop)) * scale);
  if (cell < 0 || !(logits[cell]! > 0)) return reading;
  const labels = label(positive(logits));
  const kept = labels[cell];
  const others = logits.map((value, i) =>
    labels[i] && labels[i] !== kept ? -Math.abs(value) : value,
  );
  return { ...reading, logits: others };
}

/** The first `count` readings whose masks differ from those before them. */
export function different(readings: readonly Reading[], count: number): Reading[] {
  const chosen: Reading[] = [];
  for (const reading of readings) {
    if (chosen.length === count) break;
    if (chosen.every((other) => overlap(reading, other) <= SAME_READING_IOU)) chosen.push(reading);
  }
  return chosen;
}

/** IoU of two readings, on the pixels of the larger crop. */
function overlap(a: Reading, b: Reading): number {
  const [small, large] = a.crop.side <= b.crop.side ? [a, b] : [b, a];
  const whole = { x: CROP_SIZE / 2, y: CROP_SIZE / 2, side: CROP_SIZE };
  return iou(
    pasteMask(small.logits, relative(small.crop, large.crop), FRAME),
    pasteMask(large.logits, whole, FRAME),
  );
}

/** Whether the mask reaches the border of its crop, so that the object may go on beyond. */
export function isCut(reading: Reading): boolean {
  return borderShare(reading.logits) > 0;
}

/** Whether the mask leaves some of its crop's border free. */
export function hasOutline(reading: Reading): boolean {
  return borderShare(reading.logits) < 1;
}

/** The extent of a mask in the image's pixels; null where it is empty. */
export function extent({ crop, logits }: Reading): Corners | null {
  const found = boundsAbove(logits, 0);
  return found && inImage(found, crop);
}

/** A box in the pixels of a crop, in those of the image. */
function inImage([x0, y0, x1, y1]: Corners, crop: Crop): Corners {
  const scale = crop.side / CROP_SIZE;
  return [
    left(crop) + x0 * scale,
    top(crop) + y0 * scale,
    left(crop) + x1 * scale,
    top(crop) + y1 * scale,
  ];
}

/** The crop for a second look at a mask; null where the mask is empty or fitted already. */
export function fitted(reading: Reading, margin: number, minSide: number): Crop | null {
  const found = extent(reading);
  if (!found) return null;
  const [x0, y0, x1, y1] = found;
  const { crop } = reading;
  const side = Math.max(minSide, margin * Math.max(x1 - x0, y1 - y0));
  const [x, y] = [(x0 + x1) / 2, (y0 + y1) / 2];
  const shift = Math.max(Math.abs(x - crop.x), Math.abs(y - crop.y));
  return Math.abs(side / crop.side - 1) < 0.1 && shift < 0.05 * side ? null : { x, y, side };
}
