/** Frames of a camera or a video, and the objects that are followed through them. */
import type { Networks } from "../predictor/predictor";
import type { Pixels } from "../predictor/prompt";
import type { ScoreModels } from "../predictor/scores";
import { Tracker } from "../video/tracker";
import { onCanvas } from "./photograph";
import type { FilmQuestion, Replies } from "./protocol";

export class Films {
  private tracker: Tracker;
  private frame: Pixels | null = null;

  constructor(
    private readonly networks: Networks,
    private readonly scores: ScoreModels,
  ) {
    this.tracker = new Tracker(networks, scores);
  }

  /** @throws Error there is no frame yet. */
  async answer(question: FilmQuestion): Promise<Replies[FilmQuestion["kind"]]> {
    if (question.kind === "film") {
      this.tracker = new Tracker(this.networks, this.scores);
      this.frame = null;
      return null;
    }
    if (question.kind === "frame") return this.next(question.frame);
    if (question.kind === "unfollow") this.tracker.remove(question.id);
    if (!this.frame) throw new Error("no frame has come yet");
    if (question.kind === "refollow") {
      await this.tracker.correct(this.frame, question.id, question.click);
    }
    if (question.kind !== "follow") return this.tracker.answer(this.frame);
    const id = await this.tracker.add(this.frame, question.first);
    return { id, objects: this.tracker.answer(this.frame) };
  }

  private async next(frame: ImageBitmap): Promise<Replies["frame"]> {
    const { pixels, picture } = onCanvas(frame, frame);
    frame.close();
    const turned = this.frame && (this.frame.width !== pixels.width || this.frame.height !== pixels.height);
    // A phone that is turned gives frames of another shape, in which nothing is where it was.
    if (turned) this.tracker = new Tracker(this.networks, this.scores);
    this.frame = pixels;
    await this.tracker.update(pixels);
    return { picture, objects: this.tracker.answer(pixels) };
  }
}
