/** Masks as rings along the pixels' edges, and back. */
import { type Patch, EMPTY, trim } from "../predictor/patches";
import type { Size } from "../predictor/prompt";

/** x0, y0, x1, y1, ... in pixels: pixel (0, 0) is the square from 0 to 1. */
export type Ring = number[];

/** The outlines of a mask's parts and holes; parts that touch by a corner only are two. */
export function rings(patch: Patch): Ring[] {
  const { width, height, data } = patch;
  const at = (x: number, y: number) =>
    x >= 0 && y >= 0 && x < width && y < height && data[y * width + x] === 1;
  const stride = width + 1;
  // Edges from corner to corner, object on the right as y grows downwards.
  const edges = new Map<number, number[]>();
  const add = (x0: number, y0: number, x1: number, y1: number) => {
    const from = y0 * stride + x0;
    const to = y1 * stride + x1;
    edges.set(from, [...(edges.get(from) ?? []), to]);
  };
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (!at(x, y)) continue;
      if (!at(x, y - 1)) add(x, y, x + 1, y);
      if (!at(x + 1, y)) add(x + 1, y, x + 1, y + 1);
      if (!at(x, y + 1)) add(x + 1, y + 1, x, y + 1);
      if (!at(x - 1, y)) add(x, y + 1, x, y);
    }
  }
  const found: Ring[] = [];
  for (const [start] of edges) {
    while (edges.get(start)?.length) found.push(follow(edges, start, stride, patch));
  }
  return found;
}

/** Walk along edges back to the start, taking them away; only corners are kept. */
function follow(
  edges: Map<number, number[]>,
  start: number,
  stride: number,
  patch: Patch,
): Ring {
  const corners: number[] = [];
  let [here, last] = [start, 0];
  do {
    const choices = edges.get(here)!;
    // Where two parts touch by a corner, the right turn stays on the part.
    const turn = rightOf(last, stride);
    const next = choices.splice(Math.max(0, choices.indexOf(here + turn)), 1)[0]!;
    if (next - here !== last) corners.push(here);
    last = next - here;
    here = next;
  } while (here !== start);
  return corners.flatMap((corner) => [
    patch.x + (corner % stride),
    patch.y + Math.floor(corner / stride),
  ]);
}

function rightOf(step: number, stride: number): number {
  if (step === 1) return stride;
  if (step === stride) return -1;
  return step === -1 ? -stride : 1;
}

/** Rings as one, joined by bridges of no width between their nearest points, largest first. */
export function oneRing(parts: readonly Ring[]): Ring {
  const [first = [], ...others] = [...parts].sort((a, b) => Math.abs(size(b)) - Math.abs(size(a)));
  return others.reduce((joined, ring) => {
    let [here, there, least] = [0, 0, Infinity];
    for (let i = 0; i < joined.length; i += 2) {
      for (let j = 0; j < ring.length; j += 2) {
        const distance = (joined[i]! - ring[j]!) ** 2 + (joined[i + 1]! - ring[j + 1]!) ** 2;
        if (distance < least) [here, there, least] = [i, j, distance];
      }
    }
    const tour = [...ring.slice(there), ...ring.slice(0, there + 2)];
    return [...joined.slice(0, here + 2), ...tour, ...joined.slice(here)];
  }, first);
}

function size(ring: Ring): number {
  let sum = 0;
  for (let i = 0; i < ring.length; i += 2) {
    const j = (i + 2) % ring.length;
    sum += ring[i]! * ring[j + 1]! - ring[j]! * ring[i + 1]!;
  }
  return sum / 2;
}

/** The pixels whose centres lie in any of several polygons, as COCO's lists mean them. */
export function fill(polygons: readonly Ring[], { width, height }: Size): Patch {
  if (!polygons.length) return EMPTY;
  const data = new Uint8Array(width * height);
  for (const ring of polygons) {
    for (let y = 0; y < height; y++) {
      const crossings = crossed(ring, y + 0.5);
      for (let i = 0; i + 1 < crossings.length; i += 2) {
        const first = Math.max(0, Math.ceil(crossings[i]! - 0.5));
        const after = Math.min(width, Math.ceil(crossings[i + 1]! - 0.5));
        if (first < after) data.fill(1, y * width + first, y * width + after);
      }
    }
  }
  return trim({ x: 0, y: 0, width, height, data });
}

/** Where a ring crosses a row, from left to right. */
function crossed(ring: Ring, y: number): number[] {
  const found: number[] = [];
  for (let i = 0; i < ring.length; i += 2) {
    const j = (i + 2) % ring.length;
    const [x0, y0, x1, y1] = [ring[i]!, ring[i + 1]!, ring[j]!, ring[j + 1]!];
    if (y0 <= y !== y1 <= y) found.push(x0 + ((y - y0) * (x1 - x0)) / (y1 - y0));
  }
  return found.sort((a, b) => a - b);
}
