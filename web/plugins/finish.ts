/** After a build: what makes it work offline, and smaller files for servers that send them. */
import { createHash } from "node:crypto";
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { brotliCompressSync, constants } from "node:zlib";
import type { Plugin } from "vite";

const LEAST_BYTES = 1024;
/** Of brotli: the two above take minutes for the WebAssembly, and save a tenth. */
const QUALITY = 9;

export function finish(): Plugin {
  let folder = "";
  return {
    name: "finish",
    apply: "build",
    configResolved(config) {
      folder = config.build.outDir;
    },
    // Of the page and not of its worker, whose build ends first.
    closeBundle: {
      order: "post",
      handler() {
        const files = readdirSync(folder, { recursive: true, withFileTypes: true })
          .filter((entry) => entry.isFile() && !/\.br$|^sw\.js$/.test(entry.name))
          .map((entry) => join(entry.parentPath, entry.name))
          .sort();
        writeFileSync(join(folder, "sw.js"), serviceWorker(folder, files));
        for (const file of [...files, join(folder, "sw.js")]) compress(file);
      },
    },
  };
}

function compress(file: string): void {
  const content = readFileSync(file);
  if (content.length < LEAST_BYTES) return;
  const params = {
    [constants.BROTLI_PARAM_QUALITY]: QUALITY,
    [constants.BROTLI_PARAM_LGWIN]: constants.BROTLI_MAX_WINDOW_BITS,
  };
  writeFileSync(`${file}.br`, brotliCompressSync(content, { params }));
}

/** The service worker of a build: its files, and a version that changes with them. */
function serviceWorker(folder: string, files: readonly string[]): string {
  const hash = createHash("sha256");
  for (const file of files) hash.update(file).update(readFileSync(file));
  const names = files.map((file) => `./${relative(folder, file)}`);
  const template = readFileSync(new URL("../src/sw.js", import.meta.url), "utf8");
  return template
    .replace("__VERSION__", JSON.stringify(hash.digest("hex").slice(0, 16)))
    .replace("__FILES__", JSON.stringify(["./", ...names]));
}
