/** What comes after the first look: a port of `picosam2/predictor/corrections.py`. */
import { boxBounds } from "./boxes";
import { cellAt, label, positive as object } from "./components";
import { CONFIG } from "./config";
import { type Patch, boundsOf, trim } from "./patches";
import { CLICK_RADIUS, type Place, makePrior } from "./prior";
import {
  CROP_PIXELS,
  CROP_SIZE,
  type Corners,
  type Crop,
  type Size,
  left,
  lookUp,
  pasteMask,
  relative,
  top,
} from "./prompt";
import { type Click, type Merge, type Reading, extent, some } from "./readings";

/** Logits that a click's surroundings get where the network does not obey it. */
const SURE = 4;

/** A reading, or a mask whose pixels change only where clicks are. */
export type Before = Reading | { readonly mask: Patch };

/** The crops in which a mask is corrected: fitted to it and to the clicks. */
export function correctionCrops(
  before: Before,
  clicks: readonly Click[],
  size: Size,
  count: number,
): Crop[] {
  const found = extentOf(before);
  // What is not the object matters where it was taken for it, which is inside the mask before.
  const points = clicks.filter((click) => click.positive || click === clicks.at(-1));
  const xs = points.map((click) => click.x);
  const ys = points.map((click) => click.y);
  if (found) {
    xs.push(found[0], found[2]);
    ys.push(found[1], found[3]);
  }
  const [x0, x1, y0, y1] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
  let longer = Math.max(x1 - x0, y1 - y0);
  // Nothing says how large the object is.
  if (!found) longer = Math.max(longer, Math.max(size.width, size.height) * CONFIG.clickSides[2]);
  return CONFIG.correctionMargins.slice(0, count).map((margin) => ({
    x: (x0 + x1) / 2,
    y: (y0 + y1) / 2,
    side: Math.max(CONFIG.minSide, margin * longer),
  }));
}

/** What the network is shown beside the photograph's crop. */
export function priorIn(
  before: Before,
  clicks: readonly Click[],
  crop: Crop,
  size: Size,
): Int8Array {
  return makePrior(maskIn(before, crop, size), placesIn(clicks, crop));
}

/** The mask before, in the pixels of a crop. */
export function maskIn(before: Before, crop: Crop, size: Size): Uint8Array {
  if ("mask" in before) return object(lookUp(before.mask, size, crop));
  const frame = { width: CROP_SIZE, height: CROP_SIZE };
  const patch = pasteMask(before.logits, relative(before.crop, crop), frame);
  const mask = new Uint8Array(CROP_PIXELS);
  for (let row = 0; row < patch.height; row++) {
    const line = patch.data.subarray(row * patch.width, (row + 1) * patch.width);
    mask.set(line, (patch.y + row) * CROP_SIZE + patch.x);
  }
  return mask;
}

/** The network's answer, made to keep the promises: clicks are obeyed, given masks stay. */
export function readCorrection(
  before: Before,
  clicks: readonly Click[],
  within: Corners | null,
  crop: Crop,
  answer: Float32Array,
  score: number,
  size: Size,
): Reading {
  const logits = obey(answer, crop, clicks);
  const limits = "mask" in before ? within && boxBounds(within) : before.bounds;
  const bounds = limits && clicks.every((click) => isInside(click, limits)) ? limits : null;
  const sure = some(logits) ? score : 0;
  const merge = "mask" in before ? merged(before.mask, logits, crop, clicks, size) : null;
  return { crop, logits, score: sure, bounds, clicks, merge, halfway: null };
}

/**
 * Logits that have every click's sign around it. A negative click in a part of the mask that holds
 * no positive one takes that part away; else a disc of the clicks' size changes.
 */
export function obey(logits: Float32Array, crop: Crop, clicks: readonly Click[]): Float32Array {
  const result = logits.slice();
  const places = placesIn(clicks, crop);
  for (const { x, y, positive } of places) {
    const cell = cellAt(x, y);
    if (cell < 0 || result[cell]! > 0 === positive) continue;
    const changed = discAt(x, y, crop);
    if (!positive) addPart(changed, result, cell, places);
    for (let i = 0; i < CROP_PIXELS; i++) {
      if (changed[i]) result[i] = Math.max(SURE, Math.abs(result[i]!)) * (positive ? 1 : -1);
    }
  }
  return result;
}

/** The pixels that are a click's own. */
function discAt(x: number, y: number, crop: Crop): Uint8Array {
  // A pixel of the image may be wider than the disc.
  const radius = Math.max(CLICK_RADIUS, (1.5 * CROP_SIZE) / crop.side);
  return new Uint8Array(CROP_PIXELS).map((_, cell) => {
    const column = cell % CROP_SIZE;
    const row = (cell - column) / CROP_SIZE;
    return (column + 0.5 - x) ** 2 + (row + 0.5 - y) ** 2 <= radius ** 2 ? 1 : 0;
  });
}

/** Add the connected part around a cell, unless a positive click is in it. */
function addPart(
  changed: Uint8Array,
  logits: Float32Array,
  cell: number,
  places: readonly Place[],
): void {
  const labels = label(object(logits));
  const part = labels[cell];
  const held = places.some(({ x, y, positive }) => {
    const other = cellAt(x, y);
    return positive && other >= 0 && labels[other] === part;
  });
  if (held) return;
  labels.forEach((value, i) => {
    if (value === part) changed[i] = 1;
  });
}

/** Which pixels the clicks add to a given mask and which they take away; all others stay. */
function merged(
  mask: Patch,
  logits: Float32Array,
  crop: Crop,
  clicks: readonly Click[],
  size: Size,
): Merge {
  const before = maskIn({ mask }, crop, size);
  return {
    mask,
    added: changes(before, logits, crop, clicks, true),
    removed: changes(before, logits, crop, clicks, false),
  };
}

/**
 * What clicks of a kind change: parts that touch them, through pixels that the network is sure of
 * or that are the click's own.
 */
function changes(
  before: Uint8Array,
  logits: Float32Array,
  crop: Crop,
  clicks: readonly Click[],
  positive: boolean,
): Uint8Array {
  const result = new Uint8Array(CROP_PIXELS);
  for (const { x, y, positive: adds } of placesIn(clicks, crop)) {
    if (adds !== positive || cellAt(x, y) < 0) continue;
    const disc = discAt(x, y, crop);
    const labels = label(
      disc.map((own, i) => {
        const value = logits[i]!;
        const changed = value > 0 === adds && !!before[i] !== adds;
        return changed && (own || Math.abs(value) > CONFIG.correctionSure) ? 1 : 0;
      }),
    );
    const touched = new Set<number>();
    for (const dy of [-1, 0, 1]) {
      for (const dx of [-1, 0, 1]) {
        const cell = cellAt(x + dx, y + dy);
        if (cell >= 0 && labels[cell]) touched.add(labels[cell]);
      }
    }
    for (let i = 0; i < CROP_PIXELS; i++) if (touched.has(labels[i]!)) result[i] = 1;
  }
  return result;
}

/** Clicks in the pixels of a crop. */
function placesIn(clicks: readonly Click[], crop: Crop): Place[] {
  const scale = CROP_SIZE / crop.side;
  return clicks.map(({ x, y, positive }) => ({
    x: (x - left(crop)) * scale,
    y: (y - top(crop)) * scale,
    positive,
  }));
}

/** Whether a positive click lies within bounds; a negative one may lie anywhere. */
function isInside({ x, y, positive }: Click, [x0, y0, x1, y1]: Corners): boolean {
  return !positive || (x0 <= x && x < x1 && y0 <= y && y < y1);
}

/** The extent of a mask in the image's pixels; null where it is empty. */
export function extentOf(before: Before): Corners | null {
  if (!("mask" in before)) return extent(before);
  const mask = trim(before.mask);
  return mask.width ? boundsOf(mask) : null;
}
