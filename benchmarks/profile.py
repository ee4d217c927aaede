#!/usr/bin/env python3
"""Where each nanosecond of a message goes, in what can be counted: docs/explanation/speed.md is made of its output.

    benchmarks/profile.py                      instructions, loads and stores, atomics, allocations and cache lines
                                               of ping-pong, counting, spawning; bytes of an actor by field
    benchmarks/profile.py ask skynet           these workloads only
    benchmarks/profile.py --layout             the fields only

Needs valgrind (./dev setup bench), binutils, and clang++-19 for the fields. Nothing is timed, so that the machine need
not be quiet. Every figure is the difference between two runs, with N and with 2 N operations, divided by the operations
between them: what starting, warming up and ending cost cancels out.

Instructions, loads and stores, and calls: callgrind. Atomics: how often the instructions with a lock prefix, and exchanges with memory, ran.
Allocations: calls of malloc; and of the pool's slow path, which takes whole magazines. Cache lines: the lines of 64 bytes,
off the stacks, that lackey sees touched at least once an operation, and those that are written; where a backlog builds up,
each message has lines of its own besides.
"""
import argparse
import collections
import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)

# name: (arguments for so many operations, operations, operations of the short trace)
WORKLOADS = {
    "pingpong": (lambda n: ["pingpong", "1", str(n)], 20_000, 2_000),
    "counting": (lambda n: ["counting", "1", str(n)], 20_000, 2_000),
    "create": (lambda n: ["create", "1", str(n)], 10_000, 1_000),
    "ask": (lambda n: ["ask", "1", str(n)], 20_000, 2_000),
    "ring": (lambda n: ["ring", "1", "503", str(n), "1"], 20_000, 2_000),
    "bounded": (lambda n: ["bounded", "1", "1", str(n)], 20_000, 2_000),
    "skynet": (lambda n: ["skynet", "1", str(n)], 0, 0),
}
DEFAULT = ["pingpong", "counting", "create"]
ALLOCATORS = re.compile(r"^(malloc|calloc|operator new.*|aligned_alloc|posix_memalign)$")


def valgrind(tool, options, command):
    done = subprocess.run(["valgrind", "-q", f"--tool={tool}", *options, *command], stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"profile: {' '.join(command)} under {tool} ended with {done.returncode}:\n{done.stderr[-500:]}")
    return done.stderr


class Counts:
    """What one run executed: by function, by instruction, and calls by callee."""

    def __init__(self):
        self.self_cost = collections.Counter()
        self.accesses = collections.Counter()  # of memory: loads and stores
        self.at = collections.Counter()
        self.calls = collections.Counter()

    def read(self, file):
        names, fn, callee, skip = {}, "", "", False
        position = 0

        def name_of(text):
            number, _, name = text.partition(") ")
            if name:
                names[number] = name.strip()
            return names.get(number.rstrip(")"), names.get(number, text))

        for line in file:
            if line.startswith("fn="):
                fn = name_of(line[3:].strip())
            elif line.startswith("cfn="):
                callee = name_of(line[4:].strip())
            elif line.startswith("calls="):
                self.calls[callee] += int(line[6:].split()[0])
                skip = True  # the next line is what the callee cost
            elif line[:1] in "0123456789+-*":
                words = line.split()
                if words[0].startswith("0x"):
                    position = int(words[0], 16)
                elif words[0][0] in "+-":
                    position += int(words[0], 16) if "x" in words[0] else int(words[0])
                if skip:
                    skip = False
                    continue
                cost = int(words[2]) if len(words) > 2 else 0
                self.self_cost[fn] += cost
                self.accesses[fn] += sum(int(word) for word in words[3:5])
                self.at[position] += cost
        return self

    def minus(self, other):
        for mine, theirs in ((self.self_cost, other.self_cost), (self.accesses, other.accesses), (self.at, other.at), (self.calls, other.calls)):
            mine.subtract(theirs)
        return self


def count(command):
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "out")
        # Positions are absolute: compression would make them relative to the line before. The simulated caches: for the sake of
        # Dr and Dw, the loads and stores, which stand behind the instructions (zeros at the end of a line are left out).
        valgrind("callgrind", ["--dump-instr=yes", "--dump-line=yes", "--compress-pos=no", "--cache-sim=yes",
                               f"--callgrind-out-file={out}"], command)
        with open(out, encoding="utf-8", errors="replace") as file:
            return Counts().read(file)


def locked_instructions(binary):
    """Address -> what it is, of the instructions that lock a cache line."""
    listing = subprocess.run(["objdump", "-d", "--no-show-raw-insn", binary], stdout=subprocess.PIPE, text=True, check=True)
    found = {}
    for line in listing.stdout.splitlines():
        match = re.match(r"\s*([0-9a-f]+):\s+(.*)", line)
        if match and (match[2].startswith("lock ") or (match[2].startswith("xchg ") and "(" in match[2])):
            found[int(match[1], 16)] = match[2].replace("lock ", "").split()[0]
    return found


def instructions(binary, pattern):
    """Addresses, as valgrind loads the binary, of the instructions whose text matches."""
    header = subprocess.run(["readelf", "-h", binary], stdout=subprocess.PIPE, text=True, check=True).stdout
    base = 0x108000 if "DYN" in header else 0
    listing = subprocess.run(["objdump", "-d", "--no-show-raw-insn", binary], stdout=subprocess.PIPE, text=True, check=True)
    matches = re.finditer(rf"^\s*([0-9a-f]+):\s+(?:{pattern})\b", listing.stdout, re.MULTILINE)
    return {base + int(match[1], 16) for match in matches}


def trace(command, pushes):
    """How often each line of 64 bytes was touched, how often written, and the pages that are stacks."""
    process = subprocess.Popen(["valgrind", "-q", "--tool=lackey", "--trace-mem=yes", *command],
                               stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace")
    touched, written, stacks, pushing = collections.Counter(), collections.Counter(), set(), False
    for line in process.stderr:
        if line.startswith("I "):
            pushing = int(line[3:].split(",")[0], 16) in pushes
        elif line[:1] == " " and line[1:2] in "LSM":
            at = int(line[3:].split(",")[0], 16) >> 6
            touched[at] += 1
            if line[1] != "L":
                written[at] += 1
                if pushing:
                    stacks.add(at >> 6)
    if process.wait() != 0:
        sys.exit(f"profile: {' '.join(command)} under lackey ended with {process.returncode}")
    return touched, written, stacks


def lines_touched(binary, arguments, operations):
    """Lines off the stacks that are touched, and written, at least once an operation: (touched, written)."""
    pushes = instructions(binary, "push|call")
    touched, written, stacks = trace([binary, *arguments(operations)], pushes)
    more_touched, more_written, more_stacks = trace([binary, *arguments(2 * operations)], pushes)
    stacks |= more_stacks
    return tuple(sum(1 for at, times in more.items() if times - less[at] >= operations and at >> 6 not in stacks)
                 for less, more in ((touched, more_touched), (written, more_written)))


def demangled(name):
    name = re.sub(r"'\d+$", "", name)
    name = name.replace("backstage::v0::", "").replace("(anonymous namespace)::", "")
    return name if len(name) <= 90 else name[:87] + "..."


def profile(binary, name):
    arguments, n, short = WORKLOADS[name]
    if n == 0:
        n, twice, apart = 1_000, 10_000, 11 * 900  # a power of ten each, warmed up with a tenth
    else:
        twice, apart = 2 * n, n + n // 10
    grown = count([binary, *arguments(twice)]).minus(count([binary, *arguments(n)]))
    locked = locked_instructions(binary)
    total = sum(grown.self_cost.values()) / apart
    atomics = collections.Counter()
    for at, times in grown.at.items():
        if at in locked:
            atomics[locked[at]] += times / apart
    accesses = sum(grown.accesses.values()) / apart
    print(f"### {name}: {total:.0f} instructions an operation, {accesses:.0f} loads and stores\n")
    print("| function | instructions | share | loads and stores |\n|---|---|---|---|")
    for function, cost in grown.self_cost.most_common(14):
        if cost / apart >= 0.5:
            print(f"| `{demangled(function)}` | {cost / apart:.1f} | {cost / apart / total:.0%} | "
                  f"{grown.accesses[function] / apart:.1f} |")
    heap = sum(times for function, times in grown.calls.items() if ALLOCATORS.match(function)) / apart
    slow = sum(times for function, times in grown.calls.items() if "allocate_slowly" in function) / apart
    print(f"\nAtomics with a lock an operation: {sum(atomics.values()):.2f} "
          f"({', '.join(f'{kind} {times:.2f}' for kind, times in atomics.most_common() if times >= 0.005) or 'none'}).")
    print(f"Calls of the heap an operation: {heap:.4f}; of the pool's slow path: {slow:.4f}.")
    if short:
        touched, written = lines_touched(binary, arguments, short)
        print(f"Cache lines off the stacks touched at least once an operation: {touched}, of which {written} are written.")
    print()


def layout():
    """The fields of what an actor is made of, with their offsets, as clang lays them out."""
    source = ('#include "backstage/actor/actor.hpp"\n#include "backstage/actor/detail/cell.hpp"\n'
              "auto a = sizeof(backstage::detail::Cell); auto b = sizeof(backstage::detail::Body);\n"
              "auto c = sizeof(backstage::detail::CellRest);\n")
    with tempfile.NamedTemporaryFile("w", suffix=".cpp") as file:
        file.write(source)
        file.flush()
        done = subprocess.run(["clang++-19", "-std=c++20", "-fsyntax-only", "-Xclang", "-fdump-record-layouts", "-I",
                               os.path.join(ROOT, "include"), file.name], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True, check=False)
    if done.returncode != 0:
        sys.exit(done.stderr)
    wanted = {"class backstage::detail::Cell": "Cell", "struct backstage::detail::Cell": "Cell",
              "struct backstage::detail::Body": "Body", "class backstage::detail::Body": "Body",
              "struct backstage::detail::CellRest": "The rest of a cell"}
    for record in done.stdout.split("*** Dumping AST Record Layout"):
        lines = [line for line in record.strip().splitlines() if "|" in line]
        title = lines[0].split("|")[1].strip() if lines else ""
        if title not in wanted:
            continue
        size = re.search(r"sizeof=(\d+)", record)
        print(f"### {wanted[title]}: {size[1]} bytes\n\n| offset | field |\n|---|---|")
        for line in lines[1:]:
            offset, text = line.split("|", 1)
            indent = len(text) - len(text.lstrip())
            if offset.strip() and indent == 3:
                print(f"| {offset.strip()} | `{text.strip().replace('backstage::detail::', '').replace('|', '/')}` |")
        print()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workload", nargs="*", help=f"of {', '.join(WORKLOADS)}")
    parser.add_argument("--layout", action="store_true", help="print the fields of an actor only")
    parser.add_argument("--binary", default=os.path.join(ROOT, "build/release/bin/backstage-bench"))
    options = parser.parse_args()
    for name in options.workload:
        if name not in WORKLOADS:
            parser.error(f"no workload '{name}'; there are {', '.join(WORKLOADS)}")
    if not options.layout:
        for name in options.workload or DEFAULT:
            profile(options.binary, name)
    if options.layout or not options.workload:
        layout()
    return 0


if __name__ == "__main__":
    sys.exit(main())
