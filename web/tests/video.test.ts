import { expect, test } from "vitest";
import sidecar from "../../src/picosam2/weights/small/picosam2-fp32.json";
import { iou } from "../src/predictor/patches";
import { Tracker } from "../src/video/tracker";
import { Replay } from "./replay";
import { mask, pixels, vectors } from "./vectors";

test.each(vectors.videos)("objects are followed as Python follows them", async (video) => {
  const calls = [...video.calls];
  const tracker = new Tracker(new Replay(calls), sidecar.scores.models);
  const states = new Set<string>();
  for (const [number, step] of video.steps.entries()) {
    const frame = pixels(step.frame);
    if (number > 0) await tracker.update(frame);
    if (step.click) await tracker.add(frame, { click: step.click });
    if (step.box) await tracker.add(frame, { box: step.box });
    if (step.correct) await tracker.correct(frame, 1, step.correct);
    const found = tracker.answer(frame);
    expect(found).toHaveLength(step.answers.length);
    found.forEach(({ id, score, state, mask: ours }, i) => {
      const answer = step.answers[i]!;
      expect([id, state]).toEqual([answer.id, answer.state]);
      expect(Math.abs(score - answer.score)).toBeLessThan(1e-3);
      expect(iou(ours, mask(answer.mask))).toBeGreaterThan(0.99);
      states.add(state);
    });
  }
  expect(calls).toHaveLength(0);
  expect(states).toEqual(new Set(["found", "unsure", "lost"]));
});

test("an object that is removed is followed no longer", async () => {
  const { calls, steps } = vectors.videos[0]!;
  const tracker = new Tracker(new Replay([...calls]), sidecar.scores.models);
  const frame = pixels(steps[0]!.frame);
  const id = await tracker.add(frame, { click: steps[0]!.click! });
  expect(tracker.answer(frame)).toHaveLength(1);
  tracker.remove(id!);
  expect(tracker.answer(frame)).toEqual([]);
});
