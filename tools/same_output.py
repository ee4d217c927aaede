#!/usr/bin/env python3
"""Runs a program and compares its standard output with a file, to the byte: same_output.py EXPECTED PROGRAM [ARG...]"""

import difflib
import pathlib
import subprocess
import sys


def main() -> int:
    if len(sys.argv) < 3:
        print(__doc__, file=sys.stderr)
        return 2
    expected_file = pathlib.Path(sys.argv[1])
    if not expected_file.is_file():
        print(f"{expected_file} is missing: write there what the program is to print", file=sys.stderr)
        return 1
    run = subprocess.run(sys.argv[2:], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, check=False)
    if run.returncode != 0:
        sys.stdout.write(run.stdout.decode(errors="replace"))
        print(f"{sys.argv[2]} ended with {run.returncode} instead of 0", file=sys.stderr)
        return 1
    expected = expected_file.read_bytes()
    if run.stdout != expected:
        sys.stdout.writelines(difflib.unified_diff(
            expected.decode(errors="replace").splitlines(keepends=True),
            run.stdout.decode(errors="replace").splitlines(keepends=True),
            fromfile=expected_file.name, tofile="what was printed"))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
