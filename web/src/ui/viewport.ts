/** Which part of a photograph is seen: screen = photograph × scale + offset. */
import type { Size } from "../predictor/prompt";

const MOST_SCALE = 40;

export interface Viewport {
  readonly scale: number;
  readonly x: number;
  readonly y: number;
}

/** All of a photograph in the middle of the stage. */
export function fit(photograph: Size, stage: Size): Viewport {
  const scale = Math.min(stage.width / photograph.width, stage.height / photograph.height) * 0.96;
  return {
    scale,
    x: (stage.width - photograph.width * scale) / 2,
    y: (stage.height - photograph.height * scale) / 2,
  };
}

/** Larger by a factor, with the point under (x, y) of the screen kept where it is. */
export function zoom(view: Viewport, factor: number, x: number, y: number): Viewport {
  const scale = Math.max(0.01, Math.min(MOST_SCALE, view.scale * factor));
  const grown = scale / view.scale;
  return { scale, x: x - (x - view.x) * grown, y: y - (y - view.y) * grown };
}

export function pan(view: Viewport, dx: number, dy: number): Viewport {
  return { ...view, x: view.x + dx, y: view.y + dy };
}

/** A point of the screen in the photograph's pixels. */
export function toPhotograph(view: Viewport, x: number, y: number): [number, number] {
  return [(x - view.x) / view.scale, (y - view.y) / view.scale];
}
