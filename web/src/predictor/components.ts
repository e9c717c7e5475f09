/** Connected parts of a 96×96 mask, by their edges, as `scipy.ndimage.label` finds them. */
import { CROP_PIXELS, CROP_SIZE } from "./prompt";

/** The four neighbours of a cell inside the crop. */
export function* neighbours(cell: number): Generator<number> {
  const column = cell % CROP_SIZE;
  if (column > 0) yield cell - 1;
  if (column < CROP_SIZE - 1) yield cell + 1;
  if (cell >= CROP_SIZE) yield cell - CROP_SIZE;
  if (cell < CROP_PIXELS - CROP_SIZE) yield cell + CROP_SIZE;
}

/** The crop with a border of one cell, so that every cell has four neighbours. */
const WIDE = CROP_SIZE + 2;
const STEPS = [-1, 1, -WIDE, WIDE];

/** The number of each cell's part, from 1; 0 where the mask is not. */
export function label(mask: ArrayLike<number>): Int32Array {
  // −1: in the mask, and in no part yet.
  const wide = new Int32Array(WIDE * WIDE);
  for (let cell = 0; cell < CROP_PIXELS; cell++) if (mask[cell]) wide[inWide(cell)] = -1;
  const open = new Int32Array(CROP_PIXELS);
  let count = 0;
  for (let start = 0; start < wide.length; start++) {
    if (wide[start]! >= 0) continue;
    wide[start] = ++count;
    open[0] = start;
    for (let length = 1; length > 0; ) {
      const cell = open[--length]!;
      for (const step of STEPS) {
        if (wide[cell + step]! >= 0) continue;
        wide[cell + step] = count;
        open[length++] = cell + step;
      }
    }
  }
  const labels = new Int32Array(CROP_PIXELS);
  for (let cell = 0; cell < CROP_PIXELS; cell++) labels[cell] = wide[inWide(cell)]!;
  return labels;
}

function inWide(cell: number): number {
  const column = cell % CROP_SIZE;
  return ((cell - column) / CROP_SIZE + 1) * WIDE + column + 1;
}

/** Where logits are object: 1, else 0. */
export function positive(logits: Float32Array): Uint8Array {
  // Not `from`: it goes through an iterator.
  const mask = new Uint8Array(logits.length);
  for (let i = 0; i < mask.length; i++) mask[i] = logits[i]! > 0 ? 1 : 0;
  return mask;
}

/** The place of a point in the crop's pixels; −1 outside the crop. */
export function cellAt(x: number, y: number): number {
  const column = Math.floor(x);
  const row = Math.floor(y);
  const outside = column < 0 || row < 0 || column >= CROP_SIZE || row >= CROP_SIZE;
  return outside ? -1 : row * CROP_SIZE + column;
}
