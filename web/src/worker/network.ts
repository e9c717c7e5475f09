/** LiteRT in WebAssembly: its float kernels (XNNPACK) take 0.4 of ONNX Runtime's time there. */
import { type CompiledModel, Tensor, loadAndCompile } from "@litertjs/core";
import type { Answer, Networks } from "../predictor/predictor";
import { CROP_PIXELS, CROP_SIZE } from "../predictor/prompt";
import { sigmoid } from "../predictor/scores";

type Picture = Uint8Array | Int8Array;

/** Where the two models come from. */
export interface Models {
  first(): Promise<Uint8Array>;
  correcting(): Promise<Uint8Array>;
}

/** What LiteRT computes with. */
export interface Engine {
  /** Of the CPU. */
  readonly threads: number;
  readonly accelerator: "wasm" | "webgpu";
  /** Ends when the graphics device is lost; null where there is none. */
  readonly lost: Promise<unknown> | null;
}

/** The networks; each model is opened when it is first needed, or by {@link LiteRtNetworks.warm}. */
export class LiteRtNetworks implements Networks {
  private readonly opened = new Map<keyof Models, Promise<CompiledModel>>();

  private started: Promise<Engine> | null = null;

  /**
   * @param models - LiteRT files.
   * @param marksBoxes - see {@link Networks}.
   * @param start - loads LiteRT.
   * @param notice - told when the graphics device fails and the processor goes on.
   */
  constructor(
    private readonly models: Models,
    readonly marksBoxes: boolean,
    private readonly start: () => Promise<Engine>,
    private readonly notice: (text: string) => void = () => undefined,
  ) {}

  /** Open a model ahead of need. */
  async warm(name: keyof Models): Promise<void> {
    await this.model(name);
  }

  first(crops: readonly Uint8Array[]): Promise<Answer[]> {
    return this.run(
      "first",
      crops.map((crop) => [crop]),
    );
  }

  correcting(crops: readonly Uint8Array[], priors: readonly Int8Array[]): Promise<Answer[]> {
    return this.run(
      "correcting",
      crops.map((crop, i) => [crop, priors[i]!]),
    );
  }

  private async run(name: keyof Models, inputs: readonly Picture[][]): Promise<Answer[]> {
    const answers: Answer[] = [];
    const { started } = this;
    try {
      const model = await this.model(name);
      for (const pictures of inputs) answers.push(await run(model, pictures));
    } catch (error) {
      if ((await this.started)?.accelerator === "webgpu") await this.leaveGraphics();
      else if (started === this.started) throw error;
      return this.run(name, inputs);
    }
    return answers;
  }

  /** Go on with the processor. */
  private async leaveGraphics(): Promise<void> {
    const { started } = this;
    const engine = await started;
    // Another question may have seen it first.
    if (engine?.accelerator !== "webgpu" || this.started !== started) return;
    this.started = Promise.resolve({ ...engine, accelerator: "wasm", lost: null });
    this.opened.clear();
    this.notice("the graphics device was lost: the processor goes on");
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
    if (!this.started) {
      // Once: LiteRT that has failed does not load again.
      this.started = this.start();
      this.started.then(
        ({ lost }) => lost?.then(() => this.leaveGraphics()),
        () => undefined,
      );
    }
    const [content, engine] = await Promise.all([this.models[name](), this.started]);
    const { accelerator, threads: numThreads } = engine;
    return loadAndCompile(content, { accelerator, cpuOptions: { numThreads } });
  }
}

/** A crop, and the prior of the correcting network, as planes; LiteRT's channels come last. */
async function run(model: CompiledModel, pictures: readonly Picture[]): Promise<Answer> {
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

function channelsLast(picture: Picture): Tensor {
  const channels = picture.length / CROP_PIXELS;
  const data = new Float32Array(picture.length);
  for (let channel = 0; channel < channels; channel++) {
    for (let cell = 0; cell < CROP_PIXELS; cell++) {
      data[cell * channels + channel] = picture[channel * CROP_PIXELS + cell]!;
    }
  }
  return new Tensor(data, [1, CROP_SIZE, CROP_SIZE, channels]);
}
