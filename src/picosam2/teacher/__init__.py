"""Large promptable models whose answers the network learns from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from picosam2.errors import InputError

if TYPE_CHECKING:
    from picosam2.teacher.base import Teacher

ONNX_TEACHER = "sam2-tiny"


def teacher_packages(name: str) -> tuple[str, ...]:
    """The packages whose versions decide about a teacher's answers."""
    return ("onnxruntime",) if name == ONNX_TEACHER else ("torch", "transformers")


def uses_gpu(name: str) -> bool:
    """Whether a teacher works on a GPU where there is one."""
    return name != ONNX_TEACHER


def check_teacher(name: str) -> None:
    """Refuse what is no teacher's name, before anything is loaded or written.

    Raises:
        InputError: it is none, or there is no such folder.
    """
    if name != ONNX_TEACHER and "/" not in name:
        raise InputError(
            f"unknown teacher {name}: give {ONNX_TEACHER}, or a Sam2Model as ./folder or owner/name"
        )
    if name.startswith((".", "/")) and not Path(name).is_dir():
        raise InputError(
            f"no teacher in {name}, which is no folder: give a Sam2Model as ./folder or owner/name"
        )


def load_teacher(name: str, threads: int = 1) -> Teacher:
    """Open a teacher.

    Args:
        name: ``sam2-tiny`` (SAM 2 Hiera-Tiny in ONNX Runtime, see ``picosam2 teacher fetch``), or
            what ``transformers`` loads as ``Sam2Model``: a folder, or ``owner/checkpoint`` such as
            ``facebook/sam2.1-hiera-tiny``.
        threads: CPU threads.

    Raises:
        InputError: no such teacher, or its files are missing or damaged.
    """
    check_teacher(name)
    if name == ONNX_TEACHER:
        from picosam2.teacher.onnx import OnnxTeacher

        return OnnxTeacher(threads)
    from picosam2.teacher.transformers import TransformersTeacher

    return TransformersTeacher(name, threads)
