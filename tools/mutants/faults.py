"""The tables of faults, and where their lines stand in the sources of today.

A row is: file, which of the file's equal lines (from 1), operator, the line, the line with the fault,
and the test that noticed it when it was last tried (run.py --write; nothing where none is known);
leading white space of lines is left out. A line is found by what it says, so that code above it may change, and
where its file was renamed or divided it is looked for in all of src/.
"""
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
COLUMNS = ("file", "nth", "operator", "old", "new", "by")


def read_table(path):
    rows = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if line and not line.startswith("#"):
            parts = line.split("\t")
            parts += [""] * (len(parts) == len(COLUMNS) - 1)
            if len(parts) != len(COLUMNS):
                sys.exit(f"{path}:{number}: {len(parts)} columns, expected {len(COLUMNS)}")
            row = dict(zip(COLUMNS, parts), at=f"{path.name}:{number}")
            row["nth"] = int(row["nth"])
            rows.append(row)
    return rows


def row_text(row):
    return "\t".join(str(row[column]) for column in COLUMNS).rstrip("\t")


def write_tests(path, rows):
    """Puts the rows' tests (`by`) into their lines of the table."""
    lines = path.read_text(encoding="utf-8").splitlines()
    for row in rows:
        name, _, number = row["at"].partition(":")
        if name == path.name:
            lines[int(number) - 1] = row_text(row)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def line_number(text, row):
    """The number (from 1) of the row's line in the text, or None."""
    seen = 0
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip() == row["old"]:
            seen += 1
            if seen == row["nth"]:
                return number
    return None


def mutate(text, row):
    """The text with the fault, or None if its line is not there."""
    number = line_number(text, row)
    if number is None:
        return None
    lines = text.split("\n")
    old = lines[number - 1]
    lines[number - 1] = old[:len(old) - len(old.lstrip())] + row["new"]
    return "\n".join(lines)


def locate(row, root=ROOT):
    """The file (below root) that has the row's line today, or None: its own, else one of that name
    in another folder, else the only one in src/ that has the line."""
    def has(path):
        return line_number(path.read_text(encoding="utf-8"), row) is not None

    own = root / row["file"]
    if own.is_file() and has(own):
        return row["file"]
    paths = sorted((root / "src").rglob("*.c"))
    for found in ([p for p in paths if p.name == own.name and has(p)], [p for p in paths if has(p)]):
        if len(found) == 1:
            return str(found[0].relative_to(root))
    return None
