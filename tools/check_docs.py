#!/usr/bin/env python3
"""Keeps the code in the documents true.

    check_docs.py --compiler CXX [--include DIR ...] [FILE ...]    default: README.md and everything in docs/
    check_docs.py --test --compiler CXX                            proves that it can complain

Looked at are fenced blocks whose info string says what they are:

    ```cpp compile              compiles alone (-fsyntax-only, warnings are errors)
    ```cpp file=examples/x.cpp  is that file, to the byte; likewise ```text file=...; may be both
    ```cpp sketch               is not looked at: a fragment

A block of C++ that says none of these is an error: a snippet nobody compiles is wrong sooner or later.
Exit: 0 true, 1 not, 2 usage.
"""

import argparse
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
FLAGS = ["-std=c++20", "-fsyntax-only", "-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wconversion", "-Werror"]
BLOCK = re.compile(r"^```([^\n`]*)\n(.*?)^```[ \t]*$", re.DOTALL | re.MULTILINE)


def blocks(text: str) -> list[tuple[int, list[str], str]]:
    """Line number, words of the info string, content."""
    return [(text.count("\n", 0, m.start()) + 1, m.group(1).split(), m.group(2)) for m in BLOCK.finditer(text)]


def syntax_errors(code: str, compiler: str, includes: list[str]) -> str | None:
    with tempfile.TemporaryDirectory() as folder:
        source = pathlib.Path(folder) / "snippet.cpp"
        source.write_text(code, encoding="utf-8")
        command = [compiler, *FLAGS, *(f"-I{include}" for include in includes), str(source)]
        run = subprocess.run(command, capture_output=True, text=True, check=False)
        return None if run.returncode == 0 else run.stderr


def check(name: str, text: str, compiler: str, includes: list[str], root: pathlib.Path) -> tuple[list[str], int]:
    """What is wrong, and how many blocks were held against something."""
    wrong: list[str] = []
    held = 0
    for line, words, content in blocks(text):
        where = f"{name}:{line}"
        files = [word.removeprefix("file=") for word in words[1:] if word.startswith("file=")]
        compiles = words[:1] == ["cpp"] and "compile" in words
        if files or compiles:
            held += 1
        if files:
            file = root / files[0]
            if not file.is_file():
                wrong.append(f"{where}: there is no {files[0]}")
            elif file.read_text(encoding="utf-8") != content:
                wrong.append(f"{where}: differs from {files[0]}; copy the file here")
        if compiles:
            errors = syntax_errors(content, compiler, includes)
            if errors is not None:
                wrong.append(f"{where}: does not compile:\n{errors}")
        if words[:1] == ["cpp"] and not (files or compiles or "sketch" in words):
            wrong.append(f"{where}: C++ that nothing checks: mark it compile, file=... or sketch")
    return wrong, held


def self_test(compiler: str) -> int:
    table = {
        "good": ("```cpp compile\nint x = 1;\n```\n", 0),
        "does not compile": ("```cpp compile\nint x = ;\n```\n", 1),
        "warns": ("```cpp compile\nint f(long v) { return v; }\n```\n", 1),
        "unmarked": ("text\n```cpp\nint x;\n```\n", 1),
        "sketch": ("```cpp sketch\nint x = ...\n```\n", 0),
        "no such file": ("```text file=nowhere.txt\nx\n```\n", 1),
        "same file": ("```text file=there.txt\nx\n```\n", 0),
        "other file": ("```text file=there.txt\ny\n```\n", 1),
        "two blocks": ("```sh\nls\n```\n\n```cpp\nint x;\n```\n", 1),
    }
    failures = 0
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        (root / "there.txt").write_text("x\n", encoding="utf-8")
        for name, (text, expected) in table.items():
            wrong, _ = check(name, text, compiler, [], root)
            if len(wrong) != expected:
                failures += 1
                print(f"{name}: expected {expected} complaints, got {wrong}", file=sys.stderr)
    print(f"check_docs: {len(table) - failures} of {len(table)} cases as expected")
    return 1 if failures else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", type=pathlib.Path)
    parser.add_argument("--test", action="store_true")
    parser.add_argument("--compiler", required=True)
    parser.add_argument("--include", nargs="*", default=[str(ROOT / "include")])
    arguments = parser.parse_args()
    if arguments.test:
        return self_test(arguments.compiler)
    files = arguments.files or [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    wrong: list[str] = []
    held = 0
    for file in files:
        complaints, count = check(str(file), file.read_text(encoding="utf-8"), arguments.compiler, arguments.include, ROOT)
        wrong += complaints
        held += count
    for complaint in wrong:
        print(complaint, file=sys.stderr)
    print(f"{len(files)} documents, {held} blocks held against compiler or file, {len(wrong)} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
