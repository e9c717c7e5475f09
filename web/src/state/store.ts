/** A state that the page shows, and is told of when it changes. */

export class Store<View extends object> {
  private readonly listeners = new Set<() => void>();

  constructor(public view: View) {}

  /** @returns what ends it. */
  subscribe(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  protected set(part: Partial<View>): void {
    this.view = this.complete({ ...this.view, ...part });
    this.listeners.forEach((listener) => listener());
  }

  /** With what follows from the rest. */
  protected complete(view: View): View {
    return view;
  }
}
