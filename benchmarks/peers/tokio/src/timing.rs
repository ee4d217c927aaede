// Workloads that are about time.
use crate::util::{mono, percentiles, report};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::*};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc::{unbounded_channel, UnboundedReceiver as Rx, UnboundedSender as Tx};

#[inline(never)]
pub fn burn(iter: u64) -> u64 {
    let mut x = 88172645463325252u64;
    for _ in 0..iter {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
    }
    std::hint::black_box(x)
}
pub fn calibrate() -> f64 {
    let mut best = 0f64;
    for _ in 0..10 {
        let t = Instant::now();
        burn(2000000);
        best = best.max(2000000.0 / (t.elapsed().as_secs_f64() * 1e6));
    }
    best
}

pub fn fairness(rt: &tokio::runtime::Runtime, hogs: u64, us: u64, secs: u64) {
    let iter = (calibrate() * us as f64) as u64;
    let stop = Arc::new(AtomicBool::new(false));
    let count = Arc::new(AtomicU64::new(0));
    // the probe, pinged by a thread of its own that is not one of the workers
    let (pt, mut pr): (Tx<(u64, u64)>, Rx<(u64, u64)>) = unbounded_channel();
    let lats = rt.spawn(async move {
        let (mut a, mut b) = (vec![], vec![]);
        while let Some((want, sent)) = pr.recv().await {
            let n = mono();
            a.push((n - sent) as f64 / 1000.0);
            b.push((n - want) as f64 / 1000.0);
        }
        (a, b)
    });
    for _ in 0..hogs {
        let (t, mut r): (Tx<u64>, Rx<u64>) = unbounded_channel();
        for k in 0..1000 {
            t.send(k).ok();
        }
        let (stop, count) = (stop.clone(), count.clone());
        rt.spawn(async move {
            let mut local = 0;
            while let Some(v) = r.recv().await {
                burn(iter);
                local += 1;
                if stop.load(Relaxed) {
                    break;
                }
                t.send(v).ok();
            }
            count.fetch_add(local, Relaxed);
        });
    }
    let start = mono();
    for k in 1..=secs * 1000 {
        let want = start + k * 1_000_000;
        let ts = libc::timespec {
            tv_sec: (want / 1_000_000_000) as i64,
            tv_nsec: (want % 1_000_000_000) as i64,
        };
        unsafe {
            libc::clock_nanosleep(
                libc::CLOCK_MONOTONIC,
                libc::TIMER_ABSTIME,
                &ts,
                std::ptr::null_mut(),
            )
        };
        pt.send((want, mono())).ok();
    }
    drop(pt);
    let (a, b) = rt.block_on(lats).unwrap();
    let sec = (mono() - start) as f64 / 1e9;
    stop.store(true, Relaxed);
    std::thread::sleep(Duration::from_millis(50));
    let n = a.len();
    report(
        "fairness",
        count.load(Relaxed),
        sec,
        &format!(
            "us={} samples={} sent: {} want: {}",
            us,
            n,
            percentiles(a),
            percentiles(b)
        ),
    );
    std::process::exit(0);
}

pub async fn timers(n: u64, ms: u64) {
    let (t, mut r) = unbounded_channel::<f64>();
    let t0 = Instant::now();
    let ins = tokio::spawn(async move {
        let mut x = 88172645463325252u64;
        for _ in 0..n {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            let want = tokio::time::Instant::now() + Duration::from_nanos(x % (ms * 1_000_000));
            let t = t.clone();
            tokio::spawn(async move {
                tokio::time::sleep_until(want).await;
                t.send(want.elapsed().as_nanos() as f64 / 1000.0).ok();
            });
        }
        t0.elapsed().as_secs_f64()
    })
    .await
    .unwrap();
    let mut l = Vec::with_capacity(n as usize);
    while let Some(v) = r.recv().await {
        l.push(v);
    }
    assert_eq!(l.len() as u64, n);
    report(
        "timers",
        n,
        ins,
        &format!(
            "{} total={:.2}s",
            percentiles(l),
            t0.elapsed().as_secs_f64()
        ),
    );
}

struct Ball {
    left: u64,
    sent: Option<Instant>,
}

fn player(mut inbox: Rx<Ball>, other: Tx<Ball>, done: Tx<(u64, Vec<f64>)>) {
    tokio::spawn(async move {
        let mut messages = 0;
        let mut late = vec![];
        while let Some(ball) = inbox.recv().await {
            if let Some(sent) = ball.sent {
                late.push(sent.elapsed().as_nanos() as f64 / 1000.0);
            }
            if ball.left > 0 {
                messages += 1;
                let sent = (ball.left % 16 < 2).then(Instant::now);
                other
                    .send(Ball {
                        left: ball.left - 1,
                        sent,
                    })
                    .ok();
            }
            if ball.left <= 1 {
                break;
            }
        }
        done.send((messages, late)).ok();
    });
}

/// The latencies of one message in 16 among pairs that play ping-pong.
pub async fn latency(pairs: u64, messages: u64) -> String {
    let (done, mut results) = unbounded_channel();
    for _ in 0..pairs {
        let (ta, ra) = unbounded_channel();
        let (tb, rb) = unbounded_channel();
        ta.send(Ball {
            left: messages,
            sent: None,
        })
        .ok();
        player(ra, tb, done.clone());
        player(rb, ta, done.clone());
    }
    drop(done);
    let (mut sum, mut late) = (0, vec![]);
    while let Some((played, mut l)) = results.recv().await {
        sum += played;
        late.append(&mut l);
    }
    assert_eq!(sum, pairs * messages);
    format!("samples={} {}", late.len(), percentiles(late))
}
