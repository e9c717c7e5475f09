/** What the page and its worker say to each other. */
import type { Before } from "../predictor/corrections";
import type { First } from "../predictor/looks";
import type { Corners, Size } from "../predictor/prompt";
import type { Click } from "../predictor/readings";
import type { Candidate } from "../state/model";
import type { Tracked } from "../video/tracker";

/** What the worker is asked: about the photograph that was opened last, or the newest frame. */
export type Question = PhotographQuestion | FilmQuestion;

export type FilmQuestion =
  /** Follow nothing. */
  | { readonly kind: "film" }
  /** The next frame. */
  | { readonly kind: "frame"; readonly frame: ImageBitmap }
  | { readonly kind: "follow"; readonly first: First }
  | { readonly kind: "refollow"; readonly id: number; readonly click: Click }
  | { readonly kind: "unfollow"; readonly id: number };

export type PhotographQuestion =
  | { readonly kind: "open"; readonly file: Blob }
  | { readonly kind: "look"; readonly first: First; readonly count: number }
  | {
      readonly kind: "correct";
      readonly before: Before;
      readonly clicks: readonly Click[];
      readonly within: Corners | null;
      readonly count: number;
    }
  | { readonly kind: "everything" }
  /** End the search for everything with what it has found. */
  | { readonly kind: "stop" };

/** A photograph as it is shown, at the size that it is worked on at. */
export interface Opened {
  readonly full: Size;
  readonly picture: ImageBitmap;
}

/** The answer to each kind of question. */
export interface Replies {
  open: Opened;
  look: Candidate[];
  correct: Candidate[];
  everything: Candidate[];
  stop: null;
  film: null;
  frame: { readonly picture: ImageBitmap; readonly objects: Tracked[] };
  follow: { readonly id: number | null; readonly objects: Tracked[] };
  refollow: Tracked[];
  unfollow: Tracked[];
}

/** How far a long answer is. */
export interface Progress {
  readonly done: number;
  readonly all: number;
}

export interface Request {
  readonly id: number;
  readonly question: Question;
}

export type Response =
  | { readonly id: number; readonly reply: Replies[keyof Replies] }
  | { readonly id: number; readonly progress: Progress }
  | { readonly id: number; readonly error: string }
  /** Something that a person should know. */
  | { readonly notice: string };
