/** What `scripts/web_vectors.py` wrote. */
import { readFileSync } from "node:fs";
import type { Patch } from "../src/predictor/patches";
import { CROP_PIXELS, type Corners, type Crop, type Pixels } from "../src/predictor/prompt";
import type { Click } from "../src/predictor/readings";

export interface Place {
  offset: number;
  type: "uint8" | "int8" | "float32";
  shape: number[];
}

export interface Call {
  network: "first" | "correcting";
  crops: Place;
  prior?: Place;
  logits: Place;
  scores: Place;
}

interface Stored {
  photographs: { name: string; width: number; height: number; rgb: Place }[];
  crops: { photograph: number; crop: Crop; pixels: Place }[];
  sessions: {
    photograph: number;
    click?: Click;
    box?: Corners;
    mask?: Place;
    clicks: Click[];
    within: Corners | null;
    calls: Call[];
    answers: { crop: Crop; score: number; logits: Place; mask: Place }[];
  }[];
  everything: { photograph: number; calls: Call[]; found: { score: number; mask: Place }[] }[];
  videos: {
    calls: Call[];
    steps: {
      frame: Place;
      click?: Click;
      box?: Corners;
      correct?: Click;
      answers: { id: number; score: number; state: string; mask: Place }[];
    }[];
  }[];
  pastes: { height: number; width: number; crop: Crop; logits: Place; picture: Place }[];
  lookups: { height: number; width: number; crop: Crop; mask: Place; values: Place }[];
}

export const FOLDER = new URL("vectors/", import.meta.url);
export const vectors = JSON.parse(readFileSync(new URL("vectors.json", FOLDER), "utf8")) as Stored;
const blob = readFileSync(new URL("vectors.bin", FOLDER));

function at<T>(
  { offset, shape }: Place,
  Type: { new (buffer: ArrayBuffer): T; readonly BYTES_PER_ELEMENT: number },
  from = blob,
): T {
  const bytes = shape.reduce((a, b) => a * b, 1) * Type.BYTES_PER_ELEMENT;
  return new Type(Uint8Array.from(from.subarray(offset, offset + bytes)).buffer);
}

export const bytes = (place: Place, from = blob): Uint8Array => at(place, Uint8Array, from);
export const signed = (place: Place): Int8Array => at(place, Int8Array);
export const floats = (place: Place): Float32Array => at(place, Float32Array);

/** A photograph as the page has it. */
export function photograph(number: number): Pixels {
  return pixels(vectors.photographs[number]!.rgb);
}

/** H×W×3 as the page has it. */
export function pixels(rgb: Place, from = blob): Pixels {
  const [height, width] = rgb.shape as [number, number, number];
  const source = bytes(rgb, from);
  const data = new Uint8Array(width * height * 4).fill(255);
  for (let i = 0; i < width * height; i++) {
    data.set(source.subarray(i * 3, i * 3 + 3), i * 4);
  }
  return { width, height, data };
}

/** The mask of a whole image. */
export function mask(place: Place, from = blob): Patch {
  const [height, width] = place.shape as [number, number];
  return { x: 0, y: 0, width, height, data: bytes(place, from) };
}

/** One of N×96×96×C as C planes. */
export function planes<T extends Uint8Array | Int8Array>(pictures: T, number: number): T {
  const channels = pictures.length % (3 * CROP_PIXELS) === 0 && pictures instanceof Uint8Array ? 3 : 2;
  const from = number * CROP_PIXELS * channels;
  const source = pictures.subarray(from, from + CROP_PIXELS * channels);
  return pictures
    .slice(0, CROP_PIXELS * channels)
    .map((_, i) => source[(i % CROP_PIXELS) * channels + Math.floor(i / CROP_PIXELS)]!) as T;
}

/** The largest difference of two arrays. */
export function apart(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) return Infinity;
  let most = 0;
  for (let i = 0; i < a.length; i++) most = Math.max(most, Math.abs(a[i]! - b[i]!));
  return most;
}
