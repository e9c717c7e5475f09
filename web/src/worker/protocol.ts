/** What the page and its worker say to each other. */
import type { Before } from "../predictor/corrections";
import type { First } from "../predictor/looks";
import type { Corners, Size } from "../predictor/prompt";
import type { Click } from "../predictor/readings";
import type { Candidate } from "../state/model";

/** What the worker is asked; questions are about the photograph that was opened last. */
export type Question =
  | { readonly kind: "open"; readonly file: Blob }
  | { readonly kind: "look"; readonly first: First; readonly count: number }
  | {
      readonly kind: "correct";
      readonly before: Before;
      readonly clicks: readonly Click[];
      readonly within: Corners | null;
      readonly count: number;
    };

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
}

export interface Request {
  readonly id: number;
  readonly question: Question;
}

export type Response =
  | { readonly id: number; readonly reply: Replies[keyof Replies] }
  | { readonly id: number; readonly error: string };
