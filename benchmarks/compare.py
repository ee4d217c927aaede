#!/usr/bin/env python3
"""Times backstage-bench and other programs of the same contract in turn, and prints medians and ratios.

    benchmarks/compare.py --peer tokio=/path/to/tokiopeer
    benchmarks/compare.py --peer NAME=COMMAND --workload "create 2 1000000" --runs 9

Each COMMAND is called as COMMAND WORKLOAD WORKERS ARGS... and prints one line whose fields are parted by tabs:
name, operations, seconds, operations per second, extra. In each round every program runs once, in another order than
in the round before, so that a slow spell of the machine falls on all of them. A ratio is ours to the peer's within
one round; its median says who is faster, its min and max how much the machine swayed. The last column is the share of
the machine's time that other processes took: above a tenth, read the ratios, not the figures.
"""
import argparse
import os
import shlex
import statistics
import subprocess
import sys

WORKLOADS = [
    "pingpong 2 1000000", "pingpong 1 1000000",
    "counting 2 10000000", "counting 1 10000000",
    "create 2 1000000", "create 1 1000000",
    "memory 2 1000000",
]


def busy_seconds():
    with open("/proc/stat") as file:
        fields = [int(field) for field in file.readline().split()[1:9]]
    return (sum(fields) - fields[3] - fields[4]) / os.sysconf("SC_CLK_TCK")


def own_seconds():
    times = os.times()
    return times.children_user + times.children_system


def run(command, workload, limit):
    """(operations per second, extra), or (None, what went wrong)."""
    try:
        done = subprocess.run(shlex.split(command) + workload.split(), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              stdin=subprocess.DEVNULL, text=True, timeout=limit)
    except (OSError, subprocess.TimeoutExpired) as error:
        return None, str(error)
    fields = done.stdout.strip().split("\n")[-1].split("\t")
    if done.returncode != 0 or len(fields) < 4:
        return None, f"exit {done.returncode}: {(done.stderr or done.stdout).strip()[-80:]}"
    return float(fields[3]), fields[4] if len(fields) > 4 else ""


def spread(values, form):
    values = sorted(values)
    return f"{form(statistics.median(values))} [{form(values[0])}-{form(values[-1])}]"


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ours", default=os.path.join(here, "../build/release/bin/backstage-bench"), metavar="COMMAND")
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=COMMAND")
    parser.add_argument("--workload", action="append", default=[], metavar="'WORKLOAD WORKERS ARGS...'")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--limit", type=float, default=120, help="seconds for one run")
    options = parser.parse_args()
    if any("=" not in peer for peer in options.peer):
        parser.error("--peer wants NAME=COMMAND")

    programs = [("ours", options.ours)] + [tuple(peer.split("=", 1)) for peer in options.peer]
    failed = False
    print("| workload | program | millions/s: median [min-max] | ours to it: median [min-max] | extra | others |")
    print("|---|---|---|---|---|---|")
    for workload in options.workload or WORKLOADS:
        rates = {name: [] for name, _ in programs}
        ratios = {name: [] for name, _ in programs}
        extras, others = {}, []
        for turn in range(options.runs):
            shift = turn % len(programs)
            round_rates = {}
            for name, command in programs[shift:] + programs[:shift]:
                began, busy, own = os.times().elapsed, busy_seconds(), own_seconds()
                rate, extra = run(command, workload, options.limit)
                wall = os.times().elapsed - began
                foreign = busy_seconds() - busy - (own_seconds() - own)
                others.append(max(0.0, foreign) / (max(wall, 0.01) * (os.cpu_count() or 1)))
                if rate is None:
                    failed = failed or name == "ours"
                    print(f"{workload}: {name}: {extra}", file=sys.stderr)
                    continue
                round_rates[name], extras[name] = rate, extra
                rates[name].append(rate)
            for name, rate in round_rates.items():
                if "ours" in round_rates:
                    ratios[name].append(round_rates["ours"] / rate)
        for name, _ in programs:
            if not rates[name]:
                continue
            ratio = "" if name == "ours" or not ratios[name] else spread(ratios[name], lambda r: f"{r:.2f}")
            print(f"| {workload} | {name} | {spread(rates[name], lambda r: f'{r / 1e6:.2f}')} | {ratio} "
                  f"| {extras[name]} | {statistics.median(others):.0%} |", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
