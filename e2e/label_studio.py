"""A real Label Studio with `picosam2 serve` as its backend, by its API and in Chromium.

`make test-label-studio` runs it in the environment of `label_studio.txt`. A project is made, a
photograph is uploaded and the backend connected; a click is asked through the API, then drawn in
the browser with the smart key point, accepted and submitted. Both masks must be those that the
service gives to the same click, the second in what Label Studio exports. The last argument becomes
a picture of the page.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import requests
from label_studio_sdk.converter.brush import decode_rle
from numpy.typing import NDArray
from playwright.sync_api import Page, sync_playwright
from pycocotools import mask as coco_mask

PHOTOGRAPH = Path(__file__).parent.parent / "src/picosam2/examples/images/astronaut.jpg"
SIZE = 512
CLICK = 398.0, 427.0
USER, PASSWORD = "someone@example.org", "a-password-for-tests"
KEY, TOKEN = "0123456789abcdef0123456789abcdef01234567", "a-token-for-tests"
STUDIO, SERVICE = "http://127.0.0.1:8085", "http://127.0.0.1:8795"
HEADERS = {"Authorization": f"Token {KEY}"}
PATIENCE = 300.0
INTERFACE = """<View>
  <Image name="image" value="$image"/>
  <KeyPointLabels name="point" toName="image" smart="true"><Label value="Helmet"/></KeyPointLabels>
  <RectangleLabels name="box" toName="image" smart="true"><Label value="Helmet"/></RectangleLabels>
  <BrushLabels name="mask" toName="image"><Label value="Helmet"/></BrushLabels>
</View>"""


@contextlib.contextmanager
def running(command: list[str], url: str, log: Path, **variables: str) -> Iterator[None]:
    """A server, once it answers."""
    with log.open("w") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=subprocess.STDOUT, env=os.environ | variables
        )
        try:
            end = time.monotonic() + PATIENCE
            while True:
                with contextlib.suppress(requests.RequestException):
                    if requests.get(url, timeout=5).ok:
                        break
                if process.poll() is not None or time.monotonic() > end:
                    raise SystemExit(f"{command[0]} does not answer:\n{log.read_text()[-2000:]}")
                time.sleep(0.5)
            yield
        finally:
            process.terminate()
            process.wait(30)


def ask(method: str, path: str, **arguments: Any) -> Any:
    """Label Studio's API."""
    answer = requests.request(method, STUDIO + path, headers=HEADERS, timeout=60, **arguments)
    if not answer.ok:
        raise SystemExit(f"{method} {path}: {answer.status_code} {answer.text[:500]}")
    return answer.json()


def make_project() -> tuple[int, int, int]:
    """Ids of a project with one task, of the task, and of the backend that it is connected to."""
    project = ask("POST", "/api/projects", json={"title": "PicoSAM2", "label_config": INTERFACE})
    with PHOTOGRAPH.open("rb") as file:
        ask("POST", f"/api/projects/{project['id']}/import", files={"file": file})
    (task,) = ask("GET", f"/api/tasks?project={project['id']}")["tasks"]
    backend = ask(
        "POST",
        "/api/ml",
        json={
            "project": project["id"], "url": SERVICE, "title": "PicoSAM2", "is_interactive": True,
            "auth_method": "BASIC_AUTH", "basic_auth_user": "any", "basic_auth_pass": TOKEN,
        },
    )  # fmt: skip
    assert backend["readable_state"] == "Connected", backend
    return project["id"], task["id"], backend["id"]


def mask_of(region: dict[str, Any]) -> NDArray[np.bool_]:
    """A brush region's mask."""
    values = decode_rle(region["value"]["rle"]).reshape(SIZE, SIZE, 4)
    return values[..., 3] > 0


def by_api(task: int, backend: int) -> NDArray[np.bool_]:
    """What the backend says to a click, asked through Label Studio."""
    value = {"x": 100 * CLICK[0] / SIZE, "y": 100 * CLICK[1] / SIZE, "width": 0.3}
    drawn = {
        "original_width": SIZE, "original_height": SIZE, "image_rotation": 0, "id": "a",
        "value": value | {"keypointlabels": ["Helmet"]}, "is_positive": True,
        "from_name": "point", "to_name": "image", "type": "keypointlabels", "origin": "manual",
    }  # fmt: skip
    body = {"task": task, "context": {"result": [drawn]}}
    answer = ask("POST", f"/api/ml/{backend}/interactive-annotating", json=body)
    (region,) = answer["data"]["result"]
    return mask_of(region)


def in_browser(page: Page, project: int, task: int, picture: Path) -> NDArray[np.bool_]:
    """What is exported after a person has clicked with the smart key point and accepted."""
    page.goto(f"{STUDIO}/user/login/")
    page.fill("input[name=email]", USER)
    page.fill("input[name=password]", PASSWORD)
    page.click("button[type=submit]")
    page.wait_for_url(lambda url: "/user/login" not in url)
    page.goto(f"{STUDIO}/projects/{project}/data?task={task}")
    photograph = page.locator("img[alt=image]")
    photograph.wait_for()
    page.get_by_text("Auto-Annotation").click()
    page.locator(".lsf-tool_smart >> visible=true").first.click()
    page.locator(".lsf-label_clickable").first.click()
    box = photograph.bounding_box()
    assert box is not None
    x, y = (
        box[side] + box[length] * place / SIZE
        for side, length, place in (("x", "width", CLICK[0]), ("y", "height", CLICK[1]))
    )
    with page.expect_response(lambda answer: "interactive-annotating" in answer.url) as answered:
        page.mouse.click(x, y)
    assert answered.value.ok
    accept = page.get_by_test_id("bottombar-accept-suggestions-button")
    accept.wait_for()
    # The mask is drawn a moment later.
    page.wait_for_timeout(1000)
    page.screenshot(path=picture, type="jpeg", quality=80)
    accept.click()
    with page.expect_response(lambda answer: f"/api/tasks/{task}/annotations" in answer.url):
        page.get_by_role("button", name="Submit current annotation").click()
    exported = ask("GET", f"/api/projects/{project}/export?exportType=JSON")
    regions = exported[0]["annotations"][0]["result"]
    (region,) = (region for region in regions if region["type"] == "brushlabels")
    return mask_of(region)


def expected() -> NDArray[np.bool_]:
    """What the service says to the same click."""
    with PHOTOGRAPH.open("rb") as file:
        answer = requests.post(
            f"{SERVICE}/segment",
            headers={"Authorization": f"Bearer {TOKEN}"},
            data={"points": str([list(CLICK)])}, files={"image": file}, timeout=60,
        )  # fmt: skip
    mask: NDArray[np.bool_] = coco_mask.decode(answer.json()["segmentation"]).astype(bool)
    return mask


def main() -> None:
    picosam2, picture = sys.argv[1], Path(sys.argv[2])
    studio = Path(sys.executable).with_name("label-studio")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        command = [
            str(studio), "start", "--no-browser", "--internal-host", "127.0.0.1",
            "--port", STUDIO.rpartition(":")[2], "--username", USER, "--password", PASSWORD,
            "--user-token", KEY,
        ]  # fmt: skip
        settings = {
            "LABEL_STUDIO_BASE_DATA_DIR": str(folder / "data"),
            "LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN": "true",
            # Else a backend on this machine is refused.
            "USE_DEFAULT_BANNED_SUBNETS": "false",
            "COLLECT_ANALYTICS": "false", "LATEST_VERSION_CHECK": "false",
            "SENTRY_DSN": "", "FRONTEND_SENTRY_DSN": "",
        }  # fmt: skip
        serve = [picosam2, "serve", "--port", SERVICE.rpartition(":")[2], "--label-studio", STUDIO]
        keys = {"PICOSAM2_TOKEN": TOKEN, "LABEL_STUDIO_API_KEY": KEY}
        with (
            running(command, f"{STUDIO}/health", folder / "studio.log", **settings),
            running(serve, f"{SERVICE}/health", folder / "service.log", **keys),
            sync_playwright() as playwright,
        ):
            project, task, backend = make_project()
            truth = expected()
            assert np.array_equal(by_api(task, backend), truth)
            browser = playwright.chromium.launch(
                executable_path="/usr/bin/chromium", args=["--no-sandbox"]
            )
            page = browser.new_page(viewport={"width": 1500, "height": 950})
            exported = in_browser(page, project, task, picture)
            overlap = (exported & truth).sum() / (exported | truth).sum()
            print(f"the exported mask and the service's: IoU {overlap:.3f}; {picture}")
            # The click falls on a pixel of the screen, not on the photograph's.
            assert overlap > 0.9
            browser.close()


if __name__ == "__main__":
    main()
