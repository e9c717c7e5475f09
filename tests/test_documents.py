"""The documents say what the project does: tables as printed, links that lead somewhere."""

from __future__ import annotations

import hashlib
import re
import shlex
import subprocess
import sys

import fill_tables
import pytest
from click import Context, Group
from conftest import ROOT

from picosam2.cli import main
from picosam2.weights import model_path

DOCUMENTS = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("src/**/*.md")]


@pytest.mark.parametrize("document", fill_tables.DOCUMENTS, ids=lambda p: p.name)
def test_the_tables_of_the_documents_are_those_of_the_results(document):
    text = document.read_text()
    assert text.count("<!-- end -->") > 0
    assert fill_tables.fill(text, fill_tables.read_tables()) == text


def test_every_result_has_a_place_in_a_document():
    text = "".join(document.read_text() for document in fill_tables.DOCUMENTS)
    for name in fill_tables.read_tables():
        assert f"<!-- {name} -->" in text, name


def test_the_results_are_about_the_shipped_weights():
    """The edge table takes an hour to make: its page says so where it is of earlier weights."""
    stale = fill_tables.stale_tables()
    assert set(stale) <= {"edge"}
    said = "not measured again with the shipped weights" in (ROOT / "docs/results.md").read_text()
    assert said == ("edge" in stale)


@pytest.mark.parametrize("name", ["prompt_steps", "box_bounds"])
def test_what_is_said_of_prompts_is_about_the_shipped_weights(name):
    steps = fill_tables.read(name)
    digest = hashlib.sha256(model_path(steps["weights"]).read_bytes()).hexdigest()
    assert steps["weights_sha256"] == digest
    assert steps["limit"] is None


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


def test_the_pages_are_built_and_all_their_links_and_anchors_lead_somewhere(tmp_path):
    pytest.importorskip("mkdocs")
    command = [sys.executable, "-m", "mkdocs", "build", "--site-dir", str(tmp_path / "site")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "site" / "tutorials" / "first-click.html").is_file()
