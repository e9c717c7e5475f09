"""The application: addresses, and what is done for each."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import version

from fastapi import Depends, FastAPI, Request, Response

from picosam2.predictor import Predictor
from picosam2.serving import answering, asked
from picosam2.serving.access import Access
from picosam2.serving.config import ServingConfig
from picosam2.serving.fetching import LabelStudio
from picosam2.serving.interface import DESCRIPTION, EVERYTHING_FORM, SEGMENT_FORM
from picosam2.serving.label_studio import add_label_studio
from picosam2.serving.photographs import decode_mask
from picosam2.serving.refusals import add_refusals
from picosam2.serving.service import Service
from picosam2.serving.uploads import read_form

# The header by which a client learns what to call a photograph that it asks about again.
IMAGE_ID = "Image-Id"


def create_app(
    predictor: Predictor,
    token: str,
    config: ServingConfig | None = None,
    label_studio: LabelStudio | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> FastAPI:
    """The service as an ASGI application.

    Args:
        predictor: with trained weights; it is in memory once, whatever the number of requests.
        token: what a request must send.
        config: what is taken and kept at most.
        label_studio: where its tasks' photographs may be fetched; None for nowhere.
        clock: seconds, by which kept photographs grow old.
    """
    service = Service(predictor, config or ServingConfig(), clock)
    app = FastAPI(
        title="PicoSAM2",
        version=version("picosam2"),
        description=DESCRIPTION,
        lifespan=lambda _: service.running(),
    )
    add_refusals(app)
    access = Access(token)
    _add_segmenting(app, service, access)
    add_label_studio(app, service, access, label_studio or LabelStudio())
    return app


def _add_segmenting(app: FastAPI, service: Service, access: Access) -> None:
    workers, config = service.workers, service.config

    @app.post("/segment", dependencies=[Depends(access)], openapi_extra=SEGMENT_FORM)
    async def segment(request: Request) -> Response:
        """Segment an object by clicks, a box or a mask, or objects by boxes."""
        with workers.admit() as deadline:
            form = await read_form(request, config, deadline)
            asked.check_names(form, ("image_id", *asked.PROMPTS), ("image", "mask"))
            prompts = asked.read_prompts(form)
            photograph, image_id = await service.photograph_of(form, deadline)

            def work() -> str:
                given = prompts
                if "mask" in form.files:
                    mask = decode_mask(form.files["mask"][1], photograph.size, config)
                    given = replace(prompts, mask=mask)
                found = answering.segment(workers.predictor, photograph, given, deadline)
                records = answering.records(photograph, found)
                return json.dumps(records[0] if asked.is_about_one(form) else records)

            return _answer(await workers.run(work, deadline), image_id)

    @app.post("/everything", dependencies=[Depends(access)], openapi_extra=EVERYTHING_FORM)
    async def everything(request: Request) -> Response:
        """Find all objects, best first."""
        with workers.admit() as deadline:
            form = await read_form(request, config, deadline)
            asked.check_names(form, ("image_id", *asked.EVERYTHING), ("image",))
            options = asked.read_options(form)
            photograph, image_id = await service.photograph_of(form, deadline)

            def work() -> str:
                found = answering.everything(workers.predictor, photograph, options, deadline)
                return json.dumps(answering.records(photograph, found))

            return _answer(await workers.run(work, deadline), image_id)


def _answer(text: str, image_id: str) -> Response:
    return Response(text, media_type="application/json", headers={IMAGE_ID: image_id})
