import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import type { Corners } from "../predictor/prompt";
import { Film, type FilmView } from "../state/film";
import type { Client } from "../worker/client";
import { COLOURS, stamp } from "./painter";
import { CLICK_SLACK, between } from "./stage";
import { type Viewport, fit, toPhotograph } from "./viewport";

const STATES = { found: "", unsure: "unsure", lost: "lost" };

interface Props {
  client: Client;
  /** A video file; null for the camera. */
  source: Blob | null;
  close(): void;
}

/** A camera or a video, over the page: click once, and the mask follows. */
export function FilmSheet({ client, source, close }: Props) {
  const sheet = useRef<HTMLDialogElement>(null);
  const video = useRef<HTMLVideoElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const film = useRef<Film | null>(null);
  const [view, setView] = useState<FilmView | null>(null);

  useLayoutEffect(() => {
    const made = new Film(client, video.current!, source);
    film.current = made;
    if (!sheet.current!.open) sheet.current!.showModal();
    const end = made.subscribe(() => {
      setView(made.view);
      paint(canvas.current!, made.view, null);
    });
    const resized = new ResizeObserver(() => paint(canvas.current!, made.view, null));
    resized.observe(canvas.current!);
    void made.start();
    return () => {
      resized.disconnect();
      end();
      made.end();
    };
  }, [client, source]);
  useEffect(() => canvas.current!.focus(), []);

  // Once: what is pressed is kept while frames come.
  const onStage = useMemo(() => pointers(canvas, film), []);
  const key = (event: KeyboardEvent) => {
    const { current } = film;
    if (event.target instanceof HTMLButtonElement || !current) return;
    if (event.key === " ") current.pause();
    else if (event.key === "Enter") current.select(null);
    else if (event.key === "Delete" && view?.active) void current.remove(view.active);
    else return;
    event.preventDefault();
  };

  return (
    <dialog ref={sheet} class="film" aria-label="Video" onClose={close} onKeyDown={key}>
      <video ref={video} class="unseen" muted playsInline />
      <div class="middle">
        <canvas
          ref={canvas}
          class="stage"
          tabIndex={0}
          aria-label="Video: click on an object, and it is followed"
          {...onStage}
        />
        {view && !view.objects.length && !view.message && (
          <p class="hint">Click on an object, or drag a box around it: the mask follows.</p>
        )}
        {view?.message && (
          <div class="message" role="alert">
            {view.message}
            <button aria-label="Close the message" onClick={() => film.current!.tell(null)}>
              ×
            </button>
          </div>
        )}
      </div>
      <div class="toolbar" role="toolbar" aria-label="Video">
        <div class="group">
          <button onClick={() => film.current!.pause()} title="Hold the frame, or go on (Space)">
            {view?.paused ? "Go on" : "Pause"}
          </button>
          {source && <button onClick={() => film.current!.rewind()}>From the beginning</button>}
          <button
            disabled={!view || view.active === null}
            onClick={() => film.current!.select(null)}
            title="The next click is about another object (Enter)"
          >
            Another object
          </button>
        </div>
        <ul class="group" aria-label="Objects that are followed">
          {view?.objects.map(({ id, score, state }) => (
            <li key={id} class="group">
              <button
                aria-pressed={id === view.active}
                onClick={() => film.current!.select(id)}
                title="The next click corrects this object"
              >
                <span class="swatch" style={{ backgroundColor: colourOf(id) }} /> {id}{" "}
                {STATES[state] || `${Math.round(100 * score)} %`}
              </button>
              <button
                aria-label={`Follow object ${id} no longer`}
                onClick={() => void film.current!.remove(id)}
              >
                ×
              </button>
            </li>
          ))}
        </ul>
        <div class="group right">
          <span class="rate">{view?.rate ? `${view.rate.toFixed(1)} frames a second` : ""}</span>
          <button onClick={() => sheet.current!.close()} title="Back to the photographs (Esc)">
            Close
          </button>
        </div>
      </div>
    </dialog>
  );
}

function colourOf(id: number): string {
  return COLOURS[(id - 1) % COLOURS.length]!;
}

/** Clicks and boxes on the frame that is shown. */
function pointers(
  canvas: { current: HTMLCanvasElement | null },
  film: { current: Film | null },
) {
  let pressed: PointerEvent | null = null;
  const place = (event: PointerEvent) => {
    const frame = canvas.current!.getBoundingClientRect();
    const viewport = viewportOf(canvas.current!, film.current!.view);
    return viewport && toPhotograph(viewport, event.clientX - frame.left, event.clientY - frame.top);
  };
  const boxTo = (event: PointerEvent): Corners | null => {
    if (!pressed || pressed.button !== 0) return null;
    const far = Math.hypot(event.clientX - pressed.clientX, event.clientY - pressed.clientY);
    const [from, to] = [place(pressed), place(event)];
    return far > CLICK_SLACK && from && to ? between(from, to) : null;
  };
  return {
    onContextMenu: (event: Event) => event.preventDefault(),
    onPointerDown: (event: PointerEvent) => {
      canvas.current!.setPointerCapture(event.pointerId);
      pressed = event;
    },
    onPointerMove: (event: PointerEvent) => {
      if (pressed) paint(canvas.current!, film.current!.view, boxTo(event));
    },
    onPointerUp: (event: PointerEvent) => {
      const [box, at] = [boxTo(event), place(event)];
      const { picture } = film.current!.view;
      pressed = null;
      if (!picture || !at) return;
      const [x, y] = at;
      const inside = x >= 0 && y >= 0 && x < picture.width && y < picture.height;
      if (box) void film.current!.box(box);
      else if (inside) void film.current!.click(x, y, event.button !== 2 && !event.altKey);
    },
    onPointerCancel: () => (pressed = null),
  };
}

function viewportOf(canvas: HTMLCanvasElement, { picture }: FilmView): Viewport | null {
  return picture && fit(picture, { width: canvas.clientWidth, height: canvas.clientHeight });
}

function paint(canvas: HTMLCanvasElement, view: FilmView, box: Corners | null): void {
  const viewport = viewportOf(canvas, view);
  const ratio = window.devicePixelRatio;
  canvas.width = Math.round(canvas.clientWidth * ratio);
  canvas.height = Math.round(canvas.clientHeight * ratio);
  if (!viewport) return;
  const { scale, x, y } = viewport;
  const context = canvas.getContext("2d")!;
  context.setTransform(scale * ratio, 0, 0, scale * ratio, x * ratio, y * ratio);
  context.drawImage(view.picture!, 0, 0);
  for (const { id, mask } of view.objects) stamp(context, mask, colourOf(id));
  if (!box) return;
  context.lineWidth = 1.5 / scale;
  context.strokeStyle = "#ffffff";
  context.strokeRect(box[0], box[1], box[2] - box[0], box[3] - box[1]);
}
