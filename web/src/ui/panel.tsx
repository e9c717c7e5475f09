import type { Session, View } from "../state/session";
import { MOST_CLASSES } from "../state/session";
import { COLOURS, colourOf } from "./painter";

/** Classes, objects and photographs, beside the photograph. */
export function Panel({ session, view }: { session: Session; view: View }) {
  const photograph = view.photographs[view.current];
  const active = photograph?.things.find(({ id }) => id === view.active);
  return (
    <aside class="panel">
      <section aria-label="Photographs">
        <div class="row">
          <button
            disabled={view.current === 0}
            onClick={() => void session.goTo(view.current - 1)}
            aria-label="Previous photograph"
            title="Previous photograph (Page Up)"
          >
            ‹
          </button>
          <span class="grow name" title={photograph?.name}>
            {photograph
              ? `${view.current + 1} of ${view.photographs.length}: ${photograph.name}`
              : "No photograph"}
          </span>
          <button
            disabled={view.current + 1 >= view.photographs.length}
            onClick={() => void session.goTo(view.current + 1)}
            aria-label="Next photograph"
            title="Next photograph (Page Down)"
          >
            ›
          </button>
        </div>
      </section>
      <Classes session={session} view={view} />
      <section class="objects" aria-label="Objects">
        <h2>Objects ({photograph?.things.length ?? 0})</h2>
        <ul>
          {photograph?.things.map((thing) => (
            <li key={thing.id}>
              <button
                class="row"
                aria-pressed={thing.id === view.active}
                onClick={() => session.select(thing.id === view.active ? null : thing.id)}
              >
                <Swatch colour={colourOf(view, thing.category)} />
                <span class="grow">
                  {thing.id}: {nameOf(view, thing.category)}
                </span>
                <Score score={thing.candidates[thing.choice]!.score} />
              </button>
            </li>
          ))}
        </ul>
        {active && (
          <div class="row">
            {active.candidates.length > 1 && (
              <button
                title="Another mask for the same click (Tab)"
                onClick={() => session.nextCandidate(1)}
              >
                Mask {active.choice + 1} of {active.candidates.length}
              </button>
            )}
            <button onClick={() => session.finish()} title="The next click is a new object (Enter)">
              Done
            </button>
            <button onClick={() => session.remove()} title="Delete the object (Delete)">
              Delete
            </button>
          </div>
        )}
      </section>
      <footer>
        {view.inFolder ? (
          "Each change is written to the folder's instances.json."
        ) : (
          <>
            Kept in this browser, on this computer. Nothing is sent anywhere.{" "}
            <button class="link" onClick={() => forget(session)}>
              Forget all
            </button>
          </>
        )}
      </footer>
    </aside>
  );
}

function Classes({ session, view }: { session: Session; view: View }) {
  const add = (event: Event) => {
    event.preventDefault();
    const input = (event.target as HTMLFormElement).elements.namedItem("name") as HTMLInputElement;
    const name = input.value.trim();
    if (name) session.addClass(name);
    input.value = "";
    input.blur();
  };
  const rename = (id: number, old: string) => {
    const name = prompt("Name of the class", old)?.trim();
    if (name) session.renameClass(id, name);
  };
  return (
    <section aria-label="Classes">
      <h2>Classes</h2>
      <ul>
        {view.categories.map(({ id, name }, place) => (
          <li key={id} class="row">
            <button
              class="row grow"
              aria-pressed={id === view.category}
              title="Class of the selected object and of new ones; a double click renames it"
              onClick={() => session.classify(id)}
              onDblClick={() => rename(id, name)}
            >
              <Swatch colour={COLOURS[place % COLOURS.length]!} />
              <span class="grow">{name}</span>
              {place < MOST_CLASSES && <kbd>{place + 1}</kbd>}
            </button>
          </li>
        ))}
      </ul>
      <form class="row" onSubmit={add}>
        <input name="name" class="grow" placeholder="New class" aria-label="Name of a new class" />
        <button type="submit">Add class</button>
      </form>
    </section>
  );
}

/** Colours are set through the DOM: the page's policy forbids styles in the markup. */
function Swatch({ colour }: { colour: string }) {
  return <span class="swatch" style={{ backgroundColor: colour }} />;
}

function Score({ score }: { score: number | null }) {
  const shown = score === null ? "–" : `${Math.round(100 * score)} %`;
  return <span title="The overlap (IoU) that the network expects">{shown}</span>;
}

function nameOf(view: View, category: number): string {
  return view.categories.find(({ id }) => id === category)?.name ?? String(category);
}

function forget(session: Session): void {
  if (confirm("Forget all photographs here and what was made of them?")) void session.clear();
}
