/** Photographs and networks live here, so that the page answers while they are busy. */
import { marks_boxes as marksBoxes, scores } from "../../../src/picosam2/weights/small/picosam2-fp32.json";
import correctingModel from "../../models/correcting.tflite?url";
import firstModel from "../../models/small.tflite?url";
import { OPTIONS, generate } from "../automatic/generator";
import { drawMask } from "../predictor/drawing";
import { Predictor } from "../predictor/predictor";
import type { Pixels } from "../predictor/prompt";
import type { Reading } from "../predictor/readings";
import type { Candidate } from "../state/model";
import { Films } from "./film";
import { startLiteRt } from "./litert";
import { LiteRtNetworks } from "./network";
import { decode } from "./photograph";
import type {
  FilmQuestion,
  PhotographQuestion,
  Progress,
  Question,
  Replies,
  Request,
  Response,
} from "./protocol";
import { reasonOf } from "./reason";

const networks = new LiteRtNetworks(
  { first: () => load(firstModel), correcting: () => load(correctingModel) },
  marksBoxes,
  () => startLiteRt(notice),
  notice,
);
const films = new Films(networks, scores.models);
let opened: { predictor: Predictor; pixels: Pixels } | null = null;
let stopped = false;

function notice(text: string): void {
  self.postMessage({ notice: text } satisfies Response);
}

async function load(address: string): Promise<Uint8Array> {
  const response = await fetch(address);
  if (!response.ok) throw new Error(`the network could not be loaded (${response.status})`);
  return new Uint8Array(await response.arrayBuffer());
}

function answer(
  question: Question,
  tell: (progress: Progress) => void,
): Promise<Replies[keyof Replies]> {
  return isOfFilm(question) ? films.answer(question) : answerPhotograph(question, tell);
}

function isOfFilm(question: Question): question is FilmQuestion {
  return ["film", "frame", "follow", "refollow", "unfollow"].includes(question.kind);
}

async function answerPhotograph(
  question: PhotographQuestion,
  tell: (progress: Progress) => void,
): Promise<Replies[keyof Replies]> {
  if (question.kind === "stop") {
    stopped = true;
    return null;
  }
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
      : question.kind === "everything"
        ? await everything(pixels, tell)
        : await predictor.correct(
            question.before,
            question.clicks,
            question.within,
            question.count,
          );
  return readings.map((reading) => candidate(reading, pixels));
}

function everything(pixels: Pixels, tell: (progress: Progress) => void): Promise<Reading[]> {
  stopped = false;
  return generate(networks, scores.models.click, pixels, OPTIONS, async (done, all) => {
    tell({ done, all });
    // So that other questions are heard between two batches.
    await new Promise((resolve) => setTimeout(resolve));
    return stopped;
  });
}

function candidate(reading: Reading, size: Pixels): Candidate {
  const mask = drawMask(reading, size);
  // Of a mask that keeps pixels of another one the pixels themselves are what goes on.
  return { mask, score: reading.score, reading: reading.merge ? null : reading };
}

self.addEventListener("message", ({ data: { id, question } }: MessageEvent<Request>) => {
  const tell = (progress: Progress) => self.postMessage({ id, progress } satisfies Response);
  answer(question, tell).then(
    (reply) => {
      const moved = reply && "picture" in reply ? [reply.picture] : [];
      self.postMessage({ id, reply } satisfies Response, { transfer: moved });
    },
    (error: unknown) => {
      self.postMessage({ id, error: reasonOf(error) } satisfies Response);
    },
  );
});

// The first click should not wait for what can be fetched now.
networks
  .warm("first")
  .then(() => networks.warm("correcting"))
  .catch(() => undefined);
