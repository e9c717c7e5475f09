/**
 * How an object is followed; the figures are those of `picosam2/video/config.py`, with `rigid` 0:
 * there is no OpenCV here to estimate motion with.
 */
export const CONFIG = {
  /** Side of the crop, as a multiple of the longer side of the last mask. */
  margin: 1.6,
  /** Smallest crop, in pixels. */
  minSide: 24,
  /** Share of the correcting network in the logits; the rest is the first look's. */
  correcting: 0.85,
  /** What the colours seen before add to the logits. */
  colours: 1,
  /** Largest factor by which the mask's area changes from frame to frame. */
  change: 1.1,
  /** Share of the last motion that is expected again. */
  momentum: 1,
  /** Predicted IoU from which the colours of a mask are learnt. */
  sure: 0.7,
  /** Share of a frame in the colours that are remembered. */
  learning: 0.05,
  /** A mask of a lower predicted IoU counts as a miss, as an empty one does. */
  lostScore: 0.25,
  /** A mask whose colours are less like those that were learnt counts as a miss. */
  alike: 0.55,
  /** Misses in a row before the object is lost. */
  patience: 3,
  /** Crops a frame in which a lost object is searched. */
  searched: 6,
  /** Predicted IoU, and likeness of colours, from which a lost object may be found again. */
  foundScore: 0.5,
  foundAlike: 0.75,
} as const;
