/** Where to look when nobody says where: a port of `picosam2/automatic/grid.py`. */
import { sides } from "../predictor/looks";
import type { Crop, Size } from "../predictor/prompt";

/** Neighbouring crops of one scale are at most this share of their side apart. */
const SPACING = 1 / 3;

/**
 * The crops to look at in an image, small ones first; each scale has a grid of its own.
 *
 * @param pointsPerSide - of the densest grid.
 * @param shares - sides of the crops, as shares of the image's longer side.
 */
export function gridCrops(
  { width, height }: Size,
  pointsPerSide: number,
  shares: readonly number[],
): Crop[] {
  const longer = Math.max(width, height);
  return sides(shares.map((share) => share * longer)).flatMap((side) => {
    const count = Math.min(pointsPerSide, Math.ceil(longer / (SPACING * side)));
    return Array.from({ length: count * count }, (_, i) => ({
      x: (((i % count) + 0.5) / count) * width,
      y: ((Math.floor(i / count) + 0.5) / count) * height,
      side,
    }));
  });
}
