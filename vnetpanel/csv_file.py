"""Lists as CSV files, safe to open in a spreadsheet."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from typing import Any

from django.http import StreamingHttpResponse


class _Echo:
    """A file that gives back what is written, for csv.writer."""

    def write(self, value: str) -> str:
        return value


def csv_response(name: str, rows: Iterable[Iterable[Any]]) -> StreamingHttpResponse:
    """The rows as NAME.csv, sent as they come."""
    writer = csv.writer(_Echo())

    def lines() -> Iterator[str]:
        for row in rows:
            yield writer.writerow([cell(value) for value in row])

    response = StreamingHttpResponse(lines(), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    return response


def cell(value: Any) -> str:
    """One cell as text. A spreadsheet runs what begins like a formula, and names come from servers."""
    text = " ".join(str("" if value is None else value).split())
    return f"'{text}" if text[:1] in ("=", "+", "-", "@") else text
