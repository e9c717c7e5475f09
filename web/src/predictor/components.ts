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

/** The number of each cell's part, from 1; 0 where the mask is not. */
export function label(mask: ArrayLike<number | boolean>): Int32Array {
  const labels = new Int32Array(CROP_PIXELS);
  let count = 0;
  for (let start = 0; start < CROP_PIXELS; start++) {
    if (!mask[start] || labels[start]) continue;
    labels[start] = ++count;
    const open = [start];
    for (let cell = open.pop(); cell !== undefined; cell = open.pop()) {
      for (const next of neighbours(cell)) {
        if (!mask[next] || labels[next]) continue;
        labels[next] = count;
        open.push(next);
      }
    }
  }
  return labels;
}

/** Where logits are object: 1, else 0. */
export function positive(logits: Float32Array): Uint8Array {
  return Uint8Array.from(logits, (value) => (value > 0 ? 1 : 0));
}

/** The place of a point in the crop's pixels; −1 outside the crop. */
export function cellAt(x: number, y: number): number {
  const column = Math.floor(x);
  const row = Math.floor(y);
  const outside = column < 0 || row < 0 || column >= CROP_SIZE || row >= CROP_SIZE;
  return outside ? -1 : row * CROP_SIZE + column;
}
