#!/usr/bin/env python3
"""Reports files over 400 lines and functions over 60 lines, as warnings."""
import pathlib
import re
import sys

FILE, FUNCTION = 400, 60
START = re.compile(r"^( *)(?:[@\w().]+ +)*(?:func|init|deinit)\b.*")


def functions(lines):
    """A function ends at the first closing brace in the column where its first line begins (the formatter's rule)."""
    for number, line in enumerate(lines):
        # One that ends on its own line is short.
        if (match := START.match(line)) and not line.endswith("}"):
            end = match[1] + "}"
            for last in range(number, len(lines)):
                if lines[last] == end:
                    yield number + 1, last - number + 1, line.strip()
                    break
                if last > number and lines[last].strip() and len(lines[last]) - len(lines[last].lstrip()) < len(match[1]):
                    break


found = 0
for root in sys.argv[1:]:
    for path in sorted(pathlib.Path(root).rglob("*")):
        if path.suffix not in {".swift", ".c", ".h", ".py", ""} or not path.is_file():
            continue
        lines = path.read_text(errors="replace").splitlines()
        if len(lines) > FILE:
            print(f"warning: {path}: {len(lines)} lines")
            found += 1
        if path.suffix == ".swift":
            for number, length, text in functions(lines):
                if length > FUNCTION:
                    print(f"warning: {path}:{number}: {length} lines: {text}")
                    found += 1
print(f"{found} to think about")
