/** Loads LiteRT: with threads where the page is isolated, else what every browser with SIMD runs. */
import { loadLiteRt } from "@litertjs/core";
import compatGlue from "../../node_modules/@litertjs/core/wasm/litert_wasm_compat_internal.js?url";
import compat from "../../node_modules/@litertjs/core/wasm/litert_wasm_compat_internal.wasm?url";
import threadedGlue from "../../node_modules/@litertjs/core/wasm/litert_wasm_threaded_internal.js?url";
import threaded from "../../node_modules/@litertjs/core/wasm/litert_wasm_threaded_internal.wasm?url";
import { canThread } from "./threads";

/** More threads wait for each other: the networks are small. */
const MOST_THREADS = 4;

/** What LiteRT's own script reads. */
interface Scope {
  Module?: {
    locateFile(): string;
    mainScriptUrlOrBlob: string;
    print(): void;
    printErr(): void;
  };
}

async function countThreads(): Promise<number> {
  const asked = Number(new URLSearchParams(self.location.search).get("threads"));
  const most = Math.min(MOST_THREADS, navigator.hardwareConcurrency);
  return (await canThread()) ? asked || most : 1;
}

/** Load LiteRT, once a worker; the CPU threads to use. `?threads=1` in the address asks for one. */
export async function startLiteRt(): Promise<number> {
  const threads = await countThreads();
  // It asks for a graphics device else: these networks are too small for one.
  Object.defineProperty(navigator, "gpu", { value: undefined });
  const many = threads > 1;
  const glue = new URL(many ? threadedGlue : compatGlue, self.location.href).href;
  const wasm = new URL(many ? threaded : compat, self.location.href).href;
  const quiet = () => undefined;
  (self as Scope).Module = {
    locateFile: () => wasm,
    mainScriptUrlOrBlob: glue,
    print: quiet,
    printErr: quiet,
  };
  await loadLiteRt(glue);
  return threads;
}
