"""One call: which crops the networks are shown, in which order, and what comes of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from picosam2.errors import InputError
from picosam2.predictor.config import PredictorConfig
from picosam2.predictor.corrections import (
    correction_crops,
    obey,
    prior_in,
    read_correction,
)
from picosam2.predictor.looks import (
    Look,
    by_score,
    choose,
    first_looks,
    one_component,
    second_looks,
    show,
)
from picosam2.predictor.prompts import Box, Click, GivenMask, Prompt
from picosam2.predictor.readings import Before, Reading, different, read_box, read_click
from picosam2.predictor.scores import ScoreModel
from picosam2.prompt import Crop, cut
from picosam2.runtime import Corrector, Runtime

# A first click or box, and the clicks that were answered after it.
Step = tuple[Click | Box, tuple[Click, ...]]
# Steps that are remembered for the next call.
MOST_STEPS = 256


@dataclass(frozen=True)
class Stage:
    """One step of a prompt.

    Args:
        prompt: whose.
        before: the mask before it.
        done: how many of its clicks it answers.
        wanted: masks.
    """

    prompt: Prompt
    before: Before
    done: int
    wanted: int


@dataclass
class Asking:
    """Asks the networks about one image.

    Args:
        runtime: answers first looks.
        corrector: answers what comes after; None where there is none.
        config: how prompts become crops.
        scores: of first looks, after a ``click`` and after a ``box``.
        image: H×W×3 uint8.
        before: steps of the call before, about the same image, that need not be taken again.
        taken: steps of this call.
        forward_passes: crops that the networks saw.
    """

    runtime: Runtime
    corrector: Corrector | None
    config: PredictorConfig
    scores: Mapping[str, ScoreModel]
    image: NDArray[np.uint8]
    before: Mapping[Step, Reading]
    taken: dict[Step, Reading] = field(default_factory=dict)
    forward_passes: int = 0

    def answer(self, prompts: Sequence[Prompt], count: int) -> list[list[Reading]]:
        """For each prompt up to ``count`` readings, the best first.

        All prompts' crops go to the network in common batches.

        Raises:
            InputError: a mask without a pixel is all that is said of an object.
        """
        if any(isinstance(p.first, GivenMask) and p.first.is_empty for p in prompts):
            raise InputError("the mask has no pixel of an object: give a click on it, or a box")
        plain = [
            prompt.first
            for prompt in prompts
            if not prompt.needs_correction and not isinstance(prompt.first, GivenMask)
        ]
        looked = iter(self.look(plain, count))
        corrected = iter(self.correct([p for p in prompts if p.needs_correction], count))
        return [next(corrected if p.needs_correction else looked) for p in prompts]

    def look(self, prompts: Sequence[Click | Box], count: int) -> list[list[Reading]]:
        """First looks: what the crops show that the position of a click or a box chooses."""
        config, size = self.config, self.image.shape[:2]
        asked = [first_looks(prompt, size, config, count) for prompt in prompts]
        first = iter(self._read([look for looks in asked for look in looks]))
        chosen = [
            choose(prompt, list(islice(first, len(looks))), config, count)
            for prompt, looks in zip(prompts, asked, strict=True)
        ]
        again = [
            second_looks(prompt, readings, config)
            for prompt, readings in zip(prompts, chosen, strict=True)
        ]
        second = iter(self._read([look for looks in again for look in looks if look is not None]))
        result = []
        for prompt, readings, looks in zip(prompts, chosen, again, strict=True):
            best, *others = (
                reading if look is None else one_component(prompt, next(second), config)
                for reading, look in zip(readings, looks, strict=True)
            )
            found = different([best, *by_score(others)], count)
            result.append([_obeying(reading, prompt) for reading in found])
            self._take((prompt, ()), result[-1][0])
        return result

    def correct(self, prompts: Sequence[Prompt], count: int) -> list[list[Reading]]:
        """The masks after all clicks, each of which corrects the mask before it.

        The clicks on a given mask, whose order is not known, are answered at once.
        """
        befores = self._befores(prompts)
        result: list[list[Reading]] = [[] for _ in prompts]
        while unfinished := [row for row, readings in enumerate(result) if not readings]:
            stage = []
            for row in unfinished:
                prompt, (before, done) = prompts[row], befores[row]
                done = len(prompt.clicks) if isinstance(before, GivenMask) else done + 1
                wanted = count if done == len(prompt.clicks) else 1
                stage.append(Stage(prompt, before, done, wanted))
            answers = self._read_corrections(stage)
            for row, at, (best, *others) in zip(unfinished, stage, answers, strict=True):
                prompt, done = at.prompt, at.done
                if not isinstance(prompt.first, GivenMask):
                    self._take((prompt.first, prompt.clicks[:done]), best)
                befores[row] = best, done
                if done == len(prompt.clicks):
                    result[row] = different([best, *by_score(others)], count)
        return result

    def _befores(self, prompts: Sequence[Prompt]) -> list[tuple[Before, int]]:
        """For each prompt the mask that is known already, and how many clicks it has answered."""
        known = [self._remembered(prompt) for prompt in prompts]
        unseen = dict.fromkeys(
            prompt.first
            for prompt, before in zip(prompts, known, strict=True)
            if before is None and not isinstance(prompt.first, GivenMask)
        )
        for first, (reading, *_) in zip(unseen, self.look(list(unseen), 1), strict=True):
            for row, prompt in enumerate(prompts):
                if known[row] is None and prompt.first == first:
                    known[row] = reading, 0
        return [before for before in known if before is not None]

    def _remembered(self, prompt: Prompt) -> tuple[Before, int] | None:
        """The mask after as many of the clicks as the call before has answered."""
        if isinstance(prompt.first, GivenMask):
            return prompt.first, 0
        found = None
        for done in range(len(prompt.clicks)):
            step = prompt.first, prompt.clicks[:done]
            if step in self.before:
                self._take(step, self.before[step])
                found = self.before[step], done
        return found

    def _take(self, step: Step, reading: Reading) -> None:
        if len(self.taken) < MOST_STEPS:
            self.taken[step] = reading

    def _read(self, asked: Sequence[Look]) -> list[Reading]:
        """What the network says about each look."""
        readings: list[Reading] = []
        for start in range(0, len(asked), self.config.batch):
            part = asked[start : start + self.config.batch]
            marks = self.runtime.marks_boxes
            shown = [show(self.image, prompt, crop, marks) for prompt, crop in part]
            logits, scores = self.runtime(np.stack(shown))
            self.forward_passes += len(part)
            for (prompt, crop), answer, score in zip(part, logits, scores.tolist(), strict=True):
                readings.append(self._interpret(prompt, crop, answer, score))
        return readings

    def _interpret(
        self, prompt: Click | Box, crop: Crop, logits: NDArray[np.float32], score: float
    ) -> Reading:
        if isinstance(prompt, Box):
            model, fit = self.scores["box"], self.config.fit(self.runtime.marks_boxes)
            return read_box(crop, logits, score, prompt.corners, fit, model)
        return read_click(crop, logits, score, self.scores["click"])

    def _read_corrections(self, stage: Sequence[Stage]) -> list[list[Reading]]:
        """What the correcting network says about each, of all in common batches."""
        if self.corrector is None:
            raise InputError(
                "several clicks and masks need a correcting network: Predictor.from_pretrained "
                "has one, Predictor(..., corrector=) takes one"
            )
        size = self.image.shape[:2]
        asked = []
        for row, at in enumerate(stage):
            first = [at.prompt.first] if isinstance(at.prompt.first, Click) else []
            clicks = [*first, *at.prompt.clicks[: at.done]]
            for crop in correction_crops(at.before, clicks, size, self.config, at.wanted):
                asked.append((row, clicks, crop))
        result: list[list[Reading]] = [[] for _ in stage]
        for start in range(0, len(asked), self.config.batch):
            part = asked[start : start + self.config.batch]
            crops = np.stack([cut(self.image, crop) for _, _, crop in part])
            prior = np.stack(
                [prior_in(stage[r].before, clicks, crop, size) for r, clicks, crop in part]
            )
            logits, scores = self.corrector(crops, prior)
            self.forward_passes += len(part)
            for (row, clicks, crop), answer, score in zip(
                part, logits, scores.tolist(), strict=True
            ):
                at = stage[row]
                reading = read_correction(
                    at.prompt, at.before, clicks, crop, answer, score, size, self.config
                )
                result[row].append(reading)
        return result


def _obeying(reading: Reading, prompt: Click | Box) -> Reading:
    """A first look whose mask holds its click."""
    if isinstance(prompt, Box):
        return reading
    logits = obey(reading.logits, reading.crop, [prompt])
    return replace(reading, logits=logits, clicks=(prompt,))
