"""Runs programs of the drivers' contract (peers/README.md) in turn on a machine that others may use too.

What makes figures comparable: every run is a process of its own; the programs take turns within a round, each round in
another order, so that a slow spell of the machine falls on all of them; a run waits until the machine is quiet; and
each run carries the share of the machine's time that other processes took meanwhile, so that spoilt ones can be left
out.
"""
import os
import random
import shlex
import statistics
import subprocess
import threading
import time
from dataclasses import asdict, dataclass, field

CORES = os.cpu_count() or 1
SPOILT = 0.10  # a run during which others took more than this share of the machine is left out where others suffice
ENOUGH = 3     # ... which is where so many are left


@dataclass
class Run:
    rate: float            # operations per second
    extra: str             # the driver's last field, as it came
    figures: dict          # the numbers in it, and cpu, wall and peak memory: see figures_of()
    foreign: float         # share of the machine that other processes took, 0 to 1
    round: int = 0

    def value(self, measure):
        return self.rate if measure == "rate" else self.figures.get(measure)


@dataclass
class Series:
    """All runs of one program in one workload."""
    program: str
    words: list
    runs: list = field(default_factory=list)
    failure: str = ""

    def kept(self):
        clean = [run for run in self.runs if run.foreign <= SPOILT]
        return clean if len(clean) >= ENOUGH else self.runs

    def is_spoilt(self):
        """Nothing clean was left: what is kept says little."""
        return bool(self.runs) and statistics.median(run.foreign for run in self.kept()) > SPOILT

    def values(self, measure="rate"):
        return [run.value(measure) for run in self.kept() if run.value(measure) is not None]

    def median(self, measure="rate"):
        values = self.values(measure)
        return statistics.median(values) if values else None

    def as_json(self):
        return {"program": self.program, "words": self.words, "failure": self.failure,
                "left_out": len(self.runs) - len(self.kept()), "runs": [asdict(run) for run in self.runs]}

    def add_json(self, data):
        """Appends the runs of as_json(), in rounds of their own."""
        first = max((run.round for run in self.runs), default=-1) + 1
        self.runs += [Run(**{**run, "round": run["round"] + first}) for run in data["runs"]]
        self.failure = self.failure or data["failure"]


def ratios(ours, theirs, measure="rate"):
    """Ours to theirs within each round in which both ran and were kept."""
    by_round = {run.round: run.value(measure) for run in theirs.kept()}
    pairs = [(run.value(measure), by_round.get(run.round)) for run in ours.kept()]
    return [mine / other for mine, other in pairs if mine is not None and other]


def busy_seconds():
    with open("/proc/stat", encoding="ascii") as file:
        fields = [int(word) for word in file.readline().split()[1:9]]
    return (sum(fields) - fields[3] - fields[4]) / os.sysconf("SC_CLK_TCK")


def wait_until_quiet(limit):
    """Until others take less than a twentieth of the machine, or for so many seconds at most."""
    end = time.monotonic() + limit
    while time.monotonic() < end:
        began, busy = time.monotonic(), busy_seconds()
        time.sleep(0.25)
        if (busy_seconds() - busy) / ((time.monotonic() - began) * CORES) < 0.05:
            return


def figures_of(extra):
    """'sent: p50=3.1us p99=8.4us total=2.0s' -> {'sent.p50': 3.1, 'sent.p99': 8.4, 'sent.total': 2.0}"""
    figures, group = {}, ""
    for word in extra.split():
        if word.endswith(":"):
            group = word[:-1] + "."
        elif "=" in word:
            name, text = word.split("=", 1)
            try:
                figures[group + name] = float(text.rstrip("abcdefghijklmnopqrstuvwxyzBMKG/"))
            except ValueError:
                pass
    return figures


def run_once(command, words, limit):
    """(Run, "") or (None, what went wrong)."""
    busy, began = busy_seconds(), time.monotonic()
    try:
        child = subprocess.Popen(shlex.split(command) + words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                 stdin=subprocess.DEVNULL, text=True, errors="replace", start_new_session=True)
    except OSError as error:
        return None, str(error)
    late = threading.Event()

    def give_up():
        late.set()
        os.killpg(child.pid, 9)

    watchdog = threading.Timer(limit, give_up)
    watchdog.start()
    with child.stdout:
        output = child.stdout.read()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    watchdog.cancel()
    if late.is_set():
        return None, f"not done within {limit:.0f} s"
    wall, own = time.monotonic() - began, usage.ru_utime + usage.ru_stime
    lines = output.strip().split("\n")
    fields = lines[-1].split("\t")
    if child.returncode != 0 or len(fields) < 4:
        return None, f"exit {child.returncode}: {lines[-1][-100:]}"
    extra = fields[4].strip() if len(fields) > 4 else ""
    figures = figures_of(extra)
    figures |= {"cpu": own, "wall": wall, "peak_mib": usage.ru_maxrss / 1024}
    foreign = max(0.0, busy_seconds() - busy - own) / (max(wall, 0.01) * CORES)
    return Run(float(fields[3]), extra, figures, foreign), ""


def alternate(programs, runs, limit, patience, progress=lambda text: None):
    """programs: [(name, command, words)]. Runs each so many times, in turn; returns {name: Series}."""
    series = {name: Series(name, words) for name, _, words in programs}
    for turn in range(runs):
        for name, command, words in random.sample(programs, len(programs)):
            if series[name].failure:
                continue
            progress(f"round {turn + 1} of {runs}: {name}")
            wait_until_quiet(patience)
            run, failure = run_once(command, words, limit)
            if run is None:
                series[name].failure = failure  # what fails once is not waited for again
                continue
            run.round = turn
            series[name].runs.append(run)
    return series
