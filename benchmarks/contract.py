"""What `./dev bench` measures: the rows of the comparison, and the goal that stands beside each.

A goal compares one measure of ours, the rate or a figure of the driver's extra field, with a peer's in the same run
or, without a peer, with a number. `least` is what must be reached, `aim` what is hoped for.
"""
from dataclasses import dataclass


@dataclass(frozen=True)
class Goal:
    least: float | None = None
    aim: float | None = None
    against: str = ""         # a peer; OURS_ALONE for ours with one worker; "" for the number itself
    measure: str = "rate"
    lower: bool = False       # the smaller the better

    def verdict(self, value):
        """'aim', 'met' or 'short'; where only an aim was set, what is short of it is 'below aim'."""
        def reaches(bar):
            return value <= bar if self.lower else value >= bar
        if self.aim is not None and reaches(self.aim):
            return "aim"
        if self.least is None:
            return "below aim"
        return "met" if reaches(self.least) else "short"


OURS_ALONE = "one worker"


@dataclass(frozen=True)
class Row:
    key: str
    words: tuple              # WORKLOAD WORKERS ARGS...
    quick: tuple              # the arguments of a quick run
    goals: tuple = ()
    measure: str = "rate"     # what the table shows
    alone: bool = True        # also with one worker, when two are asked for

    def arguments(self, quick):
        return [str(word) for word in (*self.words[:2], *(self.quick if quick else self.words[2:]))]


def row(key, words, quick, *goals, keeps=0.95, **more):
    """keeps: the share of its one-worker rate that ours has with two workers at least; 0 asks for none."""
    alone = (Goal(keeps, 1.0, OURS_ALONE),) if keeps and words[1] == 2 else ()
    return Row(key, tuple(words), tuple(quick), goals + alone, alone=bool(alone), **more)


def against(peer, least, aim=None, measure="rate", lower=False):
    return Goal(least, aim, peer, measure, lower)


def below(least, aim, measure):
    return Goal(least, aim, "", measure, True)


# Of full size a run takes about half a second and more, where the peers leave the size to us: what two workers lose until
# they have found out that one is quicker (docs/adr/0026) is then what it is in a program that runs for long.
ROWS = [
    row("pingpong.2", ("pingpong", 2, 5_000_000), (300_000,), against("tokio", 3.5, 5)),
    row("pingpong.1", ("pingpong", 1, 5_000_000), (300_000,), against("tokio", 3, 5)),
    row("counting.2", ("counting", 2, 10_000_000), (3_000_000,), against("tokio", 1.5, 2), keeps=0.8),
    row("fanin.2", ("fanin", 2, 100, 100_000), (100, 20_000), against("go", 1.5, 2.5), keeps=0.8),
    row("ring1.2", ("ring", 2, 503, 15_000_000, 1), (503, 1_000_000, 1), against("tokio", 3.5, 5)),
    row("ring100.2", ("ring", 2, 503, 15_000_000, 100), (503, 2_000_000, 100), against("go", 1.5, 2.5)),
    row("skynet.2", ("skynet", 2, 1_000_000), (1_000_000,), against("tokio", 6, 10)),
    row("create.2", ("create", 2, 1_000_000), (1_000_000,), against("go", 3, 5)),
    row("big.2", ("big", 2, 120, 20_000), (120, 5_000), against("tokio", 2.5, 3.5)),
    row("chameneos.2", ("chameneos", 2, 100, 3_000_000), (100, 300_000), against("tokio", 4, 6)),
    row("ask.2", ("ask", 2, 3_000_000), (300_000,), against("tokio", 2.5, 4)),
    row("bounded1.2", ("bounded", 2, 1, 20_000_000), (1, 2_000_000), against("go", 1.25, 1.5)),
    row("bounded4.2", ("bounded", 2, 4, 5_000_000), (4, 500_000), against("go", 1.5, 2)),
    row("memory.2", ("memory", 2, 1_000_000), (300_000,), below(256, 192, "bytes_after_msg"), keeps=0,
        measure="bytes_after_msg"),
    row("fair1us.2", ("fairness", 2, 8, 1, 5), (8, 1, 2), against("erlang", 0.2, None, "sent.p99", True),
        below(None, 3, "sent.p99"), against("tokio", 0.95), keeps=0, measure="sent.p99"),
    row("fair100us.2", ("fairness", 2, 8, 100, 5), (8, 100, 2), below(200, 100, "sent.p99"),
        below(15_000, 8_000, "sent.max"), keeps=0, measure="sent.p99"),
    row("timers.2", ("timers", 2, 1_000_000, 10_000), (200_000, 2_000), against("go", 1.7),
        Goal(None, 12e6), against("erlang", 1.0, None, "p99", True), below(None, 300, "p99"),
        against("go", 1.0, None, "cpu", True), keeps=0),
    # Beyond the peers' common table.
    row("backlog.2", ("backlog", 2, 10_000_000), (2_000_000,), below(32, 20, "bytes_per_message"), keeps=0,
        measure="bytes_per_message"),
    row("idle.2", ("idle", 2, 1_000_000, 60), (100_000, 5), below(0, 0, "sleeps"), keeps=0, measure="sleeps"),
    row("outside.2", ("outside", 2, 2, 2_000_000), (2, 300_000), keeps=0),
    row("payload64.2", ("payload", 2, 64, 15_000_000), (64, 1_000_000)),
    row("payload1k.2", ("payload", 2, 1024, 3_000_000), (1024, 200_000)),
    row("latency.2", ("latency", 2, 64, 50_000), (64, 10_000), measure="p99"),
    row("crowd.2", ("burst", 2, 1_000_000, 0), (200_000, 0), below(1.1, 1.02, "kept"), keeps=0, measure="kept"),
    row("flood.2", ("burst", 2, 0, 10_000_000), (0, 2_000_000), below(1.1, 1.02, "kept"), keeps=0, measure="kept"),
    # What is done in one message without giving way; and, for create, where the peer gives way, too.
    row("create_even.2", ("create", 2, 1_000_000, 64), (1_000_000, 64), keeps=0),
    row("create_at_once.2", ("create", 2, 1_000_000, 0), (1_000_000, 0), keeps=0),
    row("fanin_at_once.2", ("fanin", 2, 100, 100_000, 0), (100, 20_000, 0), keeps=0),
    # After the Savina suite: no peer has them; two workers against one.
    row("throughput.2", ("throughput", 2, 60, 300_000), (60, 20_000)),
    row("philosophers.2", ("philosophers", 2, 20, 200_000), (20, 10_000)),
    row("smokers.2", ("smokers", 2, 200, 5_000_000), (200, 100_000)),
    row("dictionary.2", ("dictionary", 2, 20, 200_000), (20, 10_000)),
    row("producers.2", ("producers", 2, 40, 40, 100_000), (40, 40, 5_000)),
    row("barber.2", ("barber", 2, 2_000, 1_000), (2_000, 1_000)),
    row("bank.2", ("bank", 2, 1_000, 2_000_000), (1_000, 100_000)),
    row("logistic.2", ("logistic", 2, 10, 1_000_000), (10, 20_000)),
    row("sieve.2", ("sieve", 2, 200_000), (50_000,)),
    row("fibonacci.2", ("fibonacci", 2, 29), (22,)),
    row("quicksort.2", ("quicksort", 2, 5_000_000), (1_000_000,)),
    row("radix.2", ("radix", 2, 400_000, 24), (50_000, 24)),
    row("queens.2", ("queens", 2, 14, 6, 20), (11, 5, 20)),
    row("grid.2", ("grid", 2, 40, 8), (30, 8)),
    row("bitonic.2", ("bitonic", 2, 20_000, 32), (2_000, 32)),
    row("trapezoid.2", ("trapezoid", 2, 50_000_000), (2_000_000,)),
]
# What only ours has: no peer is asked.
OURS_ONLY = ("throughput", "philosophers", "smokers", "dictionary", "producers", "barber", "bank", "logistic", "sieve",
             "fibonacci", "quicksort", "radix", "queens", "grid", "bitonic", "trapezoid")


def select(names):
    """The rows of these keys or workloads; all when none is named. Raises KeyError for a name that is neither."""
    if not names:
        return ROWS
    chosen = []
    for name in names:
        rows = [row for row in ROWS if name in (row.key, row.words[0], row.key.rsplit(".", 1)[0])]
        if not rows:
            raise KeyError(name)
        chosen += [row for row in rows if row not in chosen]
    return chosen
