/** Non-maximum suppression of boxes: a port of `picosam2/automatic/suppression.py`. */
import type { Corners } from "../predictor/prompt";

/** What is found where. */
export interface Scored {
  readonly box: Corners;
  readonly score: number;
}

/** Those that no better one overlaps by more than `threshold` (IoU), the best first. */
export function suppress<T extends Scored>(found: readonly T[], threshold: number): T[] {
  const kept: T[] = [];
  for (const one of [...found].sort((a, b) => b.score - a.score)) {
    if (kept.every((other) => boxIou(other.box, one.box) <= threshold)) kept.push(one);
  }
  return kept;
}

/** Intersection over union of two boxes. */
export function boxIou(a: Corners, b: Corners): number {
  const across = Math.max(0, Math.min(a[2], b[2]) - Math.max(a[0], b[0]));
  const down = Math.max(0, Math.min(a[3], b[3]) - Math.max(a[1], b[1]));
  const shared = across * down;
  return shared / (size(a) + size(b) - shared);
}

function size([x0, y0, x1, y1]: Corners): number {
  return (x1 - x0) * (y1 - y0);
}
