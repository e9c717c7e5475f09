import { render } from "preact";
import { BrowserStorage } from "../state/storage";
import { FolderStorage } from "../state/folder";
import { Session } from "../state/session";
import { Client } from "../worker/client";
import { reasonOf } from "../worker/reason";
import { canThread } from "../worker/threads";
import workerAddress from "../worker/worker.ts?worker&url";
import { App } from "./app";
import "./style.css";

/** `#folder=TOKEN` in the address: the page works on the folder that its server was started for. */
const token = new URLSearchParams(location.hash.slice(1)).get("folder");

/** `?threads=1` in the address is the worker's. */
const worker = new Worker(`${workerAddress}${location.search}`);
const page = document.getElementById("page")!;

async function start(): Promise<void> {
  const storage = token ? new FolderStorage(token) : await BrowserStorage.open();
  const client = new Client(worker, (text) => session.tell(text));
  const session = new Session(client, storage);
  render(<App session={session} client={client} />, page);
  await session.start().catch((error: unknown) => session.tell(reasonOf(error)));
}

start().catch(() => {
  page.textContent =
    "This browser does not let the page keep anything (IndexedDB), perhaps because it is in " +
    "private mode: allow it, and reload the page.";
});

/** Keep the page for offline, with the one of the two builds of LiteRT that runs here. */
async function keepPage(): Promise<void> {
  const other = (await canThread()) ? "compat" : "threaded";
  await navigator.serviceWorker.register(`./sw.js?without=litert_wasm_${other}`);
}

if ("serviceWorker" in navigator && import.meta.env.PROD && !token) {
  // Without one the page works as well, but not offline.
  keepPage().catch(() => undefined);
}
