/** What a correcting network is shown beside the photograph: a port of `predictor/prior.py`. */
import { CROP_PIXELS, CROP_SIZE } from "./prompt";

/** Radius of a click's disc in the crop's pixels. */
export const CLICK_RADIUS = 3;

/** A click in the crop's pixels; it may lie outside. */
export interface Place {
  readonly x: number;
  readonly y: number;
  readonly positive: boolean;
}

/**
 * Two planes of 96×96: the mask before (+1 object, −1 none) and the clicks (+1, −1, 0; later ones
 * cover earlier).
 */
export function makePrior(before: Uint8Array, clicks: readonly Place[]): Int8Array {
  const prior = new Int8Array(2 * CROP_PIXELS);
  before.forEach((on, cell) => (prior[cell] = on ? 1 : -1));
  for (const { x, y, positive } of clicks) {
    for (let row = Math.max(0, Math.floor(y - CLICK_RADIUS)); row < CROP_SIZE; row++) {
      if (row >= Math.ceil(y + CLICK_RADIUS)) break;
      for (let column = Math.max(0, Math.floor(x - CLICK_RADIUS)); column < CROP_SIZE; column++) {
        if (column >= Math.ceil(x + CLICK_RADIUS)) break;
        const distance = (column + 0.5 - x) ** 2 + (row + 0.5 - y) ** 2;
        if (distance > CLICK_RADIUS ** 2) continue;
        prior[CROP_PIXELS + row * CROP_SIZE + column] = positive ? 1 : -1;
      }
    }
  }
  return prior;
}
