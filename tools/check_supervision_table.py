#!/usr/bin/env python3
"""Keeps the table of supervision true: docs/reference/supervision.md.

    check_supervision_table.py            every test that it names exists, every case of OTP has a row, rows are enough
    check_supervision_table.py --test     proves that it can complain

Exit: 0 true, 1 not.
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
TABLE = ROOT / "docs" / "reference" / "supervision.md"
ROWS_AT_LEAST = 80

# The names of the cases of OTP's supervisor suite, and of what newer versions add.
CASES = """
sup_start_normal sup_start_ignore_init sup_start_ignore_child sup_start_ignore_temporary_child
sup_start_ignore_temporary_child_start_child sup_start_ignore_temporary_child_start_child_simple
sup_start_ignore_permanent_child_start_child_simple sup_start_error_return sup_start_fail sup_start_map
sup_start_map_faulty_specs sup_stop_infinity sup_stop_timeout sup_stop_brutal_kill child_adm child_adm_simple child_specs
sup_flags extra_return permanent_normal transient_normal temporary_normal permanent_shutdown transient_shutdown
temporary_shutdown faulty_application_shutdown permanent_abnormal transient_abnormal temporary_abnormal
temporary_bystander multiple_restarts one_for_one one_for_one_escalation one_for_all one_for_all_escalation
one_for_all_other_child_fails_restart rest_for_one rest_for_one_escalation rest_for_one_other_child_fails_restart
simple_one_for_one simple_one_for_one_escalation simple_one_for_one_extra simple_one_for_one_shutdown child_unlink tree
count_children do_not_save_start_parameters_for_temporary_children do_not_save_child_specs_for_temporary_children
simple_one_for_one_scale_many_temporary_children simple_global_supervisor hanging_restart_loop
hanging_restart_loop_simple code_change code_change_map code_change_simple code_change_simple_map
significant_any significant_all report_format which_child
""".split()

DEFINED = re.compile(r"\bTEST(?:_F|_P)?\(\s*(\w+)\s*,\s*(\w+)\s*\)")
NAMED = re.compile(r"`([A-Z]\w*\.\w+)`")  # Suite.name
QUOTED = re.compile(r"`([^`]+)`")


def tests_of(sources: list[str]) -> set[str]:
    return {f"{suite}.{name}" for text in sources for suite, name in DEFINED.findall(text)}


def rows_of(text: str) -> list[list[str]]:
    """The cells of each row of the two tables of behaviours."""
    rows: list[list[str]] = []
    counts = False
    for line in text.splitlines():
        if line.startswith("## "):
            counts = line in ("## OTP's cases", "## Beyond OTP")
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if counts and line.startswith("|") and not set(line) <= set("|- ") and cells[-1] != "test" and cells[0] != "OTP's case":
            rows.append(cells)
    return rows


def complaints(text: str, defined: set[str], cases: list[str], at_least: int) -> list[str]:
    wrong: list[str] = []
    rows = rows_of(text)
    told = {name for cells in rows if len(cells) == 3 for name in QUOTED.findall(cells[0])}
    wrong += [f"OTP's case {case} has no row" for case in cases if case not in told]
    wrong += [f"{name} is no case of OTP's" for name in sorted(told - set(cases))]
    for cells in rows:
        named = NAMED.findall(cells[-1])
        wrong += [f"there is no test {name}" for name in named if name not in defined]
        if not named and "Deviation:" not in cells[-1]:
            wrong.append(f"neither a test nor a deviation: {' | '.join(cells)}")
    if len(rows) < at_least:
        wrong.append(f"{len(rows)} rows, and there are to be at least {at_least}")
    return wrong


def self_test() -> int:
    defined = tests_of(["TEST(L2, one)\n", "TEST_P(Storms,\n       two) {"])
    head = "## OTP's cases\n\n| OTP's case | our behaviour | our test |\n|---|---|---|\n"
    table = {
        "good": (head + "| `a` | b | `L2.one` |\n| `c` | d | Deviation: no |\n", 0),
        "broken over lines": (head + "| `a` | b | `Storms.two` |\n| `c` | d | `L2.one` |\n", 0),
        "no such test": (head + "| `a`, `c` | b | `L2.three` |\n| `a` | b | `L2.one` |\n", 1),
        "a case without a row": (head + "| `a` | b | `L2.one` |\n| `a` | b | `L2.one` |\n", 1),
        "a case that is none": (head + "| `a`, `c`, `x` | b | `L2.one` |\n| `a` | b | `L2.one` |\n", 1),
        "neither test nor deviation": (head + "| `a` | b | soon |\n| `c` | d | `L2.one` |\n", 1),
        "too few rows": (head + "| `a`, `c` | b | `L2.one` |\n", 1),
    }
    failures = 0
    for name, (text, expected) in table.items():
        wrong = complaints(text, defined, ["a", "c"], 2)
        if len(wrong) != expected:
            failures += 1
            print(f"{name}: expected {expected} complaints, got {wrong}", file=sys.stderr)
    print(f"check_supervision_table: {len(table) - failures} of {len(table)} cases as expected")
    return 1 if failures else 0


def main() -> int:
    if sys.argv[1:] == ["--test"]:
        return self_test()
    sources = [file.read_text(encoding="utf-8") for file in sorted((ROOT / "tests").rglob("*.cpp"))]
    text = TABLE.read_text(encoding="utf-8")
    wrong = complaints(text, tests_of(sources), CASES, ROWS_AT_LEAST)
    for line in wrong:
        print(f"{TABLE.relative_to(ROOT)}: {line}", file=sys.stderr)
    print(f"check_supervision_table: {len(rows_of(text))} rows, {len(CASES)} cases of OTP, {len(wrong)} complaints")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
