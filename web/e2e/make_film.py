"""A view that moves over the bundled astronaut, as a video.

Usage: python make_film.py FILE [RATE FRAMES]

``.y4m`` is what Chromium's fake camera plays; ``.webm`` is a file that people have.
"""

import sys
from pathlib import Path

import av
import numpy as np

from picosam2.examples import EXAMPLES
from picosam2.images import load_image

WIDTH, HEIGHT, RATE, FRAMES = 320, 240, 15, 60
# The view goes this many pixels to the right and back.
SWING = 60

if __name__ == "__main__":
    path = Path(sys.argv[1])
    rate, frames = map(int, sys.argv[2:4]) if len(sys.argv) == 4 else (RATE, FRAMES)
    image = np.asarray(load_image(EXAMPLES / "images" / "astronaut.jpg"))
    with av.open(str(path), "w", format="yuv4mpegpipe" if path.suffix == ".y4m" else "webm") as out:
        codec = "wrapped_avframe" if path.suffix == ".y4m" else "libvpx"
        stream = out.add_stream(codec, rate=rate)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        if path.suffix == ".webm":
            stream.bit_rate = 2_000_000
        for number in range(frames):
            x = 40 + round(SWING * (1 - abs(2 * (number % FRAMES) / (FRAMES - 1) - 1)))
            view = np.ascontiguousarray(image[10 : 10 + HEIGHT, x : x + WIDTH])
            frame = av.VideoFrame.from_ndarray(view, format="rgb24").reformat(format="yuv420p")
            out.mux(stream.encode(frame))
        out.mux(stream.encode())
