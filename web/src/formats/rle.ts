/** COCO's run-length encoding of masks: columns first, background first. */
import { type Patch, trim } from "../predictor/patches";
import type { Size } from "../predictor/prompt";

/** As COCO's JSON has it: `size` is height, width; `counts` runs or their compressed form. */
export interface Rle {
  readonly size: readonly [number, number];
  readonly counts: string | readonly number[];
}

/** The runs of a mask in an image. */
export function runs(patch: Patch, { width, height }: Size): number[] {
  const counts: number[] = [];
  let value = 0;
  let start = 0;
  for (let column = 0; column < patch.width; column++) {
    for (let row = 0; row <= patch.height; row++) {
      const next = row < patch.height ? patch.data[row * patch.width + column]! : 0;
      if (next === value) continue;
      const at = (patch.x + column) * height + patch.y + row;
      // A mask from the last row to the first of the next column is one run.
      if (next === 1 && counts.length && at === start) start -= counts.pop()!;
      else {
        counts.push(at - start);
        start = at;
      }
      value = next;
    }
  }
  return [...counts, width * height - start];
}

/** A mask as compressed RLE. */
export function encode(patch: Patch, size: Size): Rle {
  return { size: [size.height, size.width], counts: compress(runs(patch, size)) };
}

/** COCO's compressed form: differences in groups of five bits. */
export function compress(counts: readonly number[]): string {
  let text = "";
  counts.forEach((count, i) => {
    let rest = i > 2 ? count - counts[i - 2]! : count;
    for (let more = true; more; ) {
      const bits = rest & 31;
      rest >>= 5;
      more = bits & 16 ? rest !== -1 : rest !== 0;
      text += String.fromCharCode((more ? bits | 32 : bits) + 48);
    }
  });
  return text;
}

function decompress(text: string): number[] {
  const counts: number[] = [];
  for (let at = 0; at < text.length; ) {
    let value = 0;
    let shift = 0;
    let bits: number;
    do {
      bits = text.charCodeAt(at++) - 48;
      value |= (bits & 31) << shift;
      shift += 5;
    } while (bits & 32 && at < text.length);
    if (bits & 16 && shift < 32) value |= -1 << shift;
    if (counts.length > 2) value += counts[counts.length - 2]!;
    counts.push(value);
  }
  return counts;
}

/**
 * The mask of an RLE.
 *
 * @throws Error its runs do not add up to the image.
 */
export function decode({ size: [height, width], counts }: Rle): Patch {
  const lengths = typeof counts === "string" ? decompress(counts) : counts;
  const total = lengths.reduce((sum, length) => (length < 0 ? NaN : sum + length), 0);
  if (total !== width * height) throw new Error("the runs of a mask do not add up to its image");
  // Only the columns between the first and the last run of object are drawn.
  const end = lengths.length % 2 ? total - lengths.at(-1)! : total;
  const x0 = Math.floor(lengths[0]! / height);
  const x1 = Math.max(x0, Math.ceil(end / height));
  const data = new Uint8Array((x1 - x0) * height);
  let at = 0;
  lengths.forEach((length, i) => {
    for (let stop = at + length; i % 2 === 1 && at < stop; at++) {
      const column = Math.floor(at / height);
      data[(at - column * height) * (x1 - x0) + column - x0] = 1;
    }
    if (i % 2 === 0) at += length;
  });
  return trim({ x: x0, y: 0, width: x1 - x0, height, data });
}
