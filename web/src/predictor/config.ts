/** How a prompt becomes crops; the figures are those of `picosam2/predictor/config.py`. */
export const CONFIG = {
  /** Sides of the crops that answer a click, as shares of the image's longer side. */
  clickSides: [0.06, 0.12, 0.24, 0.48],
  /** Smallest crop, in pixels. */
  minSide: 24,
  /** Side of the refining crop, as a multiple of the first mask's longer side. */
  refineMargin: 1.6,
  /** The same where the first crops were all object. */
  widening: 2.5,
  /** Paddings of the crops that answer a box; a single mask uses the first. */
  boxPaddings: [0.1, 0, 0.3],
  /**
   * Sides of the crops that answer later clicks, as multiples of what mask and clicks cover; a
   * single mask uses the first.
   */
  correctionMargins: [1.6, 1.2, 2.4],
  /** Of a mask that is given pixel by pixel, only pixels change whose logits are farther from 0. */
  correctionSure: 3.5,
  /** How masks are fitted to a box: `BoxConfig`. */
  box: { slope: 80, deepest: 8, shiftCost: 0.03, margin: 0.1, careless: 0, mostMoved: 0.15 },
  /** What is different where the network is shown the box: `MARKED`. */
  markedBox: { slope: 20, shiftCost: 0.05, careless: 0.8 },
} as const;

/** What is added to the logits of a box's mask, whichever fills the box best. */
export const SHIFTS = Array.from({ length: 13 }, (_, step) => (step - 4) / 2);
