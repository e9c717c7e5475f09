import { useEffect, useRef } from "preact/hooks";
import { KEYS } from "./keys";

/** All keys, and what a pointer does. */
export function Help({ close }: { close(): void }) {
  const sheet = useRef<HTMLDialogElement>(null);
  useEffect(() => sheet.current!.showModal(), []);
  return (
    <dialog ref={sheet} class="help" aria-label="Help" onClose={close}>
      <h2>Pointer and fingers</h2>
      <p>
        Moving shows the mask that a click would give. A click adds to the object, the right button
        or Alt takes away, a drag is a box around a new object; with Ctrl a click selects the object
        that is there. The wheel or two fingers zoom; Shift
        or the middle button moves the photograph. Double-click a class to rename it.
      </p>
      <h2>Keys</h2>
      <dl>
        {KEYS.map(([key, meaning]) => (
          <div key={key}>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{meaning}</dd>
          </div>
        ))}
      </dl>
      <form method="dialog">
        <button class="primary">Close</button>
      </form>
    </dialog>
  );
}
