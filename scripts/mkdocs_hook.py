"""MkDocs calls this for each page: what the pages link to but do not contain is named instead."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

LINK = re.compile(r"\[([^\]]*)\]\(([^)#\s:]+)(#[^)]*)?\)")


def on_page_markdown(markdown: str, page: Any, config: Any, **_: Any) -> str:
    """Links to files of the repository that are no pages become their text and path."""
    root, folder = Path(config["docs_dir"]).resolve(), Path(page.file.abs_src_path).parent

    def named(match: re.Match[str]) -> str:
        text, target, _ = match.groups()
        path = (folder / target).resolve()
        inside = path.is_relative_to(root) and path.is_file()
        if inside and not path.is_relative_to(root / "results"):
            return match[0]
        return f"{text} (`{path.relative_to(root.parent)}`)"

    return LINK.sub(named, markdown)
