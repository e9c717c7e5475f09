/** Loads LiteRT: with threads where the page is isolated, else what every browser with SIMD runs. */
import { getDefaultEnvironment, loadLiteRt } from "@litertjs/core";
import compatGlue from "../../node_modules/@litertjs/core/wasm/litert_wasm_compat_internal.js?url";
import compat from "../../node_modules/@litertjs/core/wasm/litert_wasm_compat_internal.wasm?url";
import threadedGlue from "../../node_modules/@litertjs/core/wasm/litert_wasm_threaded_internal.js?url";
import threaded from "../../node_modules/@litertjs/core/wasm/litert_wasm_threaded_internal.wasm?url";
import type { Engine } from "./network";
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

/** `?threads=1` and `?engine=webgpu` in the page's address. */
const asked = new URLSearchParams(self.location.search);

/**
 * Load LiteRT, once a worker.
 *
 * @param notice - told where a graphics device is asked for and there is none.
 */
export async function startLiteRt(notice: (text: string) => void): Promise<Engine> {
  const many = await canThread();
  const most = many ? Math.min(MOST_THREADS, navigator.hardwareConcurrency) : 1;
  const threads = (many && Number(asked.get("threads"))) || most;
  const graphics = asked.get("engine") === "webgpu";
  // It asks for a graphics device unless there is none; these networks are small for one.
  if (!graphics) Object.defineProperty(navigator, "gpu", { value: undefined });
  const glue = new URL(many ? threadedGlue : compatGlue, self.location.href).href;
  const wasm = new URL(many ? threaded : compat, self.location.href).href;
  const quiet = () => undefined;
  (self as Scope).Module = {
    locateFile: () => wasm,
    mainScriptUrlOrBlob: glue,
    print: quiet,
    printErr: quiet,
  };
  await loadLiteRt(glue).catch(() => {
    throw new Error(
      "the part that computes masks could not be loaded: reload the page, in a browser with " +
        "WebAssembly SIMD (Chrome 91, Firefox 89, Safari 16.4 or later)",
    );
  });
  const device = graphics ? getDefaultEnvironment().webGpuDevice : null;
  if (graphics && !device) notice("there is no graphics device (WebGPU): the processor computes");
  return { threads, accelerator: device ? "webgpu" : "wasm", lost: device?.lost ?? null };
}
