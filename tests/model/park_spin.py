#!/usr/bin/env python3
"""Runs spin on park.pml: each configuration through all its states, each planted bug until it is found.

    park_spin.py FOLDER     FOLDER: where to build (its contents may be overwritten)

Exit: 0 all as it must be, 1 something is not. Prints the number of states of each.
"""

import pathlib
import re
import subprocess
import sys

MODEL = pathlib.Path(__file__).with_name("park.pml")
RIGHT = {
    "3 workers, 2 threads outside, 2 pieces of work each": ["-DWORK=2"],
    "the same, told to stop at any moment, 1 piece each": ["-DWORK=1", "-DSTOP"],
    "2 workers, 2 timers from outside, 1 piece each": ["-DW=2", "-DWORK=1", "-DTIMERS"],
}
BUGS = {
    "no second look before sleeping": ["-DW=2", "-DWORK=1", "-DBUG_NO_SECOND_LOOK"],
    "wakes before it publishes": ["-DW=2", "-DWORK=1", "-DBUG_NOTIFY_FIRST"],
    "who kept the time does not say that it is over": ["-DW=2", "-DWORK=0", "-DTIMERS", "-DBUG_KEEPER_STAYS"],
}


def run(folder: pathlib.Path, defines: list[str]) -> tuple[int, int, str]:
    """Errors, states, and all that the verifier said."""
    subprocess.run(["spin", *defines, "-a", str(MODEL)], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    compiler = ["gcc", "-O2", "-w", "-DSAFETY", "-DCOLLAPSE", "-DMEMLIM=1500", "-o", "pan", "pan.c"]
    subprocess.run(compiler, cwd=folder, check=True)
    # -E: a worker that sleeps is no deadlock; what must hold then is asserted in the model.
    said = subprocess.run(["./pan", "-E", "-m1000000", "-w22"], cwd=folder, check=True, capture_output=True, text=True)
    errors = re.search(r"errors: (\d+)", said.stdout)
    states = re.search(r"(\d+) states, stored", said.stdout)
    whole = "Search not completed" not in said.stdout and "max search depth too small" not in said.stdout
    if errors is None or states is None or (int(errors[1]) == 0 and not whole):
        return -1, 0, said.stdout
    return int(errors[1]), int(states[1]), said.stdout


def main() -> int:
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    wrong = 0
    for what, defines in RIGHT.items():
        errors, states, said = run(folder, defines)
        print(f"[ explored ] {what}: {states} states, {'all explored' if errors == 0 else 'FAILED'}", flush=True)
        if errors != 0:
            wrong += 1
            print(said)
            print(subprocess.run(["spin", *defines, "-t", "-p", "-g", str(MODEL)], cwd=folder, capture_output=True,
                                 text=True, check=False).stdout)
    for what, defines in BUGS.items():
        errors, states, said = run(folder, defines)
        print(f"[ control  ] {what}: {'found' if errors == 1 else 'NOT FOUND'} after {states} states", flush=True)
        if errors != 1:
            wrong += 1
            print(said)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
