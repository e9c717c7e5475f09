/** A camera or a video whose objects are followed, and what the page shows of it. */
import type { First } from "../predictor/looks";
import { type Corners, clipped } from "../predictor/prompt";
import type { Tracked } from "../video/tracker";
import type { Client } from "../worker/client";
import { reasonOf } from "../worker/reason";
import { workingSize } from "./model";
import { Store } from "./store";

/** The longer side that frames are worked on at, at most. */
const MOST_SIDE = 1280;
/** Of the last frame in the rate that is shown. */
const NEWEST = 0.1;

/** What the page shows. */
export interface FilmView {
  /** The newest frame that was answered. */
  readonly picture: ImageBitmap | null;
  readonly objects: readonly Tracked[];
  /** The object that the next click corrects; null where it is about a new one. */
  readonly active: number | null;
  /** Frames answered a second; 0 while there are none. */
  readonly rate: number;
  readonly paused: boolean;
  readonly message: string | null;
}

const START: FilmView = {
  picture: null,
  objects: [],
  active: null,
  rate: 0,
  paused: false,
  message: null,
};

/** Plays a video, of a file or a camera: one frame is answered at a time, and the newest wins. */
export class Film extends Store<FilmView> {
  private tail: Promise<void> = Promise.resolve();
  private ended = false;
  private shown = -1;
  private answered = 0;

  constructor(
    private readonly client: Client,
    private readonly video: HTMLVideoElement,
    private readonly source: Blob | null,
  ) {
    super(START);
  }

  /** Open the camera or the file, and go on until {@link end}. */
  async start(): Promise<void> {
    this.video.onended = () => this.set({ paused: true, rate: 0 });
    try {
      await this.client.ask({ kind: "film" });
      if (this.ended) return;
      if (this.source) this.video.src = URL.createObjectURL(this.source);
      else await this.openCamera();
      await this.play();
    } catch (error) {
      return this.tell(filmReason(error));
    }
    while (!this.ended) {
      await nextPicture();
      if (this.hasNew()) await this.ask(() => this.follow());
    }
  }

  /** Let the camera or the file go. */
  end(): void {
    this.ended = true;
    this.video.pause();
    if (this.video.srcObject) stop(this.video.srcObject as MediaStream);
    this.video.srcObject = null;
    URL.revokeObjectURL(this.video.src);
    this.view.picture?.close();
    this.view = START;
  }

  /** A click: on a new object, or one that corrects the active one. */
  click(x: number, y: number, positive: boolean): Promise<void> {
    const click = { x, y, positive };
    return this.ask(async () => {
      const { active } = this.view;
      if (active === null && !positive) return this.tell("click on the object first");
      if (active === null) return this.add({ click });
      const objects = await this.client.ask({ kind: "refollow", id: active, click });
      this.set({ objects });
    });
  }

  /** A box around a new object. */
  box(corners: Corners): Promise<void> {
    return this.ask(async () => {
      if (this.view.picture) await this.add({ box: clipped(corners, this.view.picture) });
    });
  }

  /** Which object the next click corrects; null: it is about a new one. */
  select(active: number | null): void {
    this.set({ active });
  }

  /** Follow an object no longer. */
  remove(id: number): Promise<void> {
    return this.ask(async () => {
      const objects = await this.client.ask({ kind: "unfollow", id });
      this.set({ objects, active: this.view.active === id ? null : this.view.active });
    });
  }

  /** Hold the frame that is shown, or go on. */
  pause(): void {
    if (this.view.paused) return void this.play().catch((error) => this.tell(filmReason(error)));
    this.video.pause();
    this.set({ paused: true, rate: 0 });
  }

  /** Play a file from its beginning; objects are looked for again where they were last. */
  rewind(): void {
    this.video.currentTime = 0;
    this.play().catch((error) => this.tell(filmReason(error)));
  }

  tell(message: string | null): void {
    this.set({ message });
  }

  /** A pause while it begins is none of the errors; a browser may want a click first. */
  private async play(): Promise<void> {
    this.set({ paused: false });
    await this.video.play().catch((error: unknown) => {
      const name = error instanceof Error ? error.name : "";
      if (name === "NotAllowedError") this.set({ paused: true });
      else if (name !== "AbortError") throw error;
    });
  }

  private async openCamera(): Promise<void> {
    if (!navigator.mediaDevices) {
      throw new Error("browsers give a camera to pages of this computer, or by https, alone");
    }
    const video = { facingMode: "environment" };
    const stream = await navigator.mediaDevices.getUserMedia({ video });
    if (this.ended) stop(stream);
    else this.video.srcObject = stream;
  }

  private async add(first: First): Promise<void> {
    const { id, objects } = await this.client.ask({ kind: "follow", first });
    if (id === null) this.tell("nothing was found there");
    else this.set({ objects, active: id, message: null });
  }

  private hasNew(): boolean {
    const { currentTime, readyState, videoWidth } = this.video;
    return currentTime !== this.shown && readyState >= HTMLMediaElement.HAVE_CURRENT_DATA && videoWidth > 0;
  }

  private async follow(): Promise<void> {
    this.shown = this.video.currentTime;
    const { videoWidth, videoHeight } = this.video;
    const { width, height } = workingSize({ width: videoWidth, height: videoHeight }, MOST_SIDE);
    const frame = await createImageBitmap(this.video, {
      resizeWidth: width,
      resizeHeight: height,
      resizeQuality: "medium",
    });
    const asked = this.client.ask({ kind: "frame", frame }, undefined, [frame]);
    const { picture, objects } = await asked.finally(() => frame.close());
    if (this.ended) return picture.close();
    const now = performance.now();
    const took = now - this.answered;
    this.answered = now;
    const { rate, active } = this.view;
    this.view.picture?.close();
    this.set({
      picture,
      objects,
      // None is followed on in frames of another shape.
      active: objects.some(({ id }) => id === active) ? active : null,
      // A pause is no slow frame.
      rate: took > 1000 ? rate : rate ? 1 / ((1 - NEWEST) / rate + (NEWEST * took) / 1000) : 1000 / took,
    });
  }

  /** One question after the other. */
  private ask(task: () => Promise<void>): Promise<void> {
    this.tail = this.tail.then(async () => {
      if (this.ended) return;
      await task().catch((error: unknown) => this.tell(filmReason(error)));
    });
    return this.tail;
  }
}

function nextPicture(): Promise<unknown> {
  return new Promise((resolve) => requestAnimationFrame(resolve));
}

function stop(stream: MediaStream): void {
  for (const track of stream.getTracks()) track.stop();
}

/** What went wrong with a camera or a video. */
function filmReason(error: unknown): string {
  const name = error instanceof Error ? error.name : "";
  if (name === "NotAllowedError") {
    return "the browser does not let this page use the camera: allow it beside the address";
  }
  if (name === "NotFoundError") return "there is no camera";
  if (name === "NotReadableError") return "another program uses the camera";
  if (name === "NotSupportedError") {
    return "this browser cannot play it: it is damaged, or in a format that it does not know";
  }
  return reasonOf(error);
}
