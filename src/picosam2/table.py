"""A table as Markdown, for terminals and documents alike."""

from __future__ import annotations

from dataclasses import dataclass

ABSENT = "–"


@dataclass(frozen=True)
class Table:
    """A table.

    Args:
        title: what it is about.
        header: one text a column.
        rows: one text a cell, in Markdown.
    """

    title: str
    header: list[str]
    rows: list[list[str]]

    def choose(self, columns: list[str]) -> Table:
        """Some of its columns; where several have a name, the first.

        Raises:
            ValueError: there is no such column.
        """
        chosen = [self.header.index(name) for name in columns]
        return Table(self.title, columns, [[row[index] for index in chosen] for row in self.rows])

    def markdown(self) -> str:
        """As GitHub shows it, without the title."""
        lines = [self.header, ["---"] * len(self.header), *self.rows]
        return "".join("| " + " | ".join(line) + " |\n" for line in lines)
