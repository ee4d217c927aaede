#!/usr/bin/env python3
"""Keeps the tables that name tests true: docs/reference/supervision.md and docs/reference/faults.md.

    check_tables.py            every test that they name exists; every case of OTP's, and every fault of the catalogue,
                               has its row; rows are enough
    check_tables.py --test     proves that it can complain

Exit: 0 true, 1 not.
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
SUPERVISION = ROOT / "docs" / "reference" / "supervision.md"
FAULTS = ROOT / "docs" / "reference" / "faults.md"
ROWS_AT_LEAST = 80

# The fault catalogue: actors and supervision; coroutines, memory, time and threads.
FAULT_IDS = [f"A{n}" for n in range(1, 24)] + [f"C{n}" for n in range(1, 16)]

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
significant_any significant_all significant_escalation report_format which_child
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


def faults_of(text: str) -> list[list[str]]:
    """The cells of each row that begins with an id."""
    rows = []
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if line.startswith("|") and re.fullmatch(r"[A-Z]\d+", cells[0]):
            rows.append(cells)
    return rows


def fault_complaints(text: str, defined: set[str], ids: list[str]) -> list[str]:
    wrong: list[str] = []
    rows = faults_of(text)
    told = [cells[0] for cells in rows]
    wrong += [f"fault {one} has no row" for one in ids if one not in told]
    wrong += [f"{one} is no fault of the catalogue" for one in sorted(set(told) - set(ids))]
    wrong += [f"fault {one} has {told.count(one)} rows" for one in sorted(set(told)) if told.count(one) > 1]
    for cells in rows:
        named = NAMED.findall(cells[-1])
        if len(cells) != 4:
            wrong.append(f"fault {cells[0]}: {len(cells)} cells instead of 4: id, fault, what happens, tests")
        wrong += [f"fault {cells[0]}: there is no test {name}" for name in named if name not in defined]
        if not named and not cells[-1].startswith("Open: "):
            wrong.append(f"fault {cells[0]}: neither a test nor what is open")
    return wrong


def self_test() -> int:
    defined = tests_of(["TEST(L2, one)\n", "TEST_P(Storms,\n       two) {"])
    head = "## OTP's cases\n\n| OTP's case | our behaviour | our test |\n|---|---|---|\n"
    supervision = {
        "good": (head + "| `a` | b | `L2.one` |\n| `c` | d | Deviation: no |\n", 0),
        "broken over lines": (head + "| `a` | b | `Storms.two` |\n| `c` | d | `L2.one` |\n", 0),
        "no such test": (head + "| `a`, `c` | b | `L2.three` |\n| `a` | b | `L2.one` |\n", 1),
        "a case without a row": (head + "| `a` | b | `L2.one` |\n| `a` | b | `L2.one` |\n", 1),
        "a case that is none": (head + "| `a`, `c`, `x` | b | `L2.one` |\n| `a` | b | `L2.one` |\n", 1),
        "neither test nor deviation": (head + "| `a` | b | soon |\n| `c` | d | `L2.one` |\n", 1),
        "too few rows": (head + "| `a`, `c` | b | `L2.one` |\n", 1),
    }
    faults = {
        "good faults": ("| A1 | x | y | `L2.one` |\n| A2 | x | y | `L2.one`, `Storms.two` |\n", 0),
        "no row": ("| A1 | x | y | `L2.one` |\n", 1),
        "open": ("| A1 | x | y | `L2.one` |\n| A2 | x | y | Open: no |\n", 0),
        "no test": ("| A1 | x | y | `L2.one` |\n| A2 | x | y | soon |\n", 1),
        "a test that is none": ("| A1 | x | y | `L2.one` |\n| A2 | x | y | `L2.one`, `L2.none` |\n", 1),
        "a row twice": ("| A1 | x | y | `L2.one` |\n| A1 | x | y | `L2.one` |\n| A2 | x | y | `L2.one` |\n", 1),
        "an id that is none": ("| A1 | x | y | `L2.one` |\n| A2 | x | y | `L2.one` |\n| A9 | x | y | `L2.one` |\n", 1),
        "a cell too few": ("| A1 | x | y | `L2.one` |\n| A2 | x | `L2.one` |\n", 1),
    }
    found = {name: (complaints(text, defined, ["a", "c"], 2), n) for name, (text, n) in supervision.items()}
    found |= {name: (fault_complaints(text, defined, ["A1", "A2"]), n) for name, (text, n) in faults.items()}
    failures = 0
    for name, (wrong, expected) in found.items():
        if len(wrong) != expected:
            failures += 1
            print(f"{name}: expected {expected} complaints, got {wrong}", file=sys.stderr)
    print(f"check_tables: {len(found) - failures} of {len(found)} cases as expected")
    return 1 if failures else 0


def main() -> int:
    if sys.argv[1:] == ["--test"]:
        return self_test()
    defined = tests_of([file.read_text(encoding="utf-8") for file in sorted((ROOT / "tests").rglob("*.cpp"))])
    supervision = SUPERVISION.read_text(encoding="utf-8")
    faults = FAULTS.read_text(encoding="utf-8")
    wrong = [(SUPERVISION, line) for line in complaints(supervision, defined, CASES, ROWS_AT_LEAST)]
    wrong += [(FAULTS, line) for line in fault_complaints(faults, defined, FAULT_IDS)]
    for table, line in wrong:
        print(f"{table.relative_to(ROOT)}: {line}", file=sys.stderr)
    print(
        f"check_tables: {len(rows_of(supervision))} rows on supervision, {len(CASES)} cases of OTP, "
        f"{len(faults_of(faults))} faults ({sum('Open: ' in cells[-1] for cells in faults_of(faults))} open), "
        f"{len(wrong)} complaints"
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
