"""``kill -9`` at random moments: the next run ends as if nothing had happened.

``make kill-tests`` does the same ten times for every verb, with Ray and the exports.
"""

from __future__ import annotations

import sys

import pytest
from killing import kill_and_run_again, run_whole
from verbs import Inputs, find_verbs, make_inputs

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")


@pytest.fixture(scope="module")
def inputs(tmp_path_factory) -> Inputs:
    return make_inputs(tmp_path_factory.mktemp("inputs"))


@pytest.mark.parametrize("name", ["data import"])
def test_the_run_after_a_kill_ends_as_an_undisturbed_one(name, inputs, tmp_path):
    """One kill of the first process at any moment, one of that process alone while it writes."""
    verb = find_verbs(inputs)[name]
    whole = run_whole(verb, tmp_path / "sandbox")
    assert any(key.startswith("out/") for key in whole.contents)
    for number in range(2):
        found = kill_and_run_again(verb, whole, tmp_path / "sandbox", number, seed=0)
        assert found == whole.contents
