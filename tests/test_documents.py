"""The documents say what the project does: tables as printed, links that lead somewhere."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys

import pytest
from click import Context, Group
from conftest import ROOT

from picosam2.cli import main

DOCUMENTS = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("src/**/*.md")]


def test_the_results_in_readme_are_the_manifests():
    script = ROOT / "scripts" / "results_table.py"
    result = subprocess.run(
        [sys.executable, str(script)], check=True, capture_output=True, text=True
    )
    assert result.stdout in (ROOT / "README.md").read_text()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_to_files(document):
    for target in re.findall(r"\]\((?!https?://)([^)#]+)\)", document.read_text()):
        assert (document.parent / target).exists(), f"{document.name}: {target}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda p: str(p.relative_to(ROOT)))
def test_commands_exist_with_their_options(document):
    text = document.read_text().replace("\\\n", "")
    for line in re.findall(r"^ {4}(picosam2 [a-z].*)$", text, re.M):
        _, *words = shlex.split(line.replace("[", " ").replace("]", " "), comments=True)
        command = main
        while isinstance(command, Group):
            verb = words.pop(0)
            command = command.get_command(Context(command), verb)
            assert command is not None, line
        known = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= known, line


def test_readme_has_the_commands_of_every_day():
    commands = re.findall(r"^ {4}picosam2 ([a-z]+)", (ROOT / "README.md").read_text(), re.M)
    assert {"segment", "eval", "train", "label", "data", "export"} <= set(commands)
