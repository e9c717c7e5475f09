/** A box drawn on its crop: a port of `picosam2/marks.py`. */
import type { Corners } from "./prompt";

const TINT = [255, 0, 255] as const;

/** Three planes of a square crop with its pixels outside the box (in the crop's pixels) tinted. */
export function markBox(planes: Uint8Array, [x0, y0, x1, y1]: Corners): Uint8Array {
  const area = planes.length / TINT.length;
  const size = Math.sqrt(area);
  return planes.map((value, i) => {
    const x = (i % size) + 0.5;
    const y = Math.floor((i % area) / size) + 0.5;
    const inside = x >= x0 && x < x1 && y >= y0 && y < y1;
    return inside ? value : (value + TINT[Math.floor(i / area)]! + 1) >> 1;
  });
}
