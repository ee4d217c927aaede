#!/usr/bin/env python3
"""Compiles a case that must not compile, and demands the sentence that the user is to read.

    run_case.py CASE.cpp --compiler CXX --id GNU|Clang --version V [--include DIR ...]
    run_case.py --test --compiler CXX --id GNU|Clang --version V     proves that the harness itself can fail

A case opens with what it expects, a regular expression for one line of the compiler's errors:

    // expect: Account has no handle\\(Apple\\)
    // expect-gcc12: ...       used instead by g++ before 13; alone, other compilers skip the case
    #include "backstage/backstage.hpp"
    #ifdef RIGHT
      account.send(Deposit{1});     // the control: with -DRIGHT the file must compile, without a warning
    #else
      account.send(Apple{});
    #endif

Without the control, a typing mistake in the case would pass for a success.
Exit: 0 as expected, 1 not, 77 not for this compiler.
"""

import argparse
import pathlib
import re
import subprocess
import sys
import tempfile

FLAGS = ["-std=c++20", "-fsyntax-only", "-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wconversion", "-Werror"]
SKIP = 77


def expectation(text: str, old_gcc: bool) -> str | None:
    """The pattern for this compiler; None when the case is not for it. Raises ValueError when there is none at all."""
    found = {}
    for line in text.splitlines():
        match = re.match(r"//\s*(expect(?:-gcc12)?):\s*(.+?)\s*$", line)
        if not match:
            break
        found[match.group(1)] = match.group(2)
    if not found:
        raise ValueError("the first line must be '// expect: <regex>'")
    if "RIGHT" not in text:
        raise ValueError("no '#ifdef RIGHT': the control is missing")
    return found.get("expect-gcc12", found.get("expect")) if old_gcc else found.get("expect")


def run(case: pathlib.Path, compiler: str, old_gcc: bool, includes: list[str]) -> tuple[int, str]:
    """The exit code, and what to print."""
    try:
        pattern = expectation(case.read_text(encoding="utf-8"), old_gcc)
    except ValueError as error:
        return 1, f"{case.name}: {error}"
    if pattern is None:
        return SKIP, f"{case.name}: for g++ 12 only"
    flags = FLAGS + [f"-I{folder}" for folder in includes]
    # Colours and locale would come between the pattern and the text.
    flags += ["-fdiagnostics-color=never"] if old_gcc or "g++" in compiler else ["-fno-color-diagnostics"]

    def compile_case(*more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([compiler, *flags, *more, str(case)], capture_output=True, text=True, check=False,
                              env={"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C"})

    right = compile_case("-DRIGHT")
    if right.returncode != 0:
        return 1, f"{case.name}: the control (-DRIGHT) must compile, and does not:\n{right.stderr}"
    wrong = compile_case()
    if wrong.returncode == 0:
        return 1, f"{case.name}: compiles, and must not"
    errors = [line for line in wrong.stderr.splitlines() if "error:" in line]
    for line in errors:
        if re.search(pattern, line):
            return 0, f"{case.name}: {len(errors)} error(s), among them\n{line}"
    return 1, f"{case.name}: no error matches /{pattern}/; it says\n{wrong.stderr}"


def self_test(compiler: str, old_gcc: bool) -> int:
    right_or = "#ifdef RIGHT\nint x = 1;\n#else\n{}\n#endif\n"
    wrong = right_or.format('static_assert(false, "a sentence for people");')
    table = {
        "good": (f"// expect: a sentence for p\\w+\n{wrong}", 0, "a sentence for people"),
        "compiles": ("// expect: anything\n" + right_or.format("int x = 2;"), 1, "must not"),
        "other_sentence": (f"// expect: another sentence\n{wrong}", 1, "no error matches"),
        "broken_control": (f"// expect: a sentence\nint y = z;\n{wrong}", 1, "the control"),
        "warning_in_control": (f"// expect: a sentence\ninline int narrow(long v) {{ return v; }}\n{wrong}", 1, "the control"),
        "no_control": ('// expect: a sentence\nstatic_assert(false, "a sentence");\n', 1, "control is missing"),
        "no_expectation": (wrong, 1, "first line"),
        "only_gcc12": (f"// expect-gcc12: a sentence\n{wrong}", 0 if old_gcc else SKIP, ""),
        "both": (f"// expect: {'never' if old_gcc else 'a sentence'}\n"
                 f"// expect-gcc12: {'a sentence' if old_gcc else 'never'}\n{wrong}", 0, ""),
    }
    failures = 0
    with tempfile.TemporaryDirectory() as folder:
        for name, (text, code, said) in table.items():
            case = pathlib.Path(folder) / f"{name}.cpp"
            case.write_text(text, encoding="utf-8")
            got, output = run(case, compiler, old_gcc, [])
            if got != code or said not in output:
                failures += 1
                print(f"{name}: expected {code} and '{said}', got {got} and:\n{output}", file=sys.stderr)
    print(f"compile_fail harness: {len(table) - failures} of {len(table)} cases as expected")
    return 1 if failures else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("case", nargs="?", type=pathlib.Path)
    parser.add_argument("--test", action="store_true")
    parser.add_argument("--compiler", required=True)
    parser.add_argument("--id", required=True)
    parser.add_argument("--version", required=True)
    parser.add_argument("--include", nargs="*", default=[])
    arguments = parser.parse_args()
    old_gcc = arguments.id == "GNU" and int(arguments.version.split(".")[0]) < 13
    if arguments.test:
        return self_test(arguments.compiler, old_gcc)
    if arguments.case is None:
        parser.error("no case given")
    code, text = run(arguments.case, arguments.compiler, old_gcc, arguments.include)
    print(text, file=sys.stdout if code in (0, SKIP) else sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
