/** The photograph under the pointer, fingers, and the keyboard's cross. */
import type { Corners, Size } from "../predictor/prompt";
import { workingSize } from "../state/model";
import type { Session } from "../state/session";
import { paint } from "./painter";
import { type Viewport, fit, pan, toPhotograph, zoom } from "./viewport";

type Point = readonly [number, number];

/** A pointer that has moved less (in pixels of the screen) has clicked. */
export const CLICK_SLACK = 6;
const WHEEL = 0.0016;

/** What a pressed pointer is doing. */
interface Drag {
  readonly kind: "prompt" | "paint" | "pan";
  readonly start: Point;
  readonly positive: boolean;
  readonly selects: boolean;
  last: Point;
  moved: boolean;
}

export class Stage {
  private view: Viewport = { scale: 1, x: 0, y: 0 };
  private drag: Drag | null = null;
  private box: Corners | null = null;
  private stroke: Point[] = [];
  private cursor: Point | null = null;
  private corner: Point | null = null;
  private pointer: Point | null = null;
  private readonly fingers = new Map<number, Point>();
  private shown: ImageBitmap | null = null;
  private frame = 0;
  private readonly ends: (() => void)[] = [];

  constructor(
    private readonly canvas: HTMLCanvasElement,
    private readonly session: Session,
  ) {
    const resize = new ResizeObserver(() => this.resize());
    resize.observe(canvas);
    this.ends.push(
      () => resize.disconnect(),
      session.subscribe(() => this.changed()),
    );
    this.on("pointerdown", (event) => this.down(event));
    this.on("pointermove", (event) => this.move(event));
    this.on("pointerup", (event) => this.up(event));
    this.on("pointercancel", (event) => this.cancel(event));
    this.on("pointerleave", () => {
      this.pointer = null;
      if (!this.cursor) session.leave();
      this.draw();
    });
    this.on("contextmenu", (event) => event.preventDefault());
    this.on("wheel", (event) => this.wheel(event), { passive: false });
  }

  /** Stop listening. */
  end(): void {
    this.ends.forEach((end) => end());
    cancelAnimationFrame(this.frame);
  }

  /** Show all of the photograph. */
  fit(): void {
    const size = this.photograph();
    if (size) this.view = fit(size, this.size());
    this.draw();
  }

  /** Zoom around the middle of the stage, or around the keyboard's cross. */
  zoom(factor: number): void {
    const { width, height } = this.size();
    const [x, y] = this.cursor
      ? [this.cursor[0] * this.view.scale + this.view.x, this.cursor[1] * this.view.scale + this.view.y]
      : [width / 2, height / 2];
    this.view = zoom(this.view, factor, x, y);
    this.draw();
  }

  /** Move the keyboard's cross, in pixels of the screen. */
  moveCursor(dx: number, dy: number): void {
    const size = this.photograph();
    if (!size) return;
    const [x, y] = this.cursor ?? [size.width / 2, size.height / 2];
    const step = 1 / this.view.scale;
    this.cursor = [within(x + dx * step, size.width), within(y + dy * step, size.height)];
    if (this.corner) this.box = between(this.corner, this.cursor);
    const [column, row] = this.cursor;
    if (this.session.view.tool !== "brush") this.session.hover(column, row, true);
    this.draw();
  }

  /** Do at the cross what a click would do there. */
  press(positive: boolean): void {
    if (!this.cursor) return this.moveCursor(0, 0);
    const [x, y] = this.cursor;
    const { tool } = this.session.view;
    if (tool === "brush" || tool === "erase") this.session.paint([[x, y]], tool === "brush");
    else void this.session.click(x, y, positive && tool !== "remove");
  }

  /** Begin a box at the cross, or end it there. */
  pressBox(): void {
    if (!this.cursor) return this.moveCursor(0, 0);
    if (!this.corner) {
      this.corner = this.cursor;
      return;
    }
    const box = between(this.corner, this.cursor);
    this.corner = this.box = null;
    if (box[2] > box[0] && box[3] > box[1]) void this.session.box(box);
    this.draw();
  }

  private on<K extends keyof HTMLElementEventMap>(
    name: K,
    listener: (event: HTMLElementEventMap[K]) => void,
    options?: AddEventListenerOptions,
  ): void {
    this.canvas.addEventListener(name, listener, options);
    this.ends.push(() => this.canvas.removeEventListener(name, listener));
  }

  private down(event: PointerEvent): void {
    this.canvas.focus();
    this.cursor = this.corner = null;
    const place = this.place(event);
    if (event.pointerType === "touch") this.fingers.set(event.pointerId, place);
    this.canvas.setPointerCapture(event.pointerId);
    const { tool } = this.session.view;
    const panning = tool === "move" || event.button === 1 || event.shiftKey || this.fingers.size > 1;
    const painting = tool === "brush" || tool === "erase";
    const kind = panning ? "pan" : painting ? "paint" : "prompt";
    const positive = tool !== "remove" && event.button !== 2 && !event.altKey;
    const selects = event.ctrlKey || event.metaKey;
    this.drag = { kind, start: place, last: place, positive, selects, moved: false };
    this.box = null;
    this.stroke = kind === "paint" ? [this.inPhotograph(place)] : [];
    this.draw();
  }

  private move(event: PointerEvent): void {
    const place = this.place(event);
    this.pointer = event.pointerType === "touch" ? null : this.inPhotograph(place);
    if (this.fingers.size > 1) this.pinch(event.pointerId, place);
    else if (this.drag) this.dragTo(this.drag, place);
    else this.hover(event);
    this.draw();
  }

  private hover(event: PointerEvent): void {
    const { tool } = this.session.view;
    const [x, y] = this.pointer ?? [-1, -1];
    if (!this.holds(x, y) || tool === "brush" || tool === "erase" || tool === "move") {
      this.session.leave();
    } else this.session.hover(x, y, tool !== "remove" && !event.altKey);
  }

  private dragTo(drag: Drag, place: Point): void {
    const far = Math.hypot(place[0] - drag.start[0], place[1] - drag.start[1]) > CLICK_SLACK;
    drag.moved ||= far;
    if (drag.kind === "pan") {
      this.view = pan(this.view, place[0] - drag.last[0], place[1] - drag.last[1]);
    } else if (drag.kind === "paint") {
      this.stroke.push(this.inPhotograph(place));
    } else if (drag.moved && drag.positive) {
      this.box = between(this.inPhotograph(drag.start), this.inPhotograph(place));
    }
    drag.last = place;
  }

  /** Two fingers: the point between them stays between them. */
  private pinch(id: number, place: Point): void {
    const before = [...this.fingers.values()];
    this.fingers.set(id, place);
    const after = [...this.fingers.values()];
    const [[x0, y0], [x1, y1]] = [middle(before), middle(after)];
    this.view = pan(this.view, x1 - x0, y1 - y0);
    this.view = zoom(this.view, spread(after) / Math.max(1, spread(before)), x1, y1);
  }

  private up(event: PointerEvent): void {
    const drag = this.drag;
    if (this.fingers.size > 1) this.session.leave();
    this.fingers.delete(event.pointerId);
    this.drag = this.fingers.size ? drag && { ...drag, kind: "pan", moved: true } : null;
    if (!drag || drag.kind === "pan") return this.draw();
    const [box, stroke] = [this.box, this.stroke];
    this.box = null;
    this.stroke = [];
    if (drag.kind === "paint") this.session.paint(stroke, this.session.view.tool === "brush");
    else if (box) void this.session.box(box);
    else if (!drag.moved) {
      const [x, y] = this.inPhotograph(drag.start);
      if (drag.selects) this.session.selectAt(x, y);
      else if (this.holds(x, y)) void this.session.click(x, y, drag.positive);
    }
    this.draw();
  }

  private cancel(event: PointerEvent): void {
    this.fingers.delete(event.pointerId);
    this.drag = this.box = null;
    this.stroke = [];
    this.draw();
  }

  private wheel(event: WheelEvent): void {
    event.preventDefault();
    const [x, y] = this.place(event);
    const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 16 : 1;
    // A pinch on a trackpad is a wheel with Ctrl, and finer.
    const speed = event.ctrlKey ? 5 * WHEEL : WHEEL;
    this.view = zoom(this.view, Math.exp(-event.deltaY * lines * speed), x, y);
    this.draw();
  }

  private changed(): void {
    if (this.session.view.picture !== this.shown) {
      this.shown = this.session.view.picture;
      this.cursor = this.corner = this.box = null;
      if (this.shown) this.fit();
    }
    this.draw();
  }

  private resize(): void {
    const { width, height } = this.size();
    this.canvas.width = Math.round(width * window.devicePixelRatio);
    this.canvas.height = Math.round(height * window.devicePixelRatio);
    this.fit();
  }

  private draw(): void {
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => {
      const { box, stroke, cursor, pointer } = this;
      paint(this.canvas, this.session.view, this.view, { box, stroke, cursor, pointer });
    });
  }

  private photograph(): Size | null {
    const photograph = this.session.photograph;
    return photograph && this.session.view.picture ? workingSize(photograph.full) : null;
  }

  private size(): Size {
    return { width: this.canvas.clientWidth, height: this.canvas.clientHeight };
  }

  private place(event: MouseEvent): Point {
    const frame = this.canvas.getBoundingClientRect();
    return [event.clientX - frame.left, event.clientY - frame.top];
  }

  private inPhotograph([x, y]: Point): Point {
    return toPhotograph(this.view, x, y);
  }

  private holds(x: number, y: number): boolean {
    const size = this.photograph();
    return !!size && x >= 0 && y >= 0 && x < size.width && y < size.height;
  }
}

function within(value: number, length: number): number {
  return Math.max(0.5, Math.min(length - 0.5, value));
}

/** The box between two corners. */
export function between([x0, y0]: Point, [x1, y1]: Point): Corners {
  return [Math.min(x0, x1), Math.min(y0, y1), Math.max(x0, x1), Math.max(y0, y1)];
}

function middle([a, b]: readonly Point[]): Point {
  return [(a![0] + b![0]) / 2, (a![1] + b![1]) / 2];
}

function spread([a, b]: readonly Point[]): number {
  return Math.hypot(a![0] - b![0], a![1] - b![1]);
}
