#!/usr/bin/env python3
"""Every error that Backstage can raise has been raised: holds the places in the sources where an Error is made against
the record that a run of the tests left (tests/support/errors_raised.cpp).

    check_errors_raised.py RECORD     of a whole run: build/dev/errors-raised.txt
    check_errors_raised.py --list     the places, and the texts by which they are told apart
    check_errors_raised.py --test     proves that it can complain

A place is one construction `Error(...)` in include/ or src/, or one text that is handed to a function which makes the
Error (MAKERS). It counts as raised when a recorded error has its code (where the place says one) and holds its string
literals in their order. Places without any literal stand in THROUGH (their text is another place's, or the system's) or in
BY_TEST (raised without a text: the test that does it must exist). So does each value of Errc have to be raised.

Exit: 0 all raised, 1 not.
"""

import pathlib
import re
import sys
from dataclasses import dataclass, field

ROOT = pathlib.Path(__file__).resolve().parent.parent

# Statements that hand a text on to whoever makes the Error of it: file -> beginnings.
MAKERS = {
    "src/actor/spawning.cpp": [r"\brefuse\(\"", r"\bwrong =\s"],
    "src/actor/post.cpp": [r"\breturn who \+", r"\breturn \"the "],
    "src/http/router.cpp": [r"\bthrow refuse\("],
    "src/actor/waiting.cpp": [r"\btext \+?= "],
    "src/base/log.cpp": [r"\bwhy = "],
}

# Places whose text comes from elsewhere: why they are none of their own.
THROUGH = {
    "include/backstage/base/need.hpp": "what the user says",
    "include/backstage/actor/detail/descriptors.hpp": "reason_of_refusal, whose texts are places of their own",
    "include/backstage/actor/send_wait.hpp": "reason_of_refusal",
    "include/backstage/actor/ask.hpp": "reason_of_refusal",
    "src/actor/post.cpp": "reason_of_refusal",
    "src/actor/waiting.cpp": "the texts of timeouts and circles are places of their own",
    "src/actor/failure.cpp": "what the user's code threw",
    "src/actor/supervision.cpp": "the reason for giving up, told in the log as well",
    "src/actor/monitoring.cpp": "the end of another actor, with its own error beneath",
    "src/actor/spawning.cpp": "check_policy and check_targets, whose texts are places of their own",
    "src/files/os_error.cpp": "the system's own word for it",
    "src/files/memory_files.cpp": "as the system's",
    "src/files/posix_files.cpp": "the same error, marked",
    "src/http/client.cpp": "the same error, marked",
    "src/base/log.cpp": "its texts are places of their own",
    "src/net/asio_network.cpp": "the system's own word for it",
    "src/http/router.cpp": "its texts are places of their own",
    "src/application/apps_impl.cpp": "the error of an app",
    "src/actor/life.cpp": "the code of a failure whose text no memory was left for",
    "src/actor/links.cpp": "the end of another actor, with its own error beneath",
    "src/actor/subscriptions.cpp": "what became of the resource, told in the log as well",
}

# Raised by their code alone, or thrown as something else than an Error: the test that does it.
BY_TEST = {
    ("src/actor/inspection_slots.cpp", "Error(Errc::gone)"):
        "M3.without_memory_an_inspection_is_answered_and_says_what_is_missing",
    ("src/actor/inspection_slots.cpp", "Error(Errc::unavailable)"):
        "M3.without_memory_an_inspection_is_answered_and_says_what_is_missing",
    ("src/actor/monitoring.cpp", "Error(Errc::gone)"): "Monitors.L9_a_target_that_is_gone_already_is_down_at_once",
    ("src/actor/monitoring.cpp", "Error(Errc::failed)"): "Sweep.C6_whichever_allocation_of_an_operation_fails_all_goes_on_and_all_memory_comes_back",
    ("src/actor/runtime.cpp", "Error(Errc::cancelled)"): "Monitors.L9_from_outside_a_cancelled_monitor_hears_nothing",
    ("src/actor/retries.cpp", "Error(Errc::failed)"): "L2.a_message_in_quarantine_is_told_and_not_charged",
    ("src/actor/core.cpp", "Error(Errc::failed)"): "L3.whatever_escapes_a_handler_is_told_once_with_its_type_and_text",
    ("src/http/server.cpp", "Error(Errc::unavailable)"): "Server.says_where_it_cannot_listen",
    ("include/backstage/base/result.hpp", "BadResult"): "Result.value_of_an_error_throws_it_as_bad_result",
    ("include/backstage/base/function.hpp", "std::bad_function_call"): "MoveFunction.an_empty_one_throws_when_called",
    ("src/sim/world.cpp", "std::runtime_error"): "W3.an_endless_exchange_is_an_error_and_not_a_hang",
}

DEFINED = re.compile(r"\bTEST(?:_F|_P)?\(\s*(\w+)\s*,\s*(\w+)\s*\)")
CONSTRUCTION = re.compile(r"(?<![\w:~])Error\s*[({]")
LITERAL = re.compile(r'R"\((.*?)\)"|"((?:[^"\\]|\\.)*)"', re.S)
CODE = re.compile(r"\bErrc::(\w+)")


@dataclass
class Place:
    file: str
    line: int
    source: str
    code: str | None
    literals: list[str] = field(default_factory=list)

    def where(self) -> str:
        return f"{self.file}:{self.line}: {' '.join(self.source.split())[:140]}"


def without_comments(text: str) -> str:
    """Comments become blanks, so that lines keep their numbers; strings stay."""
    token = re.compile(r'"(?:[^"\\\n]|\\.)*"|//[^\n]*|/\*.*?\*/', re.S)
    return token.sub(lambda m: m[0] if m[0][0] == '"' else re.sub(r"[^\n]", " ", m[0]), text)


def balanced(text: str, at: int) -> int:
    """The end of what opens at `at`; brackets in strings do not count."""
    depth = 0
    quoted = False
    while at < len(text):
        c = text[at]
        if quoted:
            if c == "\\":
                at += 1
            elif c == '"':
                quoted = False
        elif c == '"':
            quoted = True
        elif c in "([{":
            depth += 1
        elif c in ")]}":
            depth -= 1
            if depth == 0:
                return at + 1
        at += 1
    return len(text)


def literals_of(source: str) -> list[str]:
    """Neighbours are one, as for the compiler; what is shorter than three characters tells nothing apart."""
    joined = re.sub(r'"\s*\n\s*"', "", source)
    texts = [m[1] if m[1] is not None else m[2].replace('\\"', '"').replace("\\n", " ").replace("\\\\", "\\")
             for m in LITERAL.finditer(joined)]
    # Of alternatives (a ? "x" : "y") only one is in each error.
    if "?" in re.sub(r'"(?:[^"\\]|\\.)*"', '""', joined):
        return texts[:1] if texts else []
    return [text for text in texts if len(text) > 2]


def places_of(file: str, text: str) -> list[Place]:
    text = without_comments(text)
    places: list[Place] = []
    for match in CONSTRUCTION.finditer(text):
        source = text[match.start() : balanced(text, match.end() - 1)]
        if re.match(r"Error\s*\(\s*(const )?(std::string_view|char\*|Error|Errc code)", source):
            continue  # a declaration
        if re.match(r"Error\s*[({]\s*(std::move\(|\w+\)$)", source) and '"' not in source:
            continue  # a copy
        head = text[max(0, match.start() - 60) : match.start()]
        if re.search(r"(\bclass|\bstruct|~|\bexplicit)\s*$", head):
            continue
        code = CODE.search(source)
        places.append(Place(file, text.count("\n", 0, match.start()) + 1, source,
                            code[1] if code else None, literals_of(source)))
    for pattern in MAKERS.get(file, []):
        for match in re.finditer(pattern, text):
            source = text[match.start() : text.index(";", match.start())]
            literals = literals_of(source)
            if literals:
                places.append(Place(file, text.count("\n", 0, match.start()) + 1, source, None, literals))
    return places


def all_places() -> list[Place]:
    places: list[Place] = []
    for folder in ("include", "src"):
        for path in sorted((ROOT / folder).rglob("*.?pp")):
            file = str(path.relative_to(ROOT))
            if not file.endswith(("base/error.hpp", "base/error.cpp")):
                places += places_of(file, path.read_text(encoding="utf-8"))
    return places


def is_raised(place: Place, raised: list[tuple[str, str]]) -> bool:
    wanted = re.compile(".*".join(re.escape(one.strip()) for one in place.literals), re.S)
    return any((place.code is None or place.code == code) and wanted.search(text) for code, text in raised)


def complaints(places: list[Place], raised: list[tuple[str, str]], codes: list[str], tests: set[str]) -> list[str]:
    wrong: list[str] = []
    for place in places:
        short = re.sub(r"\s+", " ", place.source)
        if place.literals:
            if not is_raised(place, raised):
                wrong.append(f"raised in no test: {place.where()}")
        elif (place.file, short) not in BY_TEST and place.file not in THROUGH:
            wrong.append(f"no text of its own, and neither in THROUGH nor in BY_TEST: {place.where()}")
    seen = {code for code, _ in raised}
    wrong += [f"Errc::{code} is raised in no test" for code in codes if code not in seen]
    wrong += [f"there is no test {test}" for test in sorted(set(BY_TEST.values())) if test not in tests]
    return wrong


def errc_values() -> list[str]:
    header = without_comments((ROOT / "include/backstage/base/error.hpp").read_text(encoding="utf-8"))
    body = re.search(r"enum class Errc[^{]*\{([^}]*)\}", header)
    assert body is not None
    return re.findall(r"\w+", body[1])


def tests() -> set[str]:
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("*.cpp")]
    return {f"{suite}.{name}" for text in sources for suite, name in DEFINED.findall(text)}


def read_record(path: str) -> list[tuple[str, str]]:
    lines = set(pathlib.Path(path).read_text(encoding="utf-8", errors="replace").splitlines())
    return [tuple(line.split("\t", 1)) for line in sorted(lines) if "\t" in line]


def self_test() -> int:
    text = '''
      // Error(Errc::gone, "in a comment")
      return Error(Errc::full, "the box " + name + " is full: " + why);
      throw Need::fail(Error(Errc::invalid,
                             "one text "
                             "over two lines"));
      Error(std::string_view text);
      return Error(code, text);
      return Error(Errc::invalid, "not " + text + R"( like {"a":7})");
    '''
    places = places_of("src/x.cpp", text)
    good = [("full", "the box b is full: x"), ("invalid", "one text over two lines"), ("invalid", 'not x like {"a":7}')]
    cases = {
        "places": (len(places), 4),
        "all raised but the one without a text": (len(complaints(places, good, ["full", "invalid"], set(BY_TEST.values()))), 1),
        "a text that was not": (len(complaints(places, good[:1], ["full"], set(BY_TEST.values()))), 3),
        "another code": (len(complaints(places, [("gone", good[0][1]), *good[1:]], ["gone"], set(BY_TEST.values()))), 2),
        "a code that was not": (len(complaints(places, good, ["full", "cycle"], set(BY_TEST.values()))), 2),
        "a test that is none": (len(complaints([], [], [], set())), len(set(BY_TEST.values()))),
    }
    failures = 0
    for name, (got, expected) in cases.items():
        if got != expected:
            failures += 1
            print(f"{name}: expected {expected}, got {got}", file=sys.stderr)
    print(f"check_errors_raised: {len(cases) - failures} of {len(cases)} cases as expected")
    return 1 if failures else 0


def main() -> int:
    if sys.argv[1:] == ["--test"]:
        return self_test()
    places = all_places()
    if sys.argv[1:] == ["--list"]:
        for place in places:
            print(f"{place.where()}\n    {place.code} {place.literals}")
        return 0
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 1
    raised = read_record(sys.argv[1])
    wrong = complaints(places, raised, errc_values(), tests())
    for line in wrong:
        print(line, file=sys.stderr)
    print(f"check_errors_raised: {len(places)} places where errors are made, {len(errc_values())} codes, "
          f"{len(raised)} different errors raised, {len(wrong)} complaints")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
