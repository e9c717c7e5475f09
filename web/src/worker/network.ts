/** LiteRT in WebAssembly: its float kernels (XNNPACK) take 0.4 of ONNX Runtime's time there. */
import { type CompiledModel, Tensor, loadAndCompile } from "@litertjs/core";
import type { Answer, Networks } from "../predictor/predictor";
import { CROP_PIXELS, CROP_SIZE } from "../predictor/prompt";
import { sigmoid } from "../predictor/scores";

/** Where the two models come from. */
export interface Models {
  first(): Promise<Uint8Array>;
  correcting(): Promise<Uint8Array>;
}

/** The networks; each model is opened when it is first needed, or by {@link LiteRtNetworks.warm}. */
export class LiteRtNetworks implements Networks {
  private readonly opened = new Map<keyof Models, Promise<CompiledModel>>();

  private started: Promise<number> | null = null;

  /**
   * @param models - LiteRT files.
   * @param start - loads LiteRT, and gives the CPU threads to use.
   */
  constructor(
    private readonly models: Models,
    private readonly start: () => Promise<number>,
  ) {}

  /** Open a model ahead of need. */
  async warm(name: keyof Models): Promise<void> {
    await this.model(name);
  }

  async first(crops: readonly Uint8Array[]): Promise<Answer[]> {
    const model = await this.model("first");
    return inTurn(crops, (crop) => run(model, [crop]));
  }

  async correcting(
    crops: readonly Uint8Array[],
    priors: readonly Int8Array[],
  ): Promise<Answer[]> {
    const model = await this.model("correcting");
    return inTurn(crops, (crop, i) => run(model, [crop, priors[i]!]));
  }

  private model(name: keyof Models): Promise<CompiledModel> {
    let model = this.opened.get(name);
    if (!model) {
      model = this.open(name);
      this.opened.set(name, model);
      // A model that could not be loaded is asked for again the next time.
      model.catch(() => this.opened.delete(name));
    }
    return model;
  }

  private async open(name: keyof Models): Promise<CompiledModel> {
    this.started ??= this.start();
    // What could not be loaded is loaded again the next time.
    this.started.catch(() => (this.started = null));
    const [content, numThreads] = await Promise.all([this.models[name](), this.started]);
    const cpuOptions = { numThreads };
    return loadAndCompile(content, { accelerator: "wasm", cpuOptions });
  }
}

async function inTurn<T, R>(
  items: readonly T[],
  task: (item: T, place: number) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  for (const [place, item] of items.entries()) results.push(await task(item, place));
  return results;
}

/** A crop, and the prior of the correcting network, as planes; LiteRT's channels come last. */
async function run(
  model: CompiledModel,
  pictures: readonly (Uint8Array | Int8Array)[],
): Promise<Answer> {
  const inputs = pictures.map(channelsLast);
  try {
    const outputs = await model.run(inputs);
    const [logits, score] = (await Promise.all(outputs.map((output) => output.data()))) as [
      Float32Array,
      Float32Array,
    ];
    // Copies: the tensors' memory is LiteRT's.
    const answer = { logits: logits.slice(), score: sigmoid(score[0]!) };
    for (const output of outputs) output.delete();
    return answer;
  } finally {
    for (const input of inputs) input.delete();
  }
}

function channelsLast(picture: Uint8Array | Int8Array): Tensor {
  const channels = picture.length / CROP_PIXELS;
  const data = new Float32Array(picture.length);
  for (let channel = 0; channel < channels; channel++) {
    for (let cell = 0; cell < CROP_PIXELS; cell++) {
      data[cell * channels + channel] = picture[channel * CROP_PIXELS + cell]!;
    }
  }
  return new Tensor(data, [1, CROP_SIZE, CROP_SIZE, channels]);
}
