/** Found, unsure, lost: a port of `picosam2/following.py`. */
export type State = "found" | "unsure" | "lost";

/** Counts the frames without a trustworthy mask; too many in a row, and the object is lost. */
export class Patience {
  private misses = 0;

  constructor(
    private readonly lostScore: number,
    private readonly patience: number,
  ) {}

  get state(): State {
    if (this.misses >= this.patience) return "lost";
    return this.misses ? "unsure" : "found";
  }

  /** The state after one more frame. */
  see(score: number, empty: boolean): State {
    this.misses = empty || score < this.lostScore ? this.misses + 1 : 0;
    return this.state;
  }

  /** The object was found again. */
  find(): void {
    this.misses = 0;
  }

  /** There is nothing to follow. */
  lose(): void {
    this.misses = this.patience;
  }
}
