"""Put the tables of docs/results/*.json into README, where its comments mark their place.

python scripts/fill_readme.py
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from picosam2.evaluation.report.tables import readme_tables
from picosam2.export.fit import fit_table
from picosam2.files import replacing

ROOT = Path(__file__).parent.parent


def main() -> None:
    results = ROOT / "docs" / "results"
    report, edge = (json.loads((results / f"{n}.json").read_text()) for n in ("report", "edge"))
    text = (ROOT / "README.md").read_text()
    tables = readme_tables(report["runs"]) | {"edge": fit_table(edge["rows"])}
    for name, table in tables.items():
        place = rf"(<!-- {name} -->\n).*?(<!-- end -->)"
        if not re.search(place, text, re.S):
            raise SystemExit(f"README.md has no <!-- {name} --> ... <!-- end -->")
        text = re.sub(place, lambda m, t=table: m[1] + t.markdown() + m[2], text, flags=re.S)
    with replacing(ROOT / "README.md") as path:
        path.write_text(text)


if __name__ == "__main__":
    main()
