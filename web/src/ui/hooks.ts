import { useEffect, useState } from "preact/hooks";
import type { Session, View } from "../state/session";

/** What the page shows, again whenever it changes. */
export function useView(session: Session): View {
  const [view, setView] = useState(session.view);
  useEffect(() => {
    setView(session.view);
    return session.subscribe(() => setView(session.view));
  }, [session]);
  return view;
}
