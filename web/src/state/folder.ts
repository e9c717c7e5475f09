/** Work on a folder of this computer, which `picosam2 web DIR` serves: `DIR/instances.json`. */
import { type CocoFile, imageOf, readCoco, thingsOf, writeCoco } from "../formats/coco";
import type { Photograph } from "./model";
import type { Saved, Storage } from "./storage";

/** What the server answers when the file has changed since it was read. */
const CHANGED = 412;

export class FolderStorage implements Storage {
  readonly add = null;
  private before: CocoFile | null = null;
  private version = "";
  private writing: Promise<void> = Promise.resolve();
  private newest: Saved | null = null;
  /** Photographs that were changed: images of others are not added to the file. */
  private readonly changed = new Set<string>();

  constructor(private readonly token: string) {}

  async load(): Promise<Saved> {
    const names = (await (await this.ask("photographs")).json()) as string[];
    const answer = await this.ask("annotations");
    this.version = answer.headers.get("ETag") ?? "";
    const content: unknown = await answer.json();
    this.before = content === null ? null : readCoco(content);
    const photographs = names.map((name) => this.photograph(name));
    const categories = this.before?.categories.map(({ id, name }) => ({ id, name })) ?? [];
    const settings = { categories, current: 0, imported: this.before };
    return { photographs, settings: categories.length ? settings : null };
  }

  async file({ name }: Photograph): Promise<Blob> {
    return (await this.ask(`photograph?name=${encodeURIComponent(name)}`)).blob();
  }

  save(photograph: Photograph, all: Saved): Promise<void> {
    this.changed.add(photograph.id);
    return this.saveSettings(all);
  }

  /** Writes follow each other; what came meanwhile is written at once. */
  saveSettings(all: Saved): Promise<void> {
    this.newest = all;
    this.writing = this.writing.catch(() => undefined).then(() => this.write());
    return this.writing;
  }

  clear(): Promise<void> {
    return Promise.resolve();
  }

  private async write(): Promise<void> {
    if (!this.newest) return;
    const all = this.newest;
    this.newest = null;
    const made = all.photographs.filter(({ id }) => this.changed.has(id));
    const file = writeCoco(this.before, made, all.settings?.categories ?? []);
    const answer = await this.ask("annotations", {
      method: "PUT",
      headers: { "If-Match": this.version, "Content-Type": "application/json" },
      body: JSON.stringify(file),
    });
    this.version = answer.headers.get("ETag") ?? "";
  }

  private photograph(name: string): Photograph {
    const image = this.before && imageOf(this.before, name);
    const full = { width: image?.width ?? 0, height: image?.height ?? 0 };
    return { id: name, name, full, things: image ? thingsOf(this.before!, image, 1) : [] };
  }

  private async ask(path: string, init: RequestInit = {}): Promise<globalThis.Response> {
    const headers = { ...init.headers, "X-PicoSAM2-Token": this.token };
    const answer = await fetch(`api/${path}`, { ...init, headers });
    if (answer.status === CHANGED) {
      throw new Error(
        "instances.json was changed by another program since it was read, and was not " +
          "overwritten: export your work as COCO, then reload the page",
      );
    }
    if (!answer.ok) throw new Error(`the server said: ${(await answer.text()).trim()}`);
    return answer;
  }
}
