/** ONNX Runtime in WebAssembly. */
import * as ort from "onnxruntime-web/wasm";
import type { Answer, Networks } from "../predictor/predictor";
import { CROP_PIXELS, CROP_SIZE } from "../predictor/prompt";
import { sigmoid } from "../predictor/scores";

const OPTIONS: ort.InferenceSession.SessionOptions = {
  executionProviders: ["wasm"],
  // In WebAssembly the kernels of 8 bits, which all optimisations would choose, are slower.
  graphOptimizationLevel: "basic",
  logSeverityLevel: 3,
};

/** Where the two models come from. */
export interface Models {
  first(): Promise<Uint8Array>;
  correcting(): Promise<Uint8Array>;
}

/** The networks; each model is opened when it is first needed, or by {@link OrtNetworks.warm}. */
export class OrtNetworks implements Networks {
  private readonly sessions = new Map<keyof Models, Promise<ort.InferenceSession>>();

  constructor(private readonly models: Models) {}

  /** Open a model ahead of need. */
  async warm(name: keyof Models): Promise<void> {
    await this.session(name);
  }

  first(crops: readonly Uint8Array[]): Promise<Answer[]> {
    return this.run("first", { image: batch(crops) });
  }

  correcting(crops: readonly Uint8Array[], priors: readonly Int8Array[]): Promise<Answer[]> {
    return this.run("correcting", { image: batch(crops), prior: batch(priors) });
  }

  private session(name: keyof Models): Promise<ort.InferenceSession> {
    let session = this.sessions.get(name);
    if (!session) {
      session = this.models[name]().then((model) =>
        ort.InferenceSession.create(model, OPTIONS),
      );
      this.sessions.set(name, session);
      // A model that could not be loaded is asked for again the next time.
      session.catch(() => this.sessions.delete(name));
    }
    return session;
  }

  private async run(name: keyof Models, inputs: Record<string, ort.Tensor>): Promise<Answer[]> {
    const session = await this.session(name);
    const outputs = await session.run(inputs);
    const logits = outputs.logits!.data as Float32Array;
    const scores = outputs.iou_logits!.data as Float32Array;
    return Array.from(scores, (score, i) => ({
      logits: logits.slice(i * CROP_PIXELS, (i + 1) * CROP_PIXELS),
      score: sigmoid(score),
    }));
  }
}

function batch(pictures: readonly (Uint8Array | Int8Array)[]): ort.Tensor {
  const length = pictures[0]!.length;
  const data = new Float32Array(pictures.length * length);
  pictures.forEach((picture, i) => data.set(picture, i * length));
  return new ort.Tensor("float32", data, [
    pictures.length,
    length / CROP_PIXELS,
    CROP_SIZE,
    CROP_SIZE,
  ]);
}
