/** The page's side of the worker. */
import type { Progress, Question, Replies, Request, Response } from "./protocol";

interface Waiting {
  resolve(reply: Replies[keyof Replies]): void;
  reject(error: Error): void;
  progress(made: Progress): void;
}

/** Asks the worker. */
export class Client {
  private readonly waiting = new Map<number, Waiting>();
  private next = 0;
  private broken: Error | null = null;

  /** @param notice - told what a person should know. */
  constructor(
    private readonly worker: Worker,
    private readonly notice: (text: string) => void,
  ) {
    worker.addEventListener("message", ({ data }: MessageEvent<Response>) => this.take(data));
    worker.addEventListener("error", () => this.fail());
  }

  /**
   * @param progress - told how far a long answer is.
   * @param moved - what of the question is given away and not copied.
   * @throws Error what went wrong, in words for people.
   */
  ask<Q extends Question>(
    question: Q,
    progress: (made: Progress) => void = () => undefined,
    moved: Transferable[] = [],
  ): Promise<Replies[Q["kind"]]> {
    if (this.broken) return Promise.reject(this.broken);
    const id = this.next++;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve: resolve as Waiting["resolve"], reject, progress });
      this.worker.postMessage({ id, question } satisfies Request, moved);
    });
  }

  private take(response: Response): void {
    if ("notice" in response) return this.notice(response.notice);
    const waiting = this.waiting.get(response.id);
    if ("progress" in response) return waiting?.progress(response.progress);
    this.waiting.delete(response.id);
    if ("error" in response) waiting?.reject(new Error(response.error));
    else waiting?.resolve(response.reply);
  }

  private fail(): void {
    this.broken = new Error(
      "the part that computes masks does not run: reload the page, in a browser with " +
        "WebAssembly SIMD (Chrome 91, Firefox 89, Safari 16.4 or later)",
    );
    for (const { reject } of this.waiting.values()) reject(this.broken);
    this.waiting.clear();
  }
}

/** Runs one task at a time; of those that come meanwhile only the newest is run. */
export class Newest {
  private running = false;
  private pending: (() => Promise<void>) | null = null;

  /** Run a task now, or after the one under way unless a newer one comes. */
  run(task: () => Promise<void>): void {
    this.pending = task;
    if (!this.running) void this.drain();
  }

  /** Forget what has not begun. */
  clear(): void {
    this.pending = null;
  }

  private async drain(): Promise<void> {
    this.running = true;
    while (this.pending) {
      const task = this.pending;
      this.pending = null;
      await task().catch(() => undefined);
    }
    this.running = false;
  }
}
