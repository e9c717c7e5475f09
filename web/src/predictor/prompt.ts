/**
 * Prompt ↔ crop geometry: a port of `picosam2/prompt.py`.
 *
 * Coordinates are continuous, as in COCO: pixel i spans [i, i + 1) and its centre is i + 0.5.
 */
import { type Patch, trim } from "./patches";

/** Side of the network's input in pixels. */
export const CROP_SIZE = 96;
/** Pixels of the network's input. */
export const CROP_PIXELS = CROP_SIZE * CROP_SIZE;

/** The square around (x, y) of an image, in pixels. */
export interface Crop {
  readonly x: number;
  readonly y: number;
  readonly side: number;
}

/** x0, y0, x1, y1 in pixels; x1 and y1 are the far edges. */
export type Corners = readonly [number, number, number, number];

/** Of an image in pixels. */
export interface Size {
  readonly width: number;
  readonly height: number;
}

/** An image: RGBA, rows first, alpha not looked at. */
export interface Pixels extends Size {
  readonly data: Uint8Array | Uint8ClampedArray;
}

/** X of a crop's left edge in pixels. */
export function left(crop: Crop): number {
  return crop.x - crop.side / 2;
}

/** Y of a crop's upper edge in pixels. */
export function top(crop: Crop): number {
  return crop.y - crop.side / 2;
}

/** The part of a box that is in the image. */
export function clipped([x0, y0, x1, y1]: Corners, { width, height }: Size): Corners {
  return [Math.max(0, x0), Math.max(0, y0), Math.min(width, x1), Math.min(height, y1)];
}

/** The square crop around a box; `padding` is added on each side, as a share of its longer side. */
export function boxCrop([x0, y0, x1, y1]: Corners, padding: number): Crop {
  const side = (1 + 2 * padding) * Math.max(x1 - x0, y1 - y0, 1);
  return { x: (x0 + x1) / 2, y: (y0 + y1) / 2, side };
}

/** A crop of the image in the pixels of another crop of it. */
export function relative(inner: Crop, outer: Crop): Crop {
  const scale = CROP_SIZE / outer.side;
  return {
    x: (inner.x - left(outer)) * scale,
    y: (inner.y - top(outer)) * scale,
    side: inner.side * scale,
  };
}

/** Input pixels and weights of each output pixel along one axis. */
interface Taps {
  /** The first input pixel of each output; it may lie outside the input. */
  readonly first: Int32Array;
  /** Inputs of each output. */
  readonly width: number;
  /** Outputs × width; each row sums to 1. */
  readonly weights: Float32Array;
}

/** A triangle filter of `count` output pixels, each `step` input pixels wide. */
function taps(start: number, step: number, count: number): Taps {
  const radius = Math.max(1, step);
  const width = Math.floor(2 * radius) + 1;
  const first = new Int32Array(count);
  const weights = new Float32Array(count * width);
  for (let i = 0; i < count; i++) {
    const centre = start + (i + 0.5) * step - 0.5;
    first[i] = Math.ceil(centre - radius);
    let sum = 0;
    for (let k = 0; k < width; k++) {
      sum += Math.max(0, 1 - Math.abs(first[i]! + k - centre) / radius);
    }
    for (let k = 0; k < width; k++) {
      const weight = Math.max(0, 1 - Math.abs(first[i]! + k - centre) / radius);
      weights[i * width + k] = weight / sum;
    }
  }
  return { first, width, weights };
}

/**
 * Resample a crop to the network's input: bilinear where it is enlarged, anti-aliased where it is
 * shrunk, black outside the image.
 *
 * @returns 3 planes of 96×96: red, green, blue.
 */
export function cut(image: Pixels, crop: Crop): Uint8Array {
  const step = crop.side / CROP_SIZE;
  const rows = taps(top(crop), step, CROP_SIZE);
  const columns = taps(left(crop), step, CROP_SIZE);
  const result = new Uint8Array(3 * CROP_PIXELS);
  const x0 = Math.max(0, columns.first[0]!);
  const x1 = Math.min(image.width, columns.first[CROP_SIZE - 1]! + columns.width);
  if (x0 >= x1) return result;
  const line = new Float32Array((x1 - x0) * 3);
  for (let row = 0; row < CROP_SIZE; row++) {
    line.fill(0);
    for (let k = 0; k < rows.width; k++) {
      const y = rows.first[row]! + k;
      const weight = rows.weights[row * rows.width + k]!;
      if (y < 0 || y >= image.height || weight === 0) continue;
      let from = (y * image.width + x0) * 4;
      for (let to = 0; to < line.length; to += 3, from += 4) {
        line[to]! += weight * image.data[from]!;
        line[to + 1]! += weight * image.data[from + 1]!;
        line[to + 2]! += weight * image.data[from + 2]!;
      }
    }
    for (let column = 0; column < CROP_SIZE; column++) {
      let red = 0;
      let green = 0;
      let blue = 0;
      for (let k = 0; k < columns.width; k++) {
        const x = columns.first[column]! + k;
        if (x < x0 || x >= x1) continue;
        const weight = columns.weights[column * columns.width + k]!;
        red += weight * line[(x - x0) * 3]!;
        green += weight * line[(x - x0) * 3 + 1]!;
        blue += weight * line[(x - x0) * 3 + 2]!;
      }
      const cell = row * CROP_SIZE + column;
      result[cell] = Math.round(red);
      result[cell + CROP_PIXELS] = Math.round(green);
      result[cell + 2 * CROP_PIXELS] = Math.round(blue);
    }
  }
  return result;
}

/**
 * What a mask of the whole image is in a crop: 96×96, from −½ (background) to ½ (object), 0 outside
 * the image.
 */
export function lookUp(mask: Patch, size: Size, crop: Crop): Float32Array {
  const step = crop.side / CROP_SIZE;
  const rows = taps(top(crop), step, CROP_SIZE);
  const columns = taps(left(crop), step, CROP_SIZE);
  const result = new Float32Array(CROP_PIXELS);
  const across = shares(columns, size.width);
  const down = shares(rows, size.height);
  for (let row = 0; row < CROP_SIZE; row++) {
    for (let column = 0; column < CROP_SIZE; column++) {
      let object = 0;
      for (let j = 0; j < rows.width; j++) {
        const y = rows.first[row]! + j - mask.y;
        if (y < 0 || y >= mask.height) continue;
        let sum = 0;
        for (let i = 0; i < columns.width; i++) {
          const x = columns.first[column]! + i - mask.x;
          if (x < 0 || x >= mask.width || !mask.data[y * mask.width + x]) continue;
          sum += columns.weights[column * columns.width + i]!;
        }
        object += sum * rows.weights[row * rows.width + j]!;
      }
      result[row * CROP_SIZE + column] = object - 0.5 * across[column]! * down[row]!;
    }
  }
  return result;
}

/** The share of each output's weights that lies inside an input of `length` pixels. */
function shares(axis: Taps, length: number): Float32Array {
  return axis.first.reduce((result, first, i) => {
    for (let k = 0; k < axis.width; k++) {
      if (first + k >= 0 && first + k < length) result[i]! += axis.weights[i * axis.width + k]!;
    }
    return result;
  }, new Float32Array(axis.first.length));
}

/** The outputs of one axis that a part of a crop decides: the first, and the taps into the part. */
interface Inverse extends Taps {
  readonly start: number;
  readonly count: number;
}

function inverse(low: number, high: number, inputs: number, outputs: number): Inverse {
  const side = high - low;
  const start = Math.max(0, Math.ceil(low - 0.5));
  const end = Math.min(outputs, Math.ceil(high - 0.5));
  const count = Math.max(0, end - start);
  const axis = taps(((start - low) * inputs) / side, inputs / side, count);
  return { ...axis, start, count };
}

/** Rows and columns of a crop's logits, from the first to the one after the last. */
interface Part {
  readonly x0: number;
  readonly y0: number;
  readonly x1: number;
  readonly y1: number;
}

const WHOLE: Part = { x0: 0, y0: 0, x1: CROP_SIZE, y1: CROP_SIZE };

/**
 * Put a crop's logits back into the image, row by row: `take` gets the row's y, the x of its first
 * pixel and its values, in an array that is used again.
 */
export function paste(
  logits: Float32Array,
  crop: Crop,
  size: Size,
  take: (y: number, x: number, values: Float32Array) => void,
  part: Part = WHOLE,
): void {
  const across = part.x1 - part.x0;
  const down = part.y1 - part.y0;
  // The last part ends where the crop does, to the last bit.
  const at = (low: number, cell: number) => low + (crop.side * cell) / CROP_SIZE;
  const columns = inverse(at(left(crop), part.x0), at(left(crop), part.x1), across, size.width);
  const rows = inverse(at(top(crop), part.y0), at(top(crop), part.y1), down, size.height);
  const wide = new Float32Array(down * columns.count);
  for (let row = 0; row < down; row++) {
    for (let column = 0; column < columns.count; column++) {
      let sum = 0;
      for (let k = 0; k < columns.width; k++) {
        const x = Math.min(across - 1, Math.max(0, columns.first[column]! + k));
        const value = logits[(part.y0 + row) * CROP_SIZE + part.x0 + x]!;
        sum += columns.weights[column * columns.width + k]! * value;
      }
      wide[row * columns.count + column] = sum;
    }
  }
  const values = new Float32Array(columns.count);
  for (let row = 0; row < rows.count; row++) {
    values.fill(0);
    for (let k = 0; k < rows.width; k++) {
      const y = Math.min(down - 1, Math.max(0, rows.first[row]! + k));
      const weight = rows.weights[row * rows.width + k]!;
      if (weight === 0) continue;
      for (let column = 0; column < columns.count; column++) {
        values[column]! += weight * wide[y * columns.count + column]!;
      }
    }
    take(rows.start + row, columns.start, values);
  }
}

/** As {@link paste}, then `> 0`: the mask's pixels in the image. */
export function pasteMask(logits: Float32Array, crop: Crop, size: Size): Patch {
  const lines: [number, number, Uint8Array][] = [];
  const part = positivePart(logits, Math.ceil(CROP_SIZE / crop.side) + 1);
  paste(
    logits,
    crop,
    size,
    (y, x, values) => {
      // Not `from`: it goes through an iterator, which millions of pixels feel.
      const line = new Uint8Array(values.length);
      for (let i = 0; i < line.length; i++) line[i] = values[i]! > 0 ? 1 : 0;
      lines.push([y, x, line]);
    },
    part,
  );
  const width = lines[0]?.[2].length ?? 0;
  const data = new Uint8Array(width * lines.length);
  lines.forEach(([, , line], row) => data.set(line, row * width));
  const [y, x] = lines[0] ?? [0, 0];
  return trim({ x, y, width, height: lines.length, data });
}

/** What holds all logits above 0, and a ring of others: between others nothing is above 0. */
function positivePart(logits: Float32Array, ring: number): Part {
  let [x0, y0, x1, y1] = [CROP_SIZE, CROP_SIZE, -1, -1];
  for (let cell = 0; cell < logits.length; cell++) {
    if (!(logits[cell]! > 0)) continue;
    const x = cell % CROP_SIZE;
    const y = (cell - x) / CROP_SIZE;
    x0 = Math.min(x0, x);
    x1 = Math.max(x1, x);
    y0 = Math.min(y0, y);
    y1 = Math.max(y1, y);
  }
  if (x1 < 0) [x0, y0, x1, y1] = [0, 0, 0, 0];
  return {
    x0: Math.max(0, x0 - ring),
    y0: Math.max(0, y0 - ring),
    x1: Math.min(CROP_SIZE, x1 + 1 + ring),
    y1: Math.min(CROP_SIZE, y1 + 1 + ring),
  };
}
