"""Kill every verb at random moments, and print the table of docs/robustness.md."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from killing import kill_and_run_again, run_whole
from verbs import find_verbs, make_inputs


def main() -> int:
    """0 where nothing differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=10, help="of every verb")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--verb", action="append", help="only this one")
    arguments = parser.parse_args()
    failed = 0
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        print("| verb | a run, s | kills | equal, nothing left over | compared |")
        print("|---|---|---|---|---|", flush=True)
        for name, verb in find_verbs(make_inputs(folder / "inputs")).items():
            if arguments.verb and name not in arguments.verb:
                continue
            sandbox = folder / "sandbox"
            whole = run_whole(verb, sandbox)
            equal = 0
            for number in range(arguments.kills):
                try:
                    found = kill_and_run_again(verb, whole, sandbox, number, arguments.seed)
                except AssertionError as error:
                    print(f"{name}, kill {number}: {error}", file=sys.stderr, flush=True)
                    continue
                differ = sorted(
                    key
                    for key in whole.contents.keys() | found.keys()
                    if whole.contents.get(key, "absent") != found.get(key, "absent")
                )
                equal += not differ
                if differ:
                    print(f"{name}, kill {number}: {differ}", file=sys.stderr, flush=True)
            failed += arguments.kills - equal
            row = (name, f"{whole.duration:.0f}", arguments.kills, equal, verb.compared)
            print(f"| {' | '.join(map(str, row))} |", flush=True)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
