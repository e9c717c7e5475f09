/** What a box says about its mask: a port of `picosam2/predictor/boxes.py`. */
import { CONFIG, SHIFTS } from "./config";
import { CROP_PIXELS, CROP_SIZE, type Corners, type Crop, left, top } from "./prompt";

/**
 * Logits of a mask that ends where the box (in the crop's pixels) does.
 *
 * @param marked - whether the network was shown the box.
 */
export function fitToBox(logits: Float32Array, box: Corners, marked: boolean): Float32Array {
  const [x0, y0, x1, y1] = box;
  const { slope, deepest, shiftCost } = fitOf(marked);
  const across = beyond(x0, x1);
  const down = beyond(y0, y1);
  const lowered = logits.map((value, cell) => {
    const x = cell % CROP_SIZE;
    const away = down[(cell - x) / CROP_SIZE]! + across[x]!;
    return value - Math.fround(Math.min(slope * away, deepest));
  });
  let [best, gain] = [0, -Infinity];
  for (const shift of SHIFTS) {
    const found = overlap(lowered, -shift, box) - shiftCost * Math.abs(shift);
    if (found > gain) [best, gain] = [shift, found];
  }
  return lowered.map((value) => value + best);
}

/**
 * Where a careless box (in the crop's pixels) may rather be: halfway to the bounding box of the
 * network's own mask; null where it is not careless.
 */
export function halfwayBox(logits: Float32Array, box: Corners, marked: boolean): Corners | null {
  const { careless, mostMoved } = fitOf(marked);
  const own = boundsAbove(logits, 0);
  if (!own || boxOverlap(logits, box) >= careless) return null;
  const [x0, y0, x1, y1] = box;
  const most = [mostMoved * (x1 - x0), mostMoved * (y1 - y0)] as const;
  const move = (i: 0 | 1 | 2 | 3) => {
    const limit = most[i % 2]!;
    return box[i] + Math.max(-limit, Math.min(limit, (own[i] - box[i]) / 2));
  };
  return [move(0), move(1), move(2), move(3)];
}

/** How masks are fitted to a box that the network was shown, or not. */
function fitOf(marked: boolean) {
  return { ...CONFIG.box, ...(marked && CONFIG.markedBox) };
}

/** The bounds that a mask keeps to, in the image's pixels. */
export function boxBounds([x0, y0, x1, y1]: Corners): Corners {
  const across = CONFIG.box.margin * (x1 - x0) + 1;
  const down = CONFIG.box.margin * (y1 - y0) + 1;
  return [x0 - across, y0 - down, x1 + across, y1 + down];
}

/** A box of the image in the pixels of a crop; sides shorter than a pixel count as one. */
export function boxInCrop([x0, y0, x1, y1]: Corners, crop: Crop): Corners {
  const scale = CROP_SIZE / crop.side;
  const [x, y] = [(x0 + x1) / 2, (y0 + y1) / 2];
  const [width, height] = [Math.max(1, x1 - x0), Math.max(1, y1 - y0)];
  return [
    (x - width / 2 - left(crop)) * scale,
    (y - height / 2 - top(crop)) * scale,
    (x + width / 2 - left(crop)) * scale,
    (y + height / 2 - top(crop)) * scale,
  ];
}

/** IoU of the mask's bounding box with a box, both in the crop's pixels. */
export function boxOverlap(logits: Float32Array, box: Corners): number {
  return overlap(logits, 0, box);
}

/** The same of the mask above a threshold; 0 where it is empty. */
function overlap(logits: Float32Array, threshold: number, [x0, y0, x1, y1]: Corners): number {
  const found = boundsAbove(logits, threshold);
  if (!found) return 0;
  const [u0, v0, u1, v1] = found;
  const shared =
    Math.max(0, Math.min(x1, u1) - Math.max(x0, u0)) *
    Math.max(0, Math.min(y1, v1) - Math.max(y0, v0));
  return shared / ((u1 - u0) * (v1 - v0) + (x1 - x0) * (y1 - y0) - shared);
}

/** The bounding box of what is above a threshold, in the crop's pixels; null for none. */
export function boundsAbove(logits: Float32Array, threshold: number): Corners | null {
  let [x0, y0, x1, y1] = [CROP_SIZE, CROP_SIZE, 0, 0];
  for (let cell = 0; cell < CROP_PIXELS; cell++) {
    if (!(logits[cell]! > threshold)) continue;
    const x = cell % CROP_SIZE;
    const y = (cell - x) / CROP_SIZE;
    x0 = Math.min(x0, x);
    y0 = Math.min(y0, y);
    x1 = Math.max(x1, x + 1);
    y1 = Math.max(y1, y + 1);
  }
  return x1 === 0 ? null : [x0, y0, x1, y1];
}

/** How far each pixel lies outside an interval, in lengths of the interval (a pixel at least). */
function beyond(low: number, high: number): Float64Array {
  const [middle, length] = [(low + high) / 2, Math.max(1, high - low)];
  return Float64Array.from(
    { length: CROP_SIZE },
    (_, i) => Math.max(0, Math.abs(i + 0.5 - middle) - length / 2) / length,
  );
}
