import { useState } from "preact/hooks";
import { cocoFile, cutOut, maskFiles, save, yoloFile, type Made } from "../state/exports";
import type { Session, Tool, View } from "../state/session";
import { reasonOf } from "../worker/reason";

const TOOLS: readonly (readonly [Tool, string, string])[] = [
  ["add", "Add", "Click on the object, or drag a box (A)"],
  ["remove", "Take away", "Click on what is not part of it (R); also the right button, or Alt"],
  ["brush", "Brush", "Paint what belongs to it (P)"],
  ["erase", "Erase", "Paint what does not (E)"],
  ["move", "Move", "Drag the photograph (M); also Shift, or the middle button"],
];

const SAVED = { saved: "Saved", saving: "Saving…", failed: "Not saved" };

interface Props {
  session: Session;
  view: View;
  open(): void;
  openFolder(): void;
  fit(): void;
  zoom(factor: number): void;
  help(): void;
}

/** What can be done, above the photograph. */
export function Toolbar({ session, view, open, openFolder, fit, zoom, help }: Props) {
  return (
    <div class="toolbar" role="toolbar" aria-label="Tools">
      {!view.inFolder && (
        <div class="group">
          <button onClick={open} title="Open photographs, a video, or COCO JSON to correct (O)">
            Open
          </button>
          <button onClick={openFolder} title="Open all photographs of a folder">
            Folder
          </button>
          <button
            onClick={() => session.watch("camera")}
            title="Follow objects in what the camera sees; a video file: Open"
          >
            Camera
          </button>
        </div>
      )}
      <div class="group">
        {TOOLS.map(([tool, name, title]) => (
          <button
            key={tool}
            title={title}
            aria-pressed={view.tool === tool}
            onClick={() => session.setTool(tool)}
          >
            {name}
          </button>
        ))}
        {(view.tool === "brush" || view.tool === "erase") && (
          <input
            type="range"
            min="1"
            max="100"
            value={view.brush}
            aria-label="Size of the brush"
            onInput={(event) => session.setBrush(Number(event.currentTarget.value))}
          />
        )}
      </div>
      <div class="group">
        {view.progress ? (
          <button onClick={() => session.stop()} title="Keep what was found so far (Esc)">
            Stop
          </button>
        ) : (
          <button
            disabled={!view.picture || view.busy}
            onClick={() => void session.everything()}
            title="Find all objects, for a first pass (F)"
          >
            Everything
          </button>
        )}
      </div>
      <div class="group">
        <button disabled={!view.canUndo} onClick={() => session.undo()} title="Undo (Ctrl+Z)">
          Undo
        </button>
        <button disabled={!view.canRedo} onClick={() => session.redo()} title="Redo (Ctrl+Y)">
          Redo
        </button>
      </div>
      <div class="group">
        <button onClick={() => zoom(1.25)} aria-label="Zoom in" title="Zoom in (+)">
          +
        </button>
        <button onClick={() => zoom(0.8)} aria-label="Zoom out" title="Zoom out (-)">
          −
        </button>
        <button onClick={fit} title="All of the photograph (0)">
          Fit
        </button>
      </div>
      <Exports session={session} view={view} />
      <div class="group right">
        <span class={`saved ${view.saved}`} role="status" title={where(view)}>
          {view.busy ? working(view) : SAVED[view.saved]}
        </span>
        <button onClick={toggleTheme} aria-label="Dark or light" title="Dark or light (D)">
          ◐
        </button>
        <button onClick={help} aria-label="Help" title="All keys (?)">
          ?
        </button>
      </div>
    </div>
  );
}

function working({ progress }: View): string {
  return progress ? `Looking… ${Math.round((100 * progress.done) / progress.all)} %` : "Working…";
}

function where(view: View): string {
  return view.inFolder
    ? "Each change is written to the folder's instances.json"
    : "Each change is kept in this browser, on this computer, and is there after a reload";
}

function Exports({ session, view }: { session: Session; view: View }) {
  const [open, setOpen] = useState(false);
  const give = (make: () => Made | Promise<Made>, use: (made: Made) => unknown = save) => {
    setOpen(false);
    Promise.resolve()
      .then(make)
      .then(use)
      .catch((error: unknown) => session.tell(`not exported: ${reasonOf(error)}`));
  };
  const copy = ({ content }: Made) =>
    navigator.clipboard.write([new ClipboardItem({ "image/png": content })]);
  return (
    <div class="group menu">
      <button
        aria-expanded={open}
        aria-haspopup="menu"
        disabled={!view.photographs.length}
        onClick={() => setOpen(!open)}
        title="Export (Ctrl+S: COCO)"
      >
        Export ▾
      </button>
      {open && (
        <div class="items" role="menu">
          <button role="menuitem" onClick={() => give(() => cocoFile(session))}>
            COCO JSON, all photographs
          </button>
          <button role="menuitem" onClick={() => give(() => yoloFile(session))}>
            YOLO-seg labels, all photographs
          </button>
          <button role="menuitem" onClick={() => give(() => maskFiles(session))}>
            PNG masks, all photographs
          </button>
          <button role="menuitem" onClick={() => give(() => cutOut(session))}>
            Cut-out of the selected object, PNG
          </button>
          <button role="menuitem" onClick={() => give(() => cutOut(session), copy)}>
            Copy the cut-out
          </button>
        </div>
      )}
    </div>
  );
}

/** Dark or light, instead of what the system says. */
export function toggleTheme(): void {
  const root = document.documentElement;
  const light = matchMedia("(prefers-color-scheme: light)").matches;
  const now = root.dataset.theme ?? (light ? "light" : "dark");
  root.dataset.theme = now === "dark" ? "light" : "dark";
}
