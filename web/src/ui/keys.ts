/** The keyboard: everything that a pointer does. */
import { cocoFile, save } from "../state/exports";
import type { Session, Tool } from "../state/session";
import type { Stage } from "./stage";
import { toggleTheme } from "./toolbar";

/** What keys act on. */
export interface Page {
  readonly session: Session;
  readonly stage: Stage;
  open(): void;
  setHelp(shown: boolean): void;
}

const STEP = 8;
const LARGE_STEP = 40;

/** Of the help sheet. */
export const KEYS: readonly (readonly [string, string])[] = [
  ["Arrows", "move the cross (Shift: farther, Alt: a pixel)"],
  ["Space", "add what is under the cross; with the brush, paint"],
  ["X", "take away what is under the cross"],
  ["B, then B", "corners of a box at the cross"],
  ["Tab, Shift+Tab", "other masks for the same click"],
  ["Enter, Esc", "the object is done: the next click is a new one"],
  ["[ and ]", "previous and next object"],
  ["Delete", "delete the selected object"],
  ["F", "find everything, for a first pass (Esc: enough)"],
  ["Ctrl+Z, Ctrl+Y", "undo, redo"],
  ["1 to 9", "class of the selected object and of new ones"],
  ["Page Up, Page Down", "previous and next photograph"],
  ["+, −, 0", "zoom in, zoom out, all of the photograph"],
  ["A, R, P, E, M", "tools: add, take away, brush, erase, move"],
  [", and .", "smaller and larger brush"],
  ["O, Ctrl+S", "open photographs, export COCO"],
  ["D", "dark or light"],
  ["?", "this sheet"],
];

const TOOLS: Readonly<Record<string, Tool>> = {
  a: "add",
  r: "remove",
  p: "brush",
  e: "erase",
  m: "move",
};

const ARROWS: Readonly<Record<string, readonly [number, number]>> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

/** Do what a key stands for; whether it stands for anything here. */
export function handleKey(event: KeyboardEvent, page: Page): boolean {
  const target = event.target as HTMLElement;
  if (target instanceof HTMLInputElement && target.type !== "range") return false;
  if (event.ctrlKey || event.metaKey) return withControl(event, page);
  const arrow = ARROWS[event.key];
  if (arrow && !(target instanceof HTMLInputElement)) {
    const step = event.altKey ? 1 : event.shiftKey ? LARGE_STEP : STEP;
    page.stage.moveCursor(arrow[0] * step, arrow[1] * step);
    return true;
  }
  const onButton = target instanceof HTMLButtonElement;
  // Buttons keep the keys that press them, and Tab where there is nothing to choose from.
  if (onButton && (event.key === " " || event.key === "Enter")) return false;
  if (event.key === "Tab") return tab(event, target, page.session);
  return plain(event.key, page);
}

function tab(event: KeyboardEvent, target: HTMLElement, session: Session): boolean {
  const onStage = target instanceof HTMLCanvasElement || target === document.body;
  if (!onStage || (session.active?.candidates.length ?? 0) < 2) return false;
  session.nextCandidate(event.shiftKey ? -1 : 1);
  return true;
}

function withControl(event: KeyboardEvent, { session }: Page): boolean {
  const key = event.key.toLowerCase();
  if (key === "z" && !event.shiftKey) session.undo();
  else if (key === "z" || key === "y") session.redo();
  else if (key === "s" && session.photograph) save(cocoFile(session));
  else return false;
  return true;
}

function plain(key: string, { session, stage, open, setHelp }: Page): boolean {
  const { view } = session;
  const tool = TOOLS[key.toLowerCase()];
  if (tool) session.setTool(tool);
  else if (/^[1-9]$/.test(key)) session.classifyAt(Number(key) - 1);
  else if (key === " ") stage.press(true);
  else if (key.toLowerCase() === "x") stage.press(false);
  else if (key.toLowerCase() === "b") stage.pressBox();
  else if (key.toLowerCase() === "f") void session.everything();
  else if (key === "Enter") session.finish();
  else if (key === "Escape") {
    setHelp(false);
    session.stop();
    session.finish();
  } else if (key === "[") session.selectNext(-1);
  else if (key === "]") session.selectNext(1);
  else if (key === "Delete" || key === "Backspace") session.remove();
  else if (key === "PageUp") void session.goTo(view.current - 1);
  else if (key === "PageDown") void session.goTo(view.current + 1);
  else if (key === "+" || key === "=") stage.zoom(1.25);
  else if (key === "-") stage.zoom(0.8);
  else if (key === "0") stage.fit();
  else if (key === ",") session.setBrush(view.brush / 1.25);
  else if (key === ".") session.setBrush(view.brush * 1.25);
  else if (key.toLowerCase() === "d") toggleTheme();
  else if (key.toLowerCase() === "o") open();
  else if (key === "?") setHelp(true);
  else return false;
  return true;
}
