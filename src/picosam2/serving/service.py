"""What all addresses share: the network, its threads, and the photographs that are kept."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from functools import partial

from picosam2.formats.base import Photograph
from picosam2.predictor import Predictor
from picosam2.serving.config import ServingConfig
from picosam2.serving.deadline import Deadline
from picosam2.serving.photographs import KeptPhotographs, decode_photograph
from picosam2.serving.refusals import Refused
from picosam2.serving.uploads import Form
from picosam2.serving.workers import Workers

# How often it is looked whose time is over, in seconds.
FORGET_EVERY = 5.0


class Service:
    """What all addresses share.

    Args:
        predictor: with trained weights; it is in memory once, whatever the number of requests.
        config: what is taken and kept at most.
        clock: seconds, by which kept photographs grow old.
    """

    def __init__(
        self, predictor: Predictor, config: ServingConfig, clock: Callable[[], float]
    ) -> None:
        self.config = config
        self.workers = Workers(predictor, config)
        self.kept = KeptPhotographs(config.kept_seconds, config.kept_megabytes, clock)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """While it runs, photographs whose time is over are let go; then what runs is ended."""
        forgetting = asyncio.create_task(self._forget_often())
        try:
            yield
        finally:
            forgetting.cancel()
            self.workers.close()

    async def photograph_of(self, form: Form, deadline: Deadline) -> tuple[Photograph, str]:
        """What a form is about, and what to call it when it is asked about again.

        Raises:
            Refused: 404 it is not kept any more; 413, 415, 422 as ``decode_photograph``; 422 the
                form has none, or two; 504 the deadline has passed.
        """
        name = form.texts.get("image_id")
        if (name is None) != ("image" in form.files):
            raise Refused(422, "give a photograph as image, or the image_id of an earlier one")
        if name is None:
            file, content = form.files.pop("image")
            work = partial(decode_photograph, content, file, self.config)
            photograph = await self.workers.run(work, deadline)
            return photograph, self.kept.add(photograph)
        found = self.kept.get(name)
        if found is None:
            raise Refused(404, "no photograph of this image_id is kept (any more): send it again")
        return found, name

    async def _forget_often(self) -> None:
        while True:
            await asyncio.sleep(FORGET_EVERY)
            self.kept.forget()
