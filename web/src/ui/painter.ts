/** Draws the photograph, its masks and what the pointer is about to do. */
import type { Patch } from "../predictor/patches";
import type { Corners } from "../predictor/prompt";
import { maskOf, type Thing } from "../state/model";
import type { View } from "../state/session";
import type { Viewport } from "./viewport";

/** Of classes, in turn: seen on each other and by most kinds of colour blindness (Okabe, Ito). */
export const COLOURS = [
  "#56b4e9",
  "#e69f00",
  "#009e73",
  "#f0e442",
  "#cc79a7",
  "#d55e00",
  "#0072b2",
  "#ffffff",
  "#999999",
] as const;

const PREVIEW = "#ffffff";
const INSIDE = 96;

/** What belongs to the pointer and not to the photograph. */
export interface Marks {
  readonly box: Corners | null;
  readonly stroke: readonly (readonly [number, number])[];
  /** Of the keyboard. */
  readonly cursor: readonly [number, number] | null;
  readonly pointer: readonly [number, number] | null;
}

const tinted = new WeakMap<Patch, Map<string, OffscreenCanvas>>();

/** The colour of a class. */
export function colourOf(view: View, category: number): string {
  const place = view.categories.findIndex(({ id }) => id === category);
  return COLOURS[Math.max(0, place) % COLOURS.length]!;
}

/** Draw everything. */
export function paint(
  canvas: HTMLCanvasElement,
  view: View,
  { scale, x, y }: Viewport,
  marks: Marks,
): void {
  const context = canvas.getContext("2d")!;
  const ratio = window.devicePixelRatio;
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.clearRect(0, 0, canvas.width, canvas.height);
  if (!view.picture) return;
  context.setTransform(scale * ratio, 0, 0, scale * ratio, x * ratio, y * ratio);
  context.imageSmoothingEnabled = scale < 4;
  context.drawImage(view.picture, 0, 0);
  context.imageSmoothingEnabled = false;
  const things = view.photographs[view.current]?.things ?? [];
  for (const thing of things) {
    const active = thing.id === view.active;
    if (active && view.preview) continue;
    context.globalAlpha = active || view.active === null ? 1 : 0.6;
    stamp(context, maskOf(thing), colourOf(view, thing.category));
  }
  context.globalAlpha = 1;
  if (view.preview) stamp(context, view.preview.mask, PREVIEW);
  const active = things.find(({ id }) => id === view.active);
  if (active) clicks(context, active, 1 / scale);
  pointerMarks(context, view, marks, 1 / scale);
}

/** Draw a mask in its colour. */
export function stamp(context: CanvasRenderingContext2D, patch: Patch, colour: string): void {
  if (patch.width) context.drawImage(tint(patch, colour), patch.x, patch.y);
}

/** A mask in its colour, its outline solid; kept as long as the mask is. */
function tint(patch: Patch, colour: string): OffscreenCanvas {
  const known = tinted.get(patch) ?? new Map<string, OffscreenCanvas>();
  tinted.set(patch, known);
  const done = known.get(colour);
  if (done) return done;
  const { width, height, data } = patch;
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d")!;
  const image = context.createImageData(width, height);
  const [red, green, blue] = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
  // Bytes of RGBA in one number each: computers that run browsers begin with the lowest.
  const pixels = new Uint32Array(image.data.buffer);
  const opaque = ((255 << 24) | (blue! << 16) | (green! << 8) | red!) >>> 0;
  const inner = ((INSIDE << 24) | (opaque & 0xffffff)) >>> 0;
  for (let row = 0, i = 0; row < height; row++) {
    for (let column = 0; column < width; column++, i++) {
      if (!data[i]) continue;
      const inside =
        column > 0 &&
        column < width - 1 &&
        data[i - 1] &&
        data[i + 1] &&
        data[i - width] &&
        data[i + width];
      pixels[i] = inside ? inner : opaque;
    }
  }
  context.putImageData(image, 0, 0);
  known.set(colour, canvas);
  return canvas;
}

function clicks(context: CanvasRenderingContext2D, thing: Thing, pixel: number): void {
  for (const { x, y, positive } of thing.clicks) {
    context.beginPath();
    context.arc(x, y, 4 * pixel, 0, 2 * Math.PI);
    context.fillStyle = positive ? "#00c853" : "#ff1744";
    context.fill();
    context.lineWidth = 1.5 * pixel;
    context.strokeStyle = "#ffffff";
    context.stroke();
  }
}

function pointerMarks(
  context: CanvasRenderingContext2D,
  view: View,
  { box, stroke, cursor, pointer }: Marks,
  pixel: number,
): void {
  context.lineWidth = 1.5 * pixel;
  context.strokeStyle = "#ffffff";
  if (box) context.strokeRect(box[0], box[1], box[2] - box[0], box[3] - box[1]);
  const brushing = view.tool === "brush" || view.tool === "erase";
  const tip = pointer ?? cursor;
  if (brushing && tip) {
    context.beginPath();
    context.arc(tip[0], tip[1], view.brush, 0, 2 * Math.PI);
    context.stroke();
  }
  if (stroke.length) {
    context.save();
    context.lineWidth = 2 * view.brush;
    context.lineCap = context.lineJoin = "round";
    context.globalAlpha = 0.5;
    context.strokeStyle = view.tool === "erase" ? "#ff1744" : "#00c853";
    context.beginPath();
    for (const [x, y] of stroke) context.lineTo(x, y);
    context.stroke();
    context.restore();
  }
  if (cursor) {
    const [x, y] = cursor;
    for (const [width, colour] of [
      [4, "#000000"],
      [1.5, "#ffffff"],
    ] as const) {
      context.lineWidth = width * pixel;
      context.strokeStyle = colour;
      context.beginPath();
      context.moveTo(x - 12 * pixel, y);
      context.lineTo(x + 12 * pixel, y);
      context.moveTo(x, y - 12 * pixel);
      context.lineTo(x, y + 12 * pixel);
      context.stroke();
    }
  }
}
