/** From readings to masks of the image: a port of `picosam2/predictor/drawing.py`. */
import { neighbours } from "./components";
import { type Patch, keepWithin, subtract, union, withPixel } from "./patches";
import { type Size, pasteMask } from "./prompt";
import type { Merge, Reading } from "./readings";

const OUTSIDE_LOGIT = -32;

/** The mask of a reading in the image. */
export function drawMask(reading: Reading, size: Size): Patch {
  const { crop, logits, merge, bounds, clicks } = reading;
  let mask = merge ? changed(reading, merge, size) : pasteMask(logits, crop, size);
  if (bounds) mask = keepWithin(mask, bounds, size);
  for (const { x, y, positive } of clicks) {
    mask = withPixel(mask, Math.floor(x), Math.floor(y), positive);
  }
  return mask;
}

function changed({ crop, logits }: Reading, merge: Merge, size: Size): Patch {
  const added = only(logits, merge.added);
  const removed = only(
    logits.map((value) => -value),
    merge.removed,
  );
  const more = union(merge.mask, pasteMask(added, crop, size));
  return subtract(more, pasteMask(removed, crop, size));
}

/** Logits in a part of the crop and a pixel around it: between two of its pixels lie several. */
function only(logits: Float32Array, part: Uint8Array): Float32Array {
  return logits.map((value, cell) => {
    if (part[cell]) return value;
    for (const next of neighbours(cell)) if (part[next]) return value;
    return OUTSIDE_LOGIT;
  });
}
