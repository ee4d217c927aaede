#!/usr/bin/env python3
"""What including actor.hpp costs a user: CPU seconds and peak memory of `-O2 -c`, median of --runs, for both compilers.

    benchmarks/compile_time.py            the table of BASELINE.md; exits with 1 when a bar is missed

The bars: 100 messages in one actor under 5 s; hello world within 1.5 times of what stood here first, counted in times of the
standard headers alone (2.22 with g++ 12, 1.73 with clang 19), since machines differ. CPU time, so that others may use the machine, though caches and clocks that they disturb show.
"""
import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
COMPILERS = {"g++ 12": "g++-12", "clang 19": "clang++-19"}
STANDARD = ("algorithm array atomic chrono compare concepts coroutine cstdint deque exception functional map memory mutex "
            "optional span stop_token string string_view tuple type_traits unordered_map utility variant vector").split()
HUNDRED = 5.0
HELLO_FIRST = {"g++ 12": 1.60 / 0.72, "clang 19": 1.38 / 0.80}


def sources():
    hello = """#include <iostream>

#include "backstage/actor/actor.hpp"

struct Greet {
  std::string whom;
};
struct Greeter {
  void handle(Greet greet) { std::cout << "hello, " << greet.whom << '\\n'; }
};

int main() {
  backstage::Runtime runtime;
  runtime.spawn<Greeter>("greeter").send(Greet{"world"});
}
"""
    hundred = '#include "backstage/actor/actor.hpp"\n'
    hundred += "".join(f"struct M{i} {{ int value; }};\n" for i in range(100))
    hundred += "struct Busy {\n  long sum = 0;\n"
    hundred += "".join(f"  void handle(M{i} m) {{ sum += m.value + {i}; }}\n" for i in range(100))
    hundred += "};\nvoid send_each(const backstage::Ref<Busy>& busy) {\n"
    hundred += "".join(f"  busy.send(M{i}{{{i}}});\n" for i in range(100)) + "}\n"
    return {
        "the standard headers that it uses, alone": "".join(f"#include <{name}>\n" for name in STANDARD),
        "actor.hpp alone": '#include "backstage/actor/actor.hpp"\n',
        "hello world, 16 lines": hello,
        "an actor of 100 messages, each sent once": hundred,
    }


def compile_once(compiler, source, folder):
    """(CPU seconds, peak MB)"""
    path = os.path.join(folder, "source.cpp")
    with open(path, "w", encoding="utf-8") as file:
        file.write(source)
    # ccache, which may stand in a compiler's place, must not answer from memory.
    child = subprocess.Popen([compiler, "-std=c++20", "-O2", "-c", path, "-o", os.path.join(folder, "out.o"), "-I",
                              os.path.join(ROOT, "include")], env={**os.environ, "CCACHE_DISABLE": "1"})
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        sys.exit(f"compile_time: {compiler} ended with {child.returncode}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    compilers = {name: command for name, command in COMPILERS.items() if shutil.which(command)}
    if not compilers:
        sys.exit(f"compile_time: none of {', '.join(COMPILERS.values())} is here")
    missed, headers = [], {}
    print("| file | " + " | ".join(compilers) + " |\n|---" * 1 + "|---" * len(compilers) + "|")
    with tempfile.TemporaryDirectory() as folder:
        for title, source in sources().items():
            cells = []
            for name, compiler in compilers.items():
                runs = [compile_once(compiler, source, folder) for _ in range(options.runs)]
                seconds = statistics.median(run[0] for run in runs)
                cells.append(f"{seconds:.2f} s, {max(run[1] for run in runs):.0f} MB")
                headers.setdefault(name, seconds)  # they come first
                bar = {"hello": 1.5 * HELLO_FIRST[name] * headers[name], "an": HUNDRED}.get(title.split()[0])
                if bar is not None and seconds > bar:
                    missed.append(f"{title} with {name}: {seconds:.2f} s, and {bar:.2f} s is the bar")
            print(f"| {title} | {' | '.join(cells)} |", flush=True)
    for line in missed:
        print(line, file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
