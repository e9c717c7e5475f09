/** The networks in WebAssembly, on one thread: Node stands in for a worker. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { runInThisContext } from "node:vm";
import { loadLiteRt } from "@litertjs/core";
import sidecar from "../../src/picosam2/weights/small/picosam2-fp32.json";
import { type Engine, LiteRtNetworks } from "../src/worker/network";

const WASM = "litert_wasm_compat_internal";
const folder = new URL("../node_modules/@litertjs/core/wasm/", import.meta.url);
const models = new URL("../models/", import.meta.url);
const read = (name: string) =>
  Promise.resolve(new Uint8Array(readFileSync(new URL(`${name}.tflite`, models))));

async function start(): Promise<Engine> {
  const quiet = () => undefined;
  Object.assign(globalThis, {
    self: globalThis,
    require: createRequire(import.meta.url),
    __dirname: folder.pathname,
    importScripts: (file: string): unknown =>
      runInThisContext(readFileSync(new URL(file), "utf8")),
    Module: {
      wasmBinary: readFileSync(new URL(`${WASM}.wasm`, folder)),
      print: quiet,
      printErr: quiet,
    },
  });
  await loadLiteRt(new URL(`${WASM}.js`, folder).href);
  return { threads: 1, accelerator: "wasm", lost: null };
}

export const networks = new LiteRtNetworks(
  { first: () => read("small"), correcting: () => read("correcting") },
  sidecar.marks_boxes,
  start,
);
