import { expect, test } from "vitest";
import sidecar from "../../src/picosam2/weights/small/picosam2-fp32.json";
import { drawMask } from "../src/predictor/drawing";
import { iou } from "../src/predictor/patches";
import { Predictor } from "../src/predictor/predictor";
import type { Reading } from "../src/predictor/readings";
import { Replay } from "./replay";
import { apart, floats, mask, photograph, vectors } from "./vectors";

type Session = (typeof vectors.sessions)[number];

async function ask(predictor: Predictor, session: Session): Promise<Reading[]> {
  const { click, box, mask: given, clicks, within } = session;
  if (given) return predictor.correct({ mask: mask(given) }, clicks, null, 3);
  const first = box ? { box } : { click: click! };
  let readings = await predictor.look(first, clicks.length ? 1 : 3);
  for (let done = 1; done <= clicks.length; done++) {
    const all = [...(click ? [click] : []), ...clicks.slice(0, done)];
    // Only what the last click leads to is wanted in three ways.
    readings = await predictor.correct(readings[0]!, all, within, done < clicks.length ? 1 : 3);
  }
  return readings;
}

test.each(vectors.sessions.map((session, number) => ({ number, session })))(
  "session $number is Python's",
  async ({ session }) => {
    const image = photograph(session.photograph);
    const calls = [...session.calls];
    const predictor = new Predictor(new Replay(calls), sidecar.scores.models, image);
    const readings = await ask(predictor, session);
    expect(calls).toHaveLength(0);
    expect(readings).toHaveLength(session.answers.length);
    readings.forEach((reading, i) => {
      const answer = session.answers[i]!;
      expect(Math.abs(reading.score - answer.score)).toBeLessThan(1e-3);
      expect(apart(reading.logits, floats(answer.logits))).toBeLessThan(1e-3);
      expect(Math.abs(reading.crop.x - answer.crop.x)).toBeLessThan(1e-3);
      expect(Math.abs(reading.crop.y - answer.crop.y)).toBeLessThan(1e-3);
      expect(Math.abs(reading.crop.side - answer.crop.side)).toBeLessThan(1e-3);
      const [ours, theirs] = [drawMask(reading, image), mask(answer.mask)];
      expect(iou(ours, theirs)).toBeGreaterThan(0.999);
    });
  },
);
