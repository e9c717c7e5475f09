/** Photographs and networks live here, so that the page answers while they are busy. */
import * as ort from "onnxruntime-web/wasm";
import correctingModel from "../../../src/picosam2/weights/correcting/picosam2-int8.onnx?url";
import firstModel from "../../../src/picosam2/weights/small/picosam2-int8.onnx?url";
import { scores } from "../../../src/picosam2/weights/small/picosam2-int8.json";
import wasm from "../../node_modules/onnxruntime-web/dist/ort-wasm-simd-threaded.wasm?url";
import glue from "../../node_modules/onnxruntime-web/dist/ort-wasm-simd-threaded.mjs?url";
import { drawMask } from "../predictor/drawing";
import { Predictor } from "../predictor/predictor";
import type { Pixels } from "../predictor/prompt";
import type { Reading } from "../predictor/readings";
import type { Candidate } from "../state/model";
import { OrtNetworks } from "./network";
import { decode } from "./photograph";
import type { Question, Replies, Request, Response } from "./protocol";

/** More threads wait for each other: the networks are small. */
const MOST_THREADS = 4;

ort.env.wasm.wasmPaths = { wasm, mjs: glue };
ort.env.wasm.numThreads = self.crossOriginIsolated
  ? Math.min(MOST_THREADS, navigator.hardwareConcurrency)
  : 1;
const asked = new URLSearchParams(self.location.search).get("threads");
if (asked) ort.env.wasm.numThreads = Number(asked);

const networks = new OrtNetworks({
  first: () => load(firstModel),
  correcting: () => load(correctingModel),
});
let opened: { predictor: Predictor; pixels: Pixels } | null = null;

async function load(address: string): Promise<Uint8Array> {
  const response = await fetch(address);
  if (!response.ok) throw new Error(`the network could not be loaded (${response.status})`);
  return new Uint8Array(await response.arrayBuffer());
}

async function answer(question: Question): Promise<Replies[keyof Replies]> {
  if (question.kind === "open") {
    const { full, pixels, picture } = await decode(question.file);
    opened = { predictor: new Predictor(networks, scores.models, pixels), pixels };
    return { full, picture };
  }
  if (!opened) throw new Error("no photograph is open");
  const { predictor, pixels } = opened;
  const readings =
    question.kind === "look"
      ? await predictor.look(question.first, question.count)
      : await predictor.correct(
          question.before,
          question.clicks,
          question.within,
          question.count,
        );
  return readings.map((reading) => candidate(reading, pixels));
}

function candidate(reading: Reading, size: Pixels): Candidate {
  const mask = drawMask(reading, size);
  // Of a mask that keeps pixels of another one the pixels themselves are what goes on.
  return { mask, score: reading.score, reading: reading.merge ? null : reading };
}

self.addEventListener("message", ({ data: { id, question } }: MessageEvent<Request>) => {
  answer(question).then(
    (reply) => {
      const moved = "picture" in reply ? [reply.picture] : [];
      self.postMessage({ id, reply } satisfies Response, { transfer: moved });
    },
    (error: unknown) => {
      const message = error instanceof Error ? error.message : String(error);
      self.postMessage({ id, error: message } satisfies Response);
    },
  );
});

// The first click should not wait for what can be fetched now.
networks
  .warm("first")
  .then(() => networks.warm("correcting"))
  .catch(() => undefined);
