/** What a person has made of photographs. */
import type { Patch } from "../predictor/patches";
import type { Corners, Size } from "../predictor/prompt";
import type { Click, Reading } from "../predictor/readings";

/** The longer side that photographs are worked on at, at most. */
export const MOST_SIDE = 4096;

/** A mask that was answered, as a reading or drawn by hand. */
export interface Candidate {
  readonly mask: Patch;
  /** Predicted IoU in 0..1; null of masks that no network gave. */
  readonly score: number | null;
  /** What the next click corrects; null where that is the mask itself. */
  readonly reading: Reading | null;
}

/** An object in a photograph. */
export interface Thing {
  readonly id: number;
  /** A class by its number, from 1. */
  readonly category: number;
  /** Different answers to the same prompt, the best first. */
  readonly candidates: readonly Candidate[];
  /** Which of them is meant. */
  readonly choice: number;
  /** Said about it since the mask was last drawn by hand. */
  readonly clicks: readonly Click[];
  readonly within: Corners | null;
  /** The annotation that it was imported as, and whether the mask is still that one's. */
  readonly source: { readonly id: number; readonly untouched: boolean } | null;
}

/** A photograph and what is in it. */
export interface Photograph {
  readonly id: string;
  readonly name: string;
  /** Of the file; masks have the size that it is worked on at. */
  readonly full: Size;
  readonly things: readonly Thing[];
}

/** A class. */
export interface Category {
  readonly id: number;
  readonly name: string;
}

/** The mask that is meant. */
export function maskOf(thing: Thing): Patch {
  return thing.candidates[thing.choice]!.mask;
}

/** The size that a photograph is worked on at: `most` is its longer side's. */
export function workingSize({ width, height }: Size, most = MOST_SIDE): Size {
  const scale = Math.min(1, most / Math.max(width, height));
  return {
    width: Math.max(1, Math.round(width * scale)),
    height: Math.max(1, Math.round(height * scale)),
  };
}
