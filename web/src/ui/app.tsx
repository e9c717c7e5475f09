import { useLayoutEffect, useRef, useState } from "preact/hooks";
import type { Session } from "../state/session";
import type { Client } from "../worker/client";
import { FilmSheet } from "./film";
import { Help } from "./help";
import { useView } from "./hooks";
import { handleKey } from "./keys";
import { Panel } from "./panel";
import { Stage } from "./stage";
import { Toolbar } from "./toolbar";

/** The page. */
export function App({ session, client }: { session: Session; client: Client }) {
  const view = useView(session);
  const canvas = useRef<HTMLCanvasElement>(null);
  const files = useRef<HTMLInputElement>(null);
  const folder = useRef<HTMLInputElement>(null);
  const stage = useRef<Stage | null>(null);
  const [help, setHelp] = useState(false);

  useLayoutEffect(() => {
    const made = new Stage(canvas.current!, session);
    stage.current = made;
    return () => made.end();
  }, [session]);

  useLayoutEffect(() => {
    const key = (event: KeyboardEvent) => {
      if (session.view.film) return;
      const page = { session, stage: stage.current!, open: () => files.current!.click(), setHelp };
      if (handleKey(event, page)) event.preventDefault();
    };
    const paste = (event: ClipboardEvent) => take([...(event.clipboardData?.files ?? [])]);
    const take = (found: File[]) => {
      if (found.length && !session.view.film) void session.open(found);
    };
    const drop = (event: DragEvent) => {
      event.preventDefault();
      void dropped(event.dataTransfer).then(take);
    };
    const over = (event: DragEvent) => event.preventDefault();
    const leaving = (event: BeforeUnloadEvent) => {
      if (session.view.saved !== "saved") event.preventDefault();
    };
    const listeners = { keydown: key, paste, drop, dragover: over, beforeunload: leaving };
    for (const [name, listener] of Object.entries(listeners)) {
      addEventListener(name, listener as EventListener);
    }
    return () => {
      for (const [name, listener] of Object.entries(listeners)) {
        removeEventListener(name, listener as EventListener);
      }
    };
  }, [session]);

  const chosen = (event: Event) => {
    const input = event.target as HTMLInputElement;
    void session.open([...(input.files ?? [])]);
    input.value = "";
  };

  return (
    <div class="page">
      <Toolbar
        session={session}
        view={view}
        open={() => files.current!.click()}
        openFolder={() => folder.current!.click()}
        fit={() => stage.current?.fit()}
        zoom={(factor) => stage.current?.zoom(factor)}
        help={() => setHelp(true)}
      />
      <main class="middle">
        <canvas
          ref={canvas}
          class={`stage ${view.tool}`}
          tabIndex={0}
          aria-label="Photograph: arrow keys move a cross, Space adds what is under it, X takes it away"
        />
        {!view.photographs.length && (
          <div class="welcome">
            <h1>PicoSAM2</h1>
            <p>Drop, paste or open photographs, then click on things. Nothing leaves this computer.</p>
            {!view.inFolder && (
              <button class="primary" onClick={() => files.current!.click()}>
                Open photographs
              </button>
            )}
          </div>
        )}
        {view.message && (
          <div class="message" role="alert">
            {view.message}
            <button aria-label="Close the message" onClick={() => session.tell(null)}>
              ×
            </button>
          </div>
        )}
      </main>
      <Panel session={session} view={view} />
      <input
        ref={files}
        hidden
        type="file"
        multiple
        accept="image/*,video/*,.json"
        data-testid="files"
        onChange={chosen}
      />
      <input
        ref={(input) => {
          folder.current = input;
          input?.setAttribute("webkitdirectory", "");
        }}
        hidden
        type="file"
        multiple
        onChange={chosen}
      />
      {view.film && (
        <FilmSheet
          client={client}
          source={view.film === "camera" ? null : view.film}
          close={() => session.leaveFilm()}
        />
      )}
      {help && <Help close={() => setHelp(false)} />}
    </div>
  );
}

/** The files of what was dropped, those in folders too. */
async function dropped(transfer: DataTransfer | null): Promise<File[]> {
  const entries = [...(transfer?.items ?? [])].map((item) => item.webkitGetAsEntry());
  const found = await Promise.all(entries.map((entry) => (entry ? inside(entry) : [])));
  return found.flat();
}

async function inside(entry: FileSystemEntry): Promise<File[]> {
  if (entry.isFile) {
    const file = new Promise<File>((resolve, reject) =>
      (entry as FileSystemFileEntry).file(resolve, reject),
    );
    return [await file];
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  const all: File[] = [];
  // A reader gives a hundred entries at a time.
  for (;;) {
    const part = await new Promise<FileSystemEntry[]>((resolve, reject) =>
      reader.readEntries(resolve, reject),
    );
    if (!part.length) return all;
    for (const child of part) all.push(...(await inside(child)));
  }
}
