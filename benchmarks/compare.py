#!/usr/bin/env python3
"""Times backstage-bench beside other actor systems and prints medians, ratios and how they stand to our goals.

    ./dev bench                        all workloads, beside every peer that could be built; most of an hour
    ./dev bench --quick                smaller sizes, and only the peers that a goal names; minutes
    ./dev bench pingpong counting.2    these workloads; --list names them
    ./dev bench --peer other=COMMAND   one more program of the same contract (benchmarks/peers/README.md)
    benchmarks/compare.py --table FILE...   the table of earlier runs again, theirs put together; nothing is run

A ratio is that of the medians, ours to the peer's; in brackets stand the least and the greatest within one round, which
say how much the machine swayed. Runs during which others took more than a tenth of the machine are left out where
three are left. The table goes to standard output, everything that was measured to build/bench.json.
"""
import argparse
import datetime
import json
import os
import platform
import statistics
import subprocess
import sys

import contract
import harness

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
PEERS = ("tokio", "go", "erlang", "caf")


def number(value):
    for size, unit in ((1e6, "M"), (1e3, "k")):
        if abs(value) >= size * 10 or (unit == "M" and abs(value) >= size):
            return f"{value / size:.2f}{unit}"
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def spread(middle, values, form):
    return f"{form(middle)} [{form(min(values))}–{form(max(values))}]"


def two_digits(value):
    return f"{value:.2f}"


class Standing:
    """One goal of one row, with what was measured."""

    def __init__(self, goal, series):
        self.goal, ours = goal, series["ours"]
        self.value, self.text = None, "not measured"
        self.spoilt = any(series[name].is_spoilt() for name in ("ours", goal.against) if name in series)
        if ours.median(goal.measure) is None:
            return
        if not goal.against:
            self.value = ours.median(goal.measure)
            self.text = spread(self.value, ours.values(goal.measure), number)
            return
        theirs = series.get(goal.against)
        if theirs is None or not theirs.median(goal.measure):
            self.text = f"no {goal.against} here"
            return
        self.value = ours.median(goal.measure) / theirs.median(goal.measure)
        within = harness.ratios(ours, theirs, goal.measure) or [self.value]
        self.text = spread(self.value, within, two_digits)

    def describe(self):
        goal = self.goal
        what = {"rate": "rate"}.get(goal.measure, goal.measure)
        return what + (f" to {goal.against}" if goal.against else "")

    def bar(self, bar):
        if bar is None:
            return ""
        return ("≤ " if self.goal.lower else "≥ ") + (f"{bar:g}x" if self.goal.against else number(bar))

    def verdict(self):
        return "" if self.value is None else self.goal.verdict(self.value)


def print_goals(measured):
    print("| workload | measure | ours [min–max] | at least | aim | |")
    print("|---|---|---|---|---|---|")
    counts, spoilt = {}, 0
    for row, series in measured:
        for standing in (Standing(goal, series) for goal in row.goals):
            verdict = standing.verdict()
            counts[verdict] = counts.get(verdict, 0) + 1
            mark = f"**{verdict}**" if verdict == "short" else verdict
            if standing.spoilt and verdict:
                spoilt += 1
                mark += ", machine busy"
            print(f"| {row.key} | {standing.describe()} | {standing.text} | {standing.bar(standing.goal.least)} "
                  f"| {standing.bar(standing.goal.aim)} | {mark} |")
    print("\n" + ", ".join(f"{count} {verdict or 'not measured'}" for verdict, count in sorted(counts.items())) + "\n")
    if spoilt:
        print(f"{spoilt} of these say little: others took more than {harness.SPOILT:.0%} of the machine meanwhile.\n")


def print_figures(measured):
    print("| workload | program | rate/s: median [min–max] | ours to it | extra, of the last run | peak MiB | others |")
    print("|---|---|---|---|---|---|---|")
    for row, series in measured:
        for name, one in series.items():
            if not one.runs:
                print(f"| {row.key} | {name} | {one.failure.replace('|', '/')} | | | | |")
                continue
            ratio = ""
            if name != "ours" and series["ours"].runs:
                middle = series["ours"].median() / one.median()
                ratio = spread(middle, harness.ratios(series["ours"], one) or [middle], two_digits)
            foreign = statistics.median(run.foreign for run in one.kept())
            peak = one.median("peak_mib")
            print(f"| {row.key} | {name} | {spread(one.median(), one.values(), number)} | {ratio} "
                  f"| {one.runs[-1].extra} | {peak:.0f} | {foreign:.0%} |")


# What a peer's speed depends on besides the machine.
COMPILERS = {"tokio": ["rustc", "--version"], "go": ["go", "version"], "caf": ["g++", "--version"]}


def first_line_of(command):
    try:
        return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                              check=False).stdout.split("\n", 1)[0].strip()
    except OSError:
        return ""


def processor():
    """As "AMD EPYC, family 25, model 17": hypervisors often leave the rest of the name away."""
    found = {}
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        for line in file:
            name, _, value = line.partition(":")
            found.setdefault(name.strip(), value.strip())
    numbers = [f"{name.removeprefix('cpu ')} {found[name]}" for name in ("cpu family", "model") if name in found]
    return ", ".join([found.get("model name", ""), *numbers])


def machine():
    commit = subprocess.run(["git", "-C", ROOT, "describe", "--always", "--dirty"], stdout=subprocess.PIPE,
                            stderr=subprocess.DEVNULL, text=True, check=False).stdout.strip()
    return {"processors": harness.CORES, "model": processor(),
            "compilers": {peer: first_line_of(command) for peer, command in COMPILERS.items()},
            "kernel": platform.release(), "commit": commit,
            "when": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")}


def programs_for(row, options, peers):
    words = row.arguments(options.quick)
    programs = [("ours", options.ours, words)]
    if row.alone:
        programs.append((contract.OURS_ALONE, options.ours, [words[0], "1", *words[2:]]))
    if words[0] in contract.OURS_ONLY:
        return programs
    wanted = {goal.against for goal in row.goals} | {"tokio"}
    programs += [(name, command, words) for name, command in peers.items()
                 if not options.quick or name in wanted or name in options.named]
    return programs


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workload", nargs="*", help="keys or names of workloads; all when left out")
    parser.add_argument("--quick", action="store_true", help="smaller sizes, and only the peers that a goal names")
    parser.add_argument("--list", action="store_true", help="name the workloads and end")
    parser.add_argument("--runs", type=int, default=5, help="rounds (default 5)")
    parser.add_argument("--ours", default=os.path.join(ROOT, "build/release/bin/backstage-bench"), metavar="COMMAND")
    parser.add_argument("--peers", default=",".join(PEERS), help="which of the built ones; '' for none")
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=COMMAND")
    parser.add_argument("--built", default=os.path.join(ROOT, "build/peers"), help="where the peers were built")
    parser.add_argument("--limit", type=float, default=60, help="seconds for one run (default 60)")
    parser.add_argument("--wait", type=float, default=20, help="wait so long for a quiet machine (default 20)")
    parser.add_argument("--json", default=os.path.join(ROOT, "build/bench.json"), metavar="FILE")
    parser.add_argument("--table", nargs="+", metavar="FILE", help="print the table of these files, and run nothing")
    options = parser.parse_args()
    if any("=" not in peer for peer in options.peer):
        parser.error("--peer wants NAME=COMMAND")
    if options.runs < 1:
        parser.error("--runs wants 1 or more")
    unknown = [name for name in options.peers.split(",") if name and name not in PEERS]
    if unknown:
        parser.error(f"--peers: no peer '{unknown[0]}'; there are {', '.join(PEERS)}")
    options.named = [peer.split("=", 1)[0] for peer in options.peer]
    try:
        options.rows = contract.select(options.workload)
    except KeyError as error:
        parser.error(f"no workload {error}; --list names them")
    return options


def measure(options):
    peers = {name: os.path.join(options.built, name) for name in options.peers.split(",")
             if name and os.path.exists(os.path.join(options.built, name))}
    peers |= dict(peer.split("=", 1) for peer in options.peer)

    terminal = sys.stderr.isatty()
    measured = []
    for at, row in enumerate(options.rows, 1):
        def progress(text, row=row, at=at):
            print(f"{chr(13)}{chr(27)}[K" if terminal else "", f"       [{at}/{len(options.rows)}] {row.key}, {text}",
                  sep="", end="" if terminal else "\n", file=sys.stderr, flush=True)
        programs = programs_for(row, options, peers)
        measured.append((row, harness.alternate(programs, options.runs, options.limit, options.wait,
                                                progress)))
    if terminal:
        print(f"{chr(13)}{chr(27)}[K", end="", file=sys.stderr)

    return measured


def save(file, options, measured):
    os.makedirs(os.path.dirname(os.path.abspath(file)), exist_ok=True)
    rows = []
    for row, series in measured:
        standings = [Standing(goal, series) for goal in row.goals]
        rows.append({"key": row.key, "programs": [one.as_json() for one in series.values()],
                     "goals": [{"measure": one.describe(), "value": one.value, "at_least": one.goal.least,
                                "aim": one.goal.aim, "verdict": one.verdict()} for one in standings]})
    with open(file, "w", encoding="utf-8") as out:
        json.dump({"machine": machine(), "quick": options.quick, "rows": rows}, out, indent=1)


def load(files):
    """What save() wrote, put together in the order of the table: (machines, quick, measured)."""
    machines, quick, by_key = [], False, {}
    for name in files:
        with open(name, encoding="utf-8") as file:
            data = json.load(file)
        machines.append(data["machine"])
        quick = quick or data["quick"]
        for row in data["rows"]:
            series = by_key.setdefault(row["key"], {})
            for one in row["programs"]:
                series.setdefault(one["program"], harness.Series(one["program"], one["words"])).add_json(one)
    return machines, quick, [(row, by_key[row.key]) for row in contract.ROWS if row.key in by_key]


def report(here, quick, measured):
    rounds = max(len(one.runs) for _, series in measured for one in series.values())
    print(f"{here['when']}, {here['commit']}, {here['processors']} processors ({here['model']}), Linux {here['kernel']}, "
          f"{rounds} rounds{', quick' if quick else ''}\n")
    peers = {peer for _, series in measured for peer in series}
    built = [f"{peer} by {by}" for peer, by in here.get("compilers", {}).items() if by and peer in peers]
    if built:
        print(f"{'; '.join(built)} (as far as what is installed now built them)\n")
    print_goals(measured)
    print_figures(measured)


def main():
    options = parse()
    if options.list:
        for row in options.rows:
            print(f"{row.key:14} {' '.join(row.arguments(options.quick))}")
        return 0
    if options.table:
        machines, quick, measured = load(options.table)
        report(machines[-1], quick, measured)
    else:
        measured = measure(options)
        save(options.json, options, measured)
        report(machine(), options.quick, measured)
    return 1 if any(series["ours"].failure for _, series in measured) else 0


if __name__ == "__main__":
    sys.exit(main())
