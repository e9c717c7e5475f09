/** Everything that happens to photographs, and what the page shows of it. */
import { OPTIONS } from "../automatic/generator";
import { boxIou } from "../automatic/suppression";
import { type CocoFile, imageOf, readCoco, thingsOf } from "../formats/coco";
import { type Patch, EMPTY, area, boundsOf, disc, has, subtract, union } from "../predictor/patches";
import { type Corners, clipped } from "../predictor/prompt";
import type { Click } from "../predictor/readings";
import { type Client, Newest } from "../worker/client";
import type { Progress } from "../worker/protocol";
import { reasonOf } from "../worker/reason";
import {
  type Candidate,
  type Category,
  type Photograph,
  type Thing,
  MOST_SIDE,
  maskOf,
  workingSize,
} from "./model";
import type { Saved, Storage } from "./storage";
import { Store } from "./store";

/** Different masks of one prompt that may be chosen from. */
const CANDIDATES = 3;
/** Steps that can be undone in each photograph. */
const MOST_STEPS = 200;
/** Keys 1 to 9. */
export const MOST_CLASSES = 9;

export type Tool = "add" | "remove" | "box" | "brush" | "erase" | "move";

/** What the page shows. */
export interface View {
  readonly photographs: readonly Photograph[];
  readonly current: number;
  readonly picture: ImageBitmap | null;
  /** The object that the next click is about. */
  readonly active: number | null;
  readonly preview: Candidate | null;
  readonly tool: Tool;
  readonly brush: number;
  /** Of new objects. */
  readonly category: number;
  readonly categories: readonly Category[];
  readonly busy: boolean;
  /** Of the search for everything, while it runs. */
  readonly progress: Progress | null;
  readonly saved: "saved" | "saving" | "failed";
  /** Something that a person should know. */
  readonly message: string | null;
  readonly canUndo: boolean;
  readonly canRedo: boolean;
  /** What is followed over the page: a video file, or the camera. */
  readonly film: Blob | "camera" | null;
  /** Whether work goes to a folder's instances.json. */
  readonly inFolder: boolean;
}

/** What undo goes back to. */
interface Step {
  readonly things: readonly Thing[];
  readonly active: number | null;
}

interface History {
  past: Step[];
  future: Step[];
}

/** The preview that was asked for last. */
interface Previewed {
  readonly click: Click;
  /** What it was asked about. */
  readonly place: Patch | Photograph;
  readonly answer: Promise<Candidate[]>;
}

const START: View = {
  photographs: [],
  current: 0,
  picture: null,
  active: null,
  preview: null,
  tool: "add",
  brush: 8,
  category: 1,
  categories: [{ id: 1, name: "object" }],
  busy: false,
  progress: null,
  saved: "saved",
  message: null,
  canUndo: false,
  canRedo: false,
  film: null,
  inFolder: false,
};

export class Session extends Store<View> {
  private readonly histories = new Map<string, History>();
  private readonly previews = new Newest();
  private imported: CocoFile | null = null;
  private tail: Promise<void> = Promise.resolve();
  private saves = 0;
  private opening = 0;
  private started: Promise<void> = Promise.resolve();
  private previewed: Previewed | null = null;

  constructor(
    private readonly client: Client,
    private readonly storage: Storage,
  ) {
    // Busy until the last visit is loaded.
    super({ ...START, busy: true, inFolder: storage.add === null });
  }

  /** The photograph that is shown. */
  get photograph(): Photograph | null {
    return this.view.photographs[this.view.current] ?? null;
  }

  /** The object that the next click is about. */
  get active(): Thing | null {
    return this.photograph?.things.find(({ id }) => id === this.view.active) ?? null;
  }

  /** What COCO is exported on top of. */
  get before(): CocoFile | null {
    return this.imported;
  }

  /**
   * Go on where the last visit ended.
   *
   * @throws Error what could not be loaded.
   */
  start(): Promise<void> {
    this.started = this.resume();
    return this.started;
  }

  /** Add photographs after those that are there, and show the first of them. */
  async open(files: readonly File[]): Promise<void> {
    if (!this.storage.add) return this.tell("this page shows the photographs of one folder");
    // What is loaded later would take the place of these.
    await this.started.catch(() => undefined);
    const [video] = files.filter(({ type }) => type.startsWith("video/"));
    const pictures = files.filter(({ type }) => type.startsWith("image/"));
    const tables = files.filter(({ name }) => name.endsWith(".json"));
    if (video && !pictures.length && !tables.length) return this.watch(video);
    if (!pictures.length && !tables.length) {
      return this.tell("there is no photograph among these files");
    }
    if (pictures.length) {
      const first = this.view.photographs.length;
      const added = pictures.map((file, i) => {
        const name = file.webkitRelativePath || file.name;
        const id = `${String(first + i).padStart(6, "0")}-${crypto.randomUUID()}`;
        return [{ id, name, full: { width: 0, height: 0 }, things: [] }, file] as const;
      });
      await this.keep(() => this.storage.add!(added.map(([photo, file]) => [photo, file])));
      this.set({ photographs: [...this.view.photographs, ...added.map(([photo]) => photo)] });
      void navigator.storage?.persist?.();
      await this.goTo(first);
    }
    for (const table of tables) await this.importCoco(table);
    if (video) this.tell("videos beside photographs were left out: open one by itself");
  }

  /** Follow objects through a video, or through what the camera sees. */
  watch(film: Blob | "camera"): void {
    this.set({ film });
  }

  /** Back to the photographs. */
  leaveFilm(): void {
    this.set({ film: null });
  }

  /** Show another photograph. */
  async goTo(number: number): Promise<void> {
    const { photographs } = this.view;
    const current = Math.max(0, Math.min(photographs.length - 1, number));
    const photograph = photographs[current];
    if (!photograph) return;
    const opening = ++this.opening;
    this.previews.clear();
    this.stop();
    this.set({ busy: true });
    // What is being answered belongs to the photograph that was shown.
    await this.tail;
    if (opening !== this.opening) return;
    this.set({ current, picture: null, active: null, preview: null, busy: true });
    try {
      const file = await this.storage.file(photograph);
      const { full, picture } = await this.client.ask({ kind: "open", file });
      if (opening !== this.opening) return;
      const photos = this.view.photographs.map((one, i) => (i === current ? { ...one, full } : one));
      this.set({ photographs: photos, picture });
      if (Math.max(full.width, full.height) > MOST_SIDE) {
        this.tell(
          `${full.width}×${full.height} pixels: worked on at ${MOST_SIDE} pixels a side, ` +
            "exported at full size",
        );
      }
    } catch (error) {
      if (opening === this.opening) this.tell(`${photograph.name}: ${reasonOf(error)}`);
    }
    if (opening === this.opening) this.set({ busy: false });
    void this.keep(() => this.storage.saveSettings(this.all()));
  }

  /** Show the mask that a click would give; the newest wish wins. */
  hover(x: number, y: number, positive: boolean): void {
    const place = this.placeOf();
    if (!place || this.view.busy || (!positive && !this.active)) return this.leave();
    this.previews.run(async () => {
      const click = { x, y, positive };
      const answer = this.answer(click, 1, this.active);
      this.previewed = { click, place, answer };
      const [preview] = await answer;
      if (preview && this.placeOf() === place) this.set({ preview });
    });
  }

  /** Take the preview away. */
  leave(): void {
    this.previews.clear();
    if (this.view.preview) this.set({ preview: null });
  }

  /** A click: on the object, or on what is not part of it. */
  click(x: number, y: number, positive: boolean): Promise<void> {
    const click = { x, y, positive };
    const shown = this.previewOf(click);
    return this.ask(async () => {
      const thing = this.active;
      if (!positive && !thing) return this.tell("click on the object first");
      const said = { clicks: [...(thing?.clicks ?? []), click] };
      const early = shown && shown.place === this.placeOf() ? await shown.answer : [];
      if (early.length) this.answered(early, said);
      const candidates = await this.answer(click, CANDIDATES, thing);
      if (!early.length) return this.answered(candidates, said);
      // Not where the object was changed or undone meanwhile.
      const now = this.active;
      if (now && now.candidates[0] === early[0] && candidates.length) {
        this.put(this.replaced({ ...now, candidates }), now.id);
      }
    });
  }

  /** A box around a new object. */
  box(corners: Corners): Promise<void> {
    return this.ask(async () => {
      const within = clipped(corners, workingSize(this.photograph!.full));
      const first = { box: within };
      const candidates = await this.client.ask({ kind: "look", first, count: CANDIDATES });
      this.set({ active: null });
      return this.answered(candidates, { clicks: [], within });
    });
  }

  /** Add all objects that a search finds and that are not there yet. */
  async everything(): Promise<void> {
    if (this.view.busy) return;
    await this.ask(async () => {
      // What can be stopped from the beginning.
      this.set({ progress: { done: 0, all: 1 } });
      const photograph = this.photograph!;
      const found = await this.client.ask({ kind: "everything" }, (progress) =>
        this.set({ progress }),
      );
      if (this.photograph?.id !== photograph.id) return;
      const { things } = this.photograph;
      const there = things.map((thing) => boundsOf(maskOf(thing)));
      const fresh = found.filter(
        ({ mask }) =>
          mask.width > 0 && there.every((box) => boxIou(box, boundsOf(mask)) <= OPTIONS.overlap),
      );
      if (!fresh.length) return this.tell("nothing more was found");
      const first = nextId(things);
      const made = fresh.map((candidate, i) => this.made(first + i, [candidate]));
      this.commit([...things, ...made], null);
      this.tell(`${made.length} objects were found: delete those that are none`);
    });
  }

  /** End the search for everything with what it has found. */
  stop(): void {
    if (this.view.progress) void this.client.ask({ kind: "stop" });
  }

  /** Another answer to the same prompt. */
  nextCandidate(step: number): void {
    const thing = this.active;
    if (!thing || thing.candidates.length < 2) return;
    const count = thing.candidates.length;
    this.change({ ...thing, choice: (thing.choice + step + count) % count });
  }

  /** The next click is about a new object. */
  finish(): void {
    this.set({ active: null, preview: null });
  }

  select(id: number | null): void {
    this.set({ active: id, preview: null });
  }

  /** Select the smallest object that holds a pixel. */
  selectAt(x: number, y: number): void {
    const here = (this.photograph?.things ?? [])
      .filter((thing) => has(maskOf(thing), Math.floor(x), Math.floor(y)))
      .sort((a, b) => area(maskOf(a)) - area(maskOf(b)));
    this.select(here[0]?.id ?? null);
  }

  /** Select the object after the one that is selected. */
  selectNext(step: number): void {
    const things = this.photograph?.things ?? [];
    if (!things.length) return;
    const at = things.findIndex(({ id }) => id === this.view.active);
    const next = at < 0 && step < 0 ? things.length - 1 : at + step;
    this.select(things[(next + things.length) % things.length]!.id);
  }

  /** Delete the object that is selected. */
  remove(): void {
    const { active } = this.view;
    const things = this.photograph?.things ?? [];
    if (active !== null) this.commit(things.filter(({ id }) => id !== active), null);
  }

  /** The class of the selected object, and of new ones. */
  classify(category: number): void {
    this.set({ category });
    const thing = this.active;
    if (thing && thing.category !== category) this.change({ ...thing, category });
  }

  /** The class of a key, 1 to 9. */
  classifyAt(place: number): void {
    const category = this.view.categories[place];
    if (category) this.classify(category.id);
    else this.tell(`there is no class ${place + 1} yet: add it in the list of classes`);
  }

  addClass(name: string): void {
    const { categories } = this.view;
    const id = nextId(categories);
    this.set({ categories: [...categories, { id, name }] });
    this.classify(id);
    void this.keep(() => this.storage.saveSettings(this.all()));
  }

  renameClass(id: number, name: string): void {
    const categories = this.view.categories.map((one) => (one.id === id ? { id, name } : one));
    this.set({ categories });
    void this.keep(() => this.storage.saveSettings(this.all()));
  }

  /** A stroke of the brush through points: it adds to the selected object, or takes away. */
  paint(points: readonly (readonly [number, number])[], adds: boolean): void {
    const photograph = this.photograph;
    if (!photograph || this.view.busy || !points.length) return;
    const thing = this.active;
    if (!adds && !thing) return this.tell("select an object to erase from");
    const size = workingSize(photograph.full);
    let stroke: Patch = EMPTY;
    for (const [x, y] of dense(points, this.view.brush / 2)) {
      stroke = union(stroke, disc(x, y, this.view.brush, size));
    }
    const before = thing ? maskOf(thing) : EMPTY;
    const mask = adds ? union(before, stroke) : subtract(before, stroke);
    this.answered([{ mask, score: null, reading: null }], { clicks: [], within: null });
  }

  setTool(tool: Tool): void {
    this.set({ tool, preview: null });
  }

  setBrush(radius: number): void {
    this.set({ brush: Math.max(1, Math.min(200, radius)) });
  }

  undo(): void {
    this.travel("past", "future");
  }

  redo(): void {
    this.travel("future", "past");
  }

  /** Objects from a COCO file, in place of those of the photographs that it names. */
  async importCoco(file: Blob): Promise<void> {
    try {
      const table = readCoco(JSON.parse(await file.text()));
      let count = 0;
      const photographs = this.view.photographs.map((photograph) => {
        const image = imageOf(table, photograph.name);
        if (!image) return photograph;
        count++;
        this.history(photograph).past.push({ things: photograph.things, active: null });
        return { ...photograph, things: thingsOf(table, image, 1) };
      });
      if (!count) throw new Error("no photograph here has the name of one of its images");
      this.imported = table;
      const categories = table.categories.map(({ id, name }) => ({ id, name }));
      const kept = this.view.categories.filter((one) => categories.every(({ id }) => id !== one.id));
      this.set({ photographs, active: null, categories: [...categories, ...kept] });
      this.classify(categories[0]?.id ?? this.view.category);
      for (const one of photographs) await this.keep(() => this.storage.save(one, this.all()));
      await this.keep(() => this.storage.saveSettings(this.all()));
      this.tell(`objects of ${count} photographs were imported`);
    } catch (error) {
      this.tell(`the file was not imported: ${reasonOf(error)}`);
    }
  }

  /** Forget all photographs and what was made of them. */
  async clear(): Promise<void> {
    this.opening++;
    this.stop();
    await this.tail;
    await this.keep(() => this.storage.clear());
    this.imported = null;
    this.histories.clear();
    this.set({ ...START, inFolder: this.view.inFolder });
  }

  file(photograph: Photograph): Promise<Blob> {
    return this.storage.file(photograph);
  }

  tell(message: string | null): void {
    this.set({ message });
  }

  private async resume(): Promise<void> {
    try {
      const { photographs, settings } = await this.storage.load();
      this.imported = settings?.imported ?? null;
      const categories = settings?.categories ?? START.categories;
      this.set({ photographs, categories, category: categories[0]?.id ?? 1, busy: false });
      if (photographs.length) await this.goTo(settings?.current ?? 0);
    } catch (error) {
      this.set({ busy: false });
      throw error;
    }
  }

  private placeOf(): Patch | Photograph | null {
    const thing = this.active;
    return thing ? maskOf(thing) : this.view.picture && this.photograph;
  }

  /** The preview, there or under way, where it is what a click asks for. */
  private previewOf({ x, y, positive }: Click): Previewed | null {
    const click = this.previewed?.click;
    const same = click?.x === x && click.y === y && click.positive === positive;
    return same ? this.previewed : null;
  }

  private answer(click: Click, count: number, thing: Thing | null): Promise<Candidate[]> {
    if (!thing) return this.client.ask({ kind: "look", first: { click }, count });
    const { mask, reading } = thing.candidates[thing.choice]!;
    const before = reading ?? { mask };
    const clicks = [...thing.clicks, click];
    return this.client.ask({ kind: "correct", before, clicks, within: thing.within, count });
  }

  /** Take what a prompt gave for the selected object, or for a new one. */
  private answered(
    candidates: readonly Candidate[],
    said: Pick<Thing, "clicks"> & Partial<Pick<Thing, "within">>,
  ): void {
    const thing = this.active;
    const found = candidates.filter(({ mask }) => mask.width > 0);
    if (!found.length) return this.tell("nothing was found there");
    if (thing) {
      const source = thing.source && { ...thing.source, untouched: false };
      return this.change({ ...thing, ...said, candidates: found, choice: 0, source });
    }
    const things = this.photograph!.things;
    const id = nextId(things);
    this.commit([...things, { ...this.made(id, found), ...said }], id);
  }

  /** A new object. */
  private made(id: number, candidates: readonly Candidate[]): Thing {
    const { category } = this.view;
    return { id, category, candidates, choice: 0, clicks: [], within: null, source: null };
  }

  private change(thing: Thing): void {
    this.commit(this.replaced(thing), thing.id);
  }

  /** The photograph's objects with one of them as it is now. */
  private replaced(thing: Thing): Thing[] {
    return this.photograph!.things.map((one) => (one.id === thing.id ? thing : one));
  }

  private commit(things: readonly Thing[], active: number | null): void {
    const photograph = this.photograph!;
    const history = this.history(photograph);
    history.past.push({ things: photograph.things, active: this.view.active });
    history.past.splice(0, history.past.length - MOST_STEPS);
    history.future = [];
    this.put(things, active);
  }

  private travel(from: keyof History, to: keyof History): void {
    const photograph = this.photograph;
    const history = photograph && this.history(photograph);
    const step = history?.[from].pop();
    if (!history || !step) return;
    history[to].push({ things: photograph.things, active: this.view.active });
    this.put(step.things, step.active);
  }

  private put(things: readonly Thing[], active: number | null): void {
    const { photographs, current } = this.view;
    const changed = { ...photographs[current]!, things };
    this.set({
      photographs: photographs.map((one, i) => (i === current ? changed : one)),
      active,
      preview: null,
    });
    void this.keep(() => this.storage.save(slim(changed, active), this.all()));
  }

  private history({ id }: Photograph): History {
    const known = this.histories.get(id);
    if (known) return known;
    const history = { past: [], future: [] };
    this.histories.set(id, history);
    return history;
  }

  /** One question after the other; what belongs to a photograph that was left is dropped. */
  private ask(task: () => Promise<void>): Promise<void> {
    const opening = this.opening;
    this.previews.clear();
    this.tail = this.tail.then(async () => {
      if (opening !== this.opening || !this.view.picture) return;
      this.set({ busy: true, preview: null });
      try {
        await task();
      } catch (error) {
        this.tell(reasonOf(error));
      }
      this.set({ busy: false, progress: null });
    });
    return this.tail;
  }

  private all(): Saved {
    const { photographs, categories, current } = this.view;
    return { photographs, settings: { categories, current, imported: this.imported } };
  }

  private async keep(write: () => Promise<void>): Promise<void> {
    const save = ++this.saves;
    this.set({ saved: "saving" });
    try {
      await write();
      if (save === this.saves) this.set({ saved: "saved" });
    } catch (error) {
      this.set({ saved: "failed" });
      const full = error instanceof DOMException && error.name === "QuotaExceededError";
      const reason = full ? "the browser's storage is full" : reasonOf(error);
      this.tell(`not saved: ${reason}. What you see is still here: export it before you leave.`);
    }
  }

  protected override complete(view: View): View {
    const photograph = view.photographs[view.current];
    const history = photograph && this.histories.get(photograph.id);
    return { ...view, canUndo: !!history?.past.length, canRedo: !!history?.future.length };
  }
}

function nextId(numbered: readonly { readonly id: number }[]): number {
  return 1 + numbered.reduce((most, { id }) => Math.max(most, id), 0);
}

/** Without what only the selected object needs: logits and the masks that were not chosen. */
function slim(photograph: Photograph, active: number | null): Photograph {
  const things = photograph.things.map((thing) => {
    if (thing.id === active) return thing;
    const { mask, score } = thing.candidates[thing.choice]!;
    return { ...thing, candidates: [{ mask, score, reading: null }], choice: 0 };
  });
  return { ...photograph, things };
}

/** Points no farther apart than a step. */
function dense(
  points: readonly (readonly [number, number])[],
  step: number,
): (readonly [number, number])[] {
  const result = [points[0]!];
  for (const [x, y] of points.slice(1)) {
    const [x0, y0] = result.at(-1)!;
    const count = Math.max(1, Math.ceil(Math.hypot(x - x0, y - y0) / step));
    for (let i = 1; i <= count; i++) {
      result.push([x0 + ((x - x0) * i) / count, y0 + ((y - y0) * i) / count]);
    }
  }
  return result;
}
