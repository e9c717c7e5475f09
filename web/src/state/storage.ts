/** What a person made, kept in the browser (IndexedDB). */
import type { CocoFile } from "../formats/coco";
import type { Category, Photograph } from "./model";

/** What belongs to all photographs. */
export interface Settings {
  readonly categories: readonly Category[];
  /** Which photograph was looked at. */
  readonly current: number;
  /** A file that was imported: what is exported goes on from it. */
  readonly imported: CocoFile | null;
}

/** Everything but the photographs' files. */
export interface Saved {
  readonly photographs: readonly Photograph[];
  readonly settings: Settings | null;
}

/** Where work is kept. */
export interface Storage {
  load(): Promise<Saved>;
  /** The file of a photograph. */
  file(photograph: Photograph): Promise<Blob>;
  /** Keep the files of new photographs; null where photographs cannot be added. */
  readonly add: ((files: readonly [Photograph, Blob][]) => Promise<void>) | null;
  /** Keep what was made of one photograph; `all` is everything as it is now. */
  save(photograph: Photograph, all: Saved): Promise<void>;
  saveSettings(all: Saved): Promise<void>;
  /** Forget everything. */
  clear(): Promise<void>;
}

const STORES = ["files", "photographs", "settings"] as const;
type Store = (typeof STORES)[number];

/** In the browser, on this computer. */
export class BrowserStorage implements Storage {
  private constructor(private readonly database: IDBDatabase) {}

  static async open(name = "picosam2"): Promise<BrowserStorage> {
    const request = indexedDB.open(name, 1);
    request.onupgradeneeded = () => {
      for (const store of STORES) request.result.createObjectStore(store);
    };
    return new BrowserStorage(await done(request));
  }

  async load(): Promise<Saved> {
    const transaction = this.database.transaction(["photographs", "settings"]);
    const [photographs, settings] = await Promise.all([
      done(transaction.objectStore("photographs").getAll() as IDBRequest<Photograph[]>),
      done(transaction.objectStore("settings").get("all") as IDBRequest<Settings | undefined>),
    ]);
    return { photographs, settings: settings ?? null };
  }

  async file({ id }: Photograph): Promise<Blob> {
    const request = this.database.transaction("files").objectStore("files").get(id);
    const file = await done(request as IDBRequest<Blob | undefined>);
    if (!file) throw new Error("its file is no longer kept by this browser: open it again");
    return file;
  }

  readonly add = async (files: readonly [Photograph, Blob][]): Promise<void> => {
    await this.write(["files", "photographs"], (store) => {
      for (const [photograph, file] of files) {
        store("files").put(file, photograph.id);
        store("photographs").put(photograph, photograph.id);
      }
    });
  };

  async save(photograph: Photograph): Promise<void> {
    await this.write(["photographs"], (store) => {
      store("photographs").put(photograph, photograph.id);
    });
  }

  async saveSettings({ settings }: Saved): Promise<void> {
    await this.write(["settings"], (store) => store("settings").put(settings, "all"));
  }

  async clear(): Promise<void> {
    await this.write([...STORES], (store) => STORES.forEach((name) => store(name).clear()));
  }

  private write(
    names: Store[],
    work: (store: (name: Store) => IDBObjectStore) => void,
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      const transaction = this.database.transaction(names, "readwrite");
      transaction.oncomplete = () => resolve();
      transaction.onabort = transaction.onerror = () =>
        reject(transaction.error ?? new Error("the browser did not keep it"));
      work((name) => transaction.objectStore(name));
    });
  }
}

function done<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error("the browser's storage failed"));
  });
}
