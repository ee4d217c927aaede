#!/usr/bin/env python3
"""Keeps the floors: a module includes its own files and those of modules on strictly lower floors, nothing else.

    check_floors.py [ROOT]     checks every #include in ROOT/include/backstage and ROOT/src (default: this tree)
    check_floors.py --test     proves that it finds what it should, and nothing else

Counted are `#include "backstage/<module>/..."` and the private `#include "<module>/..."` of src/. Files that belong to
no module (include/backstage/*.hpp) are the roof: they may include all, and no module may include them, except fwd.hpp.
Exit: 0 clean, 1 something on the wrong floor.
"""

import pathlib
import re
import sys
import tempfile

# The plan of the house, lowest floor first. Modules on one floor do not see each other.
FLOORS = [
    ["base"],
    ["exec", "wire", "metrics", "dashboard"],
    ["mailbox", "net", "files"],
    ["scope", "supervise", "http", "config"],
    ["actor"],
    ["application", "channel", "pool"],
    ["backserver", "sim", "mqtt", "cluster", "flow", "durable", "later"],
    ["launcher", "cli"],
]
FLOOR_OF = {module: floor for floor, modules in enumerate(FLOORS) for module in modules}
OPEN_ROOF = {"fwd.hpp"}  # declarations only, belongs to no floor
INCLUDE = re.compile(r'^\s*#\s*include\s*["<]([^">]+)[">]')
SOURCES = {".hpp", ".cpp", ".h", ".ipp"}


def module_of(path: pathlib.PurePath) -> str | None:
    """The module of a file under include/backstage or src; None for the roof."""
    return path.parts[0] if len(path.parts) > 1 else None


def complaint(module: str, target: str, private: bool) -> str | None:
    """What is wrong with `module` including `target`, or None."""
    parts = pathlib.PurePosixPath(target).parts
    if parts[0] == "backstage":
        parts = parts[1:]
        if len(parts) == 1:
            if parts[0] in OPEN_ROOF:
                return None
            return f"'{target}' is above every module; include the modules that are used"
    elif not (private and len(parts) > 1 and parts[0] in FLOOR_OF):
        return None
    other = parts[0]
    if other == module:
        return None
    if other not in FLOOR_OF:
        return f"module '{other}' stands on no floor; add it to FLOORS in tools/check_floors.py"
    here, there = FLOOR_OF[module], FLOOR_OF[other]
    if there < here:
        return None
    where = "the same floor" if there == here else f"floor {there}, above"
    return (f"{module} (floor {here}) includes '{target}' of {where}; only lower floors are seen: "
            "let the higher one look down, or move the shared part down")


def check(root: pathlib.Path) -> tuple[list[str], int]:
    """All complaints, and the number of files looked at."""
    found: list[str] = []
    files = 0
    for top in (root / "include" / "backstage", root / "src"):
        for path in sorted(top.rglob("*")):
            if path.suffix not in SOURCES:
                continue
            files += 1
            module = module_of(path.relative_to(top))
            if module is None:
                continue
            place = path.relative_to(root)
            if module not in FLOOR_OF:
                found.append(f"{place}: module '{module}' stands on no floor; add it to FLOORS in tools/check_floors.py")
                continue
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
                match = INCLUDE.match(line)
                wrong = match and complaint(module, match.group(1), top.name == "src")
                if wrong:
                    found.append(f"{place}:{number}: {wrong}")
    return found, files


def self_test() -> int:
    good = {
        "include/backstage/base/result.hpp": '#include "backstage/base/error.hpp"\n#include <vector>\n',
        "include/backstage/exec/task.hpp": '#include "backstage/base/result.hpp"\n#include "backstage/fwd.hpp"\n',
        "src/actor/cell.cpp": '#include "actor/cell.hpp"\n#include "mailbox/mpsc.hpp"\n#include "sys/types.h"\n',
        "src/http/server.cpp": '#include <boost/beast.hpp>\n#include "backstage/net/network.hpp"\n',
        "include/backstage/backstage.hpp": '#include "backstage/launcher/launcher.hpp"\n',
    }
    bad = {
        "include/backstage/base/log.hpp": ('#include "backstage/exec/environment.hpp"\n', "floor 1, above"),
        "src/mailbox/queue.cpp": ('\n  #  include "backstage/net/tcp.hpp"\n', "the same floor"),
        "src/exec/scheduler.cpp": ('#include "actor/cell.hpp"\n', "floor 4, above"),
        "src/files/watch.cpp": ('#include <backstage/launcher/launcher.hpp>\n', "floor 7, above"),
        "src/scope/tree.cpp": ('#include "backstage/backstage.hpp"\n', "above every module"),
        "src/attic/junk.cpp": ("", "stands on no floor"),
        "src/wire/json.cpp": ('#include "backstage/attic/junk.hpp"\n', "stands on no floor"),
    }
    failures = []

    def look(files: dict[str, str]) -> list[str]:
        with tempfile.TemporaryDirectory() as folder:
            for name, text in files.items():
                path = pathlib.Path(folder) / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
            return check(pathlib.Path(folder))[0]

    if wrong := look(good):
        failures.append(f"a clean tree was refused: {wrong}")
    for name, (text, expected) in bad.items():
        found = look({**good, name: text})
        if len(found) != 1 or expected not in found[0] or name not in found[0]:
            failures.append(f"{name}: expected one complaint with '{expected}', got {found}")
    for failure in failures:
        print(failure, file=sys.stderr)
    print(f"check_floors --test: {1 + len(bad) - len(failures)} of {1 + len(bad)} cases as expected")
    return 1 if failures else 0


def main() -> int:
    if "--test" in sys.argv:
        return self_test()
    root = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parent.parent
    found, files = check(root)
    for line in found:
        print(line, file=sys.stderr)
    if files == 0:
        print(f"{root}: no sources under include/backstage and src; is this the root of the tree?", file=sys.stderr)
        return 1
    print(f"check_floors: {files} files, {len(found)} on the wrong floor")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
