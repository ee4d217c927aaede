// What the workloads share: arguments, clock, the line that is printed.
use std::time::Instant;

/// The i-th argument behind WORKLOAD and WORKERS, or what stands for it.
pub fn arg(i: usize, otherwise: u64) -> u64 {
    std::env::args()
        .nth(i + 3)
        .map_or(otherwise, |word| word.parse().unwrap())
}

pub fn report(name: &str, ops: u64, seconds: f64, extra: &str) {
    println!(
        "{}\t{}\t{:.6}\t{:.0}\t{}",
        name,
        ops,
        seconds,
        ops as f64 / seconds,
        extra
    );
}

pub fn mono() -> u64 {
    let mut t = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut t) };
    t.tv_sec as u64 * 1_000_000_000 + t.tv_nsec as u64
}

/// Percentiles of microseconds.
pub fn percentiles(mut l: Vec<f64>) -> String {
    if l.is_empty() {
        return "none".into();
    }
    l.sort_by(|a, b| a.partial_cmp(b).unwrap());
    let at = |q: f64| l[((q * l.len() as f64) as usize).min(l.len() - 1)];
    let (p50, p99, p999) = (at(0.5), at(0.99), at(0.999));
    format!(
        "p50={:.1}us p99={:.1}us p99.9={:.1}us max={:.1}us",
        p50,
        p99,
        p999,
        l[l.len() - 1]
    )
}

/// Bytes of this process that are resident.
pub fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    text.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
}

/// Voluntary context switches of all threads of this process but the calling one.
pub fn sleeps_of_the_others() -> u64 {
    let me = unsafe { libc::syscall(libc::SYS_gettid) }.to_string();
    let mut sum = 0;
    for thread in std::fs::read_dir("/proc/self/task").unwrap() {
        let thread = thread.unwrap();
        if thread.file_name().to_string_lossy() == me {
            continue;
        }
        let text = std::fs::read_to_string(thread.path().join("status")).unwrap();
        let line = text
            .lines()
            .find(|line| line.starts_with("voluntary_ctxt_switches"))
            .unwrap();
        sum += line
            .split_whitespace()
            .nth(1)
            .unwrap()
            .parse::<u64>()
            .unwrap();
    }
    sum
}

pub fn since(began: Instant) -> f64 {
    began.elapsed().as_secs_f64()
}
