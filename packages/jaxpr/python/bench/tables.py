"""Rows of the comparison as Markdown, a line for each case, in milliseconds."""

from __future__ import annotations

from typing import Any

from cases import CASES

# Title, who, key.
Column = tuple[str, str, str]
SIDES: tuple[Column, ...] = (
    ("JAX, first call", "jax", "cold_ms"),
    ("later", "jax", "warm_ms"),
    ("trace", "gridfuse", "trace_ms"),
    ("gridfuse, first call", "gridfuse", "ours_ms"),
    ("of a kept plan", "gridfuse", "disk_ms"),
    ("later", "gridfuse", "warm_ms"),
    ("empty callback", "gridfuse", "empty_ms"),
    ("saved plan, first run", "plan", "cold_ms"),
    ("later", "plan", "warm_ms"),
)
PARTS: tuple[Column, ...] = (
    ("equations", "gridfuse", "equations"),
    ("export", "gridfuse", "export_ms"),
    ("import", "gridfuse", "import_ms"),
    ("compile", "gridfuse", "compile_ms"),
    ("prepare", "gridfuse", "prepare_ms"),
    ("first run", "gridfuse", "first_run_ms"),
    ("import … prepare in a warm engine", "gridfuse", "again_ms"),
    ("kept plan: export", "gridfuse", "disk_export_ms"),
    ("first run", "gridfuse", "disk_run_ms"),
)


def table_of(rows: list[dict[str, Any]]) -> str:
    """A line for each case, in milliseconds: who takes how long, and what gridfuse's part is made of."""
    return "\n\n".join([_lines(rows, SIDES), _lines(rows, PARTS)])


def _lines(rows: list[dict[str, Any]], columns: tuple[Column, ...]) -> str:
    by = {(row["case"], row["by"]): row for row in rows}
    lines = [
        f"| ms | {' | '.join(title for title, _, _ in columns)} |",
        "| --- " + "| ---: " * len(columns) + "|",
    ]
    told = {row["case"] for row in rows}
    for case in [name for name in CASES if name in told]:
        cells = []
        for _, who, key in columns:
            row = by.get((case, who), {})
            if "error" in row:
                cells.append(row["error"] if key in ("cold_ms", "ours_ms") else "")
            else:
                cells.append(ms(row.get(key)))
        lines.append(f"| {case} | {' | '.join(cells)} |")
    return "\n".join(lines)


def ms(value: float | None) -> str:
    if value is None:
        return ""
    digits = 0 if value >= 100 or isinstance(value, int) else 1 if value >= 10 else 2
    if value < 0.1:
        digits = 3
    return f"{value:,.{digits}f}"
