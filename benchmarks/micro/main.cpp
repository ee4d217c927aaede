// backstage-microbench: the pieces that a message passes, one by one, on one thread (Google Benchmark; --help).
// What it costs when two threads pull one cache line to and fro shows in backstage-bench, not here.
#include <benchmark/benchmark.h>

BENCHMARK_MAIN();
