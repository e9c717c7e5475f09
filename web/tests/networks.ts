/** The networks in WebAssembly, on one thread. */
import { readFileSync } from "node:fs";
import * as ort from "onnxruntime-web/wasm";
import { OrtNetworks } from "../src/worker/network";

const weights = new URL("../../src/picosam2/weights/", import.meta.url);
const read = (name: string) =>
  Promise.resolve(new Uint8Array(readFileSync(new URL(`${name}/picosam2-int8.onnx`, weights))));
const wasm = "../node_modules/onnxruntime-web/dist/ort-wasm-simd-threaded.wasm";
ort.env.wasm.wasmBinary = new Uint8Array(readFileSync(new URL(wasm, import.meta.url)));
ort.env.wasm.numThreads = 1;

export const networks = new OrtNetworks({
  first: () => read("small"),
  correcting: () => read("correcting"),
});
