/** Masks as the rectangle of the image that holds them. */
import type { Corners, Size } from "./prompt";

/** The mask's pixels inside a rectangle of the image; all others are background. */
export interface Patch {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  /** 0 or 1, rows first. */
  readonly data: Uint8Array;
}

/** Nothing. */
export const EMPTY: Patch = { x: 0, y: 0, width: 0, height: 0, data: new Uint8Array(0) };

/** Pixels of the mask. */
export function area(patch: Patch): number {
  let sum = 0;
  for (let i = 0; i < patch.data.length; i++) sum += patch.data[i]!;
  return sum;
}

/** The rectangle that holds the mask. */
export function boundsOf({ x, y, width, height }: Patch): Corners {
  return [x, y, x + width, y + height];
}

/** Whether a pixel of the image is in the mask. */
export function has(patch: Patch, x: number, y: number): boolean {
  const [column, row] = [x - patch.x, y - patch.y];
  if (column < 0 || row < 0 || column >= patch.width || row >= patch.height) return false;
  return patch.data[row * patch.width + column] === 1;
}

/** The same mask in the smallest rectangle. */
export function trim(patch: Patch): Patch {
  let [x0, y0, x1, y1] = [patch.width, patch.height, -1, -1];
  for (let y = 0; y < patch.height; y++) {
    const line = patch.data.subarray(y * patch.width, (y + 1) * patch.width);
    const first = line.indexOf(1);
    if (first < 0) continue;
    x0 = Math.min(x0, first);
    x1 = Math.max(x1, line.lastIndexOf(1));
    y0 = Math.min(y0, y);
    y1 = y;
  }
  if (x1 < 0) return EMPTY;
  const frame = {
    x: patch.x + x0,
    y: patch.y + y0,
    width: x1 - x0 + 1,
    height: y1 - y0 + 1,
  };
  if (frame.width === patch.width && frame.height === patch.height) return patch;
  return window(patch, frame);
}

type Frame = Pick<Patch, "x" | "y" | "width" | "height">;

/** The mask inside another rectangle, in an array of its own. */
function window(patch: Patch, frame: Frame): Patch {
  const data = new Uint8Array(frame.width * frame.height);
  const x0 = Math.max(patch.x, frame.x);
  const x1 = Math.min(patch.x + patch.width, frame.x + frame.width);
  const y1 = Math.min(patch.y + patch.height, frame.y + frame.height);
  if (x0 < x1) {
    for (let y = Math.max(patch.y, frame.y); y < y1; y++) {
      const from = (y - patch.y) * patch.width - patch.x;
      const line = patch.data.subarray(from + x0, from + x1);
      data.set(line, (y - frame.y) * frame.width + x0 - frame.x);
    }
  }
  return { ...frame, data };
}

function around(a: Frame, b: Frame): Frame {
  if (a.width === 0) return b;
  if (b.width === 0) return a;
  const x = Math.min(a.x, b.x);
  const y = Math.min(a.y, b.y);
  return {
    x,
    y,
    width: Math.max(a.x + a.width, b.x + b.width) - x,
    height: Math.max(a.y + a.height, b.y + b.height) - y,
  };
}

/** What is in either mask. */
export function union(a: Patch, b: Patch): Patch {
  const frame = around(a, b);
  const result = window(a, frame);
  const other = window(b, frame).data;
  for (let i = 0; i < other.length; i++) result.data[i]! |= other[i]!;
  return result;
}

/** What is in the first mask only. */
export function subtract(a: Patch, b: Patch): Patch {
  const other = window(b, a).data;
  const data = a.data.slice();
  for (let i = 0; i < data.length; i++) data[i]! &= ~other[i]!;
  return trim({ ...a, data });
}

/** Intersection over union; 1 of two empty masks. */
export function iou(a: Patch, b: Patch): number {
  const both = union(a, b);
  const all = area(both);
  return all === 0 ? 1 : (area(a) + area(b) - all) / all;
}

/** What of a mask lies within bounds; a pixel is inside where its centre is. */
export function keepWithin(patch: Patch, [x0, y0, x1, y1]: Corners, size: Size): Patch {
  const [left, right] = inside(x0, x1, size.width);
  const [top, bottom] = inside(y0, y1, size.height);
  return trim(window(patch, { x: left, y: top, width: right - left, height: bottom - top }));
}

/** First pixel with its centre in [low, high), and the one after the last; one at least. */
function inside(low: number, high: number, size: number): [number, number] {
  let first = Math.ceil(low - 0.5);
  let after = Math.ceil(high - 0.5);
  if (after <= first) {
    first = Math.floor((low + high) / 2);
    after = first + 1;
  }
  return [clamp(first, size), clamp(after, size)];
}

function clamp(value: number, size: number): number {
  return Math.min(Math.max(value, 0), size);
}

/** A mask with one pixel of the image set. */
export function withPixel(patch: Patch, x: number, y: number, on: boolean): Patch {
  if (has(patch, x, y) === on) return patch;
  const pixel = { x, y, width: 1, height: 1, data: Uint8Array.of(1) };
  return on ? union(patch, pixel) : subtract(patch, pixel);
}

/** The disc that a round brush of a radius leaves in an image. */
export function disc(x: number, y: number, radius: number, size: Size): Patch {
  const x0 = clamp(Math.floor(x - radius), size.width);
  const y0 = clamp(Math.floor(y - radius), size.height);
  const width = clamp(Math.ceil(x + radius), size.width) - x0;
  const height = clamp(Math.ceil(y + radius), size.height) - y0;
  const data = new Uint8Array(width * height);
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      const distance = (x0 + column + 0.5 - x) ** 2 + (y0 + row + 0.5 - y) ** 2;
      data[row * width + column] = distance <= radius ** 2 ? 1 : 0;
    }
  }
  return trim({ x: x0, y: y0, width, height, data });
}

/** A mask in an image of another size: the nearest pixel. */
export function resized(patch: Patch, from: Size, to: Size): Patch {
  if (from.width === to.width && from.height === to.height) return patch;
  const [across, down] = [from.width / to.width, from.height / to.height];
  const x = Math.max(0, Math.floor(patch.x / across) - 1);
  const y = Math.max(0, Math.floor(patch.y / down) - 1);
  const width = Math.min(to.width, Math.ceil((patch.x + patch.width) / across) + 1) - x;
  const height = Math.min(to.height, Math.ceil((patch.y + patch.height) / down) + 1) - y;
  const data = new Uint8Array(width * height);
  for (let row = 0; row < height; row++) {
    const source = Math.floor((y + row + 0.5) * down);
    for (let column = 0; column < width; column++) {
      const hit = has(patch, Math.floor((x + column + 0.5) * across), source);
      data[row * width + column] = hit ? 1 : 0;
    }
  }
  return trim({ x, y, width, height, data });
}
