"""The lines and records of a file of comma-separated values."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator


def decoded(source: str, encoding: str) -> str:
    with open(source, "rb") as file:
        data = file.read()
    try:
        text = data.decode(
            "utf-8-sig" if encoding.lower().replace("_", "-") in ("utf-8", "utf8") else encoding
        )
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ValueError(
            f"read_csv: {source}, line {line}: byte {data[error.start]:#04x} is not {encoding} ({error.reason}); "
            f"name the file's encoding, perhaps encoding='latin-1'"
        ) from error
    if (at := text.find("\0")) >= 0:
        line = text.count("\n", 0, at) + 1
        raise ValueError(
            f"read_csv: {source}, line {line}: a NUL byte, which no text has; the file is damaged, or of another "
            "encoding, perhaps encoding='utf-16'"
        )
    return text


class _Lines:
    """The lines of a text without those to skip and without comments; `number` is that of the newest one."""

    def __init__(self, text: str, skiprows: int, comment: str | None) -> None:
        self._lines = io.StringIO(text, newline="")
        self._comment = comment
        self._quoted = False  # a quote is open, in which nothing is a comment
        for _ in range(skiprows):
            self._lines.readline()
        self.number = skiprows

    def __iter__(self) -> Iterator[str]:
        for line in self._lines:
            self.number += 1
            kept = line if self._comment is None else self._without_comment(line)
            if kept:
                yield kept

    def _without_comment(self, line: str) -> str:
        for at, sign in enumerate(line):
            if sign == '"':
                self._quoted = not self._quoted
            elif sign == self._comment and not self._quoted:
                before = line[:at].rstrip(" ")
                return f"{before}\n" if before else ""
        return line


def records_of(
    source: str, text: str, sep: str, *, skiprows: int, comment: str | None, header: int | None
) -> tuple[list[int], list[list[str]]]:
    """The records, and the line on which each ends. Empty lines are none, but in a file of one column a missing value
    each, except before the names and at the end of the file."""
    lines, records = [], []
    source_lines = _Lines(text, skiprows, comment)
    try:
        reader = csv.reader(iter(source_lines), delimiter=sep, strict=True)
    except TypeError as error:
        raise ValueError(f"read_csv: sep must be one character, got {sep!r}") from error
    try:
        for record in reader:
            lines.append(source_lines.number)
            records.append(record)
    except csv.Error as error:
        raise ValueError(f"read_csv: {source}, line {source_lines.number}: {error}") from error
    width = len(next(filter(None, records), []))
    filled = [number for number, record in enumerate(records) if record]
    kept = filled
    if width == 1:
        kept = range(0 if header is None else filled[0], filled[-1] + 1)
    return [lines[number] for number in kept], [records[number] or [""] for number in kept]
