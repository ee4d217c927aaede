// Workloads that are about many actors, and about memory.
use crate::util::{report, resident, since, sleeps_of_the_others};
use std::sync::atomic::{AtomicU64, Ordering::*};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::mpsc::{unbounded_channel, UnboundedReceiver as Rx, UnboundedSender as Tx};
use tokio::sync::oneshot;

pub fn skynode(parent: Tx<u64>, num: u64, size: u64) {
    tokio::spawn(async move {
        if size == 1 {
            parent.send(num).ok();
            return;
        }
        let (t, mut r) = unbounded_channel();
        for i in 0..10 {
            skynode(t.clone(), num + i * (size / 10), size / 10);
        }
        let mut s = 0;
        for _ in 0..10 {
            s += r.recv().await.unwrap();
        }
        parent.send(s).ok();
    });
}
pub async fn skynet(size: u64) {
    let (t, mut r) = unbounded_channel();
    skynode(t, 0, size);
    assert_eq!(r.recv().await.unwrap(), size * (size - 1) / 2);
}

pub async fn create(n: u64) {
    struct S {
        sum: AtomicU64,
        left: AtomicU64,
        done: Mutex<Option<oneshot::Sender<()>>>,
    }
    let (t, r) = oneshot::channel();
    let st = Arc::new(S {
        sum: 0.into(),
        left: n.into(),
        done: Mutex::new(Some(t)),
    });
    let st2 = st.clone();
    tokio::spawn(async move {
        for i in 0..n {
            let (t, mut r): (Tx<u64>, Rx<u64>) = unbounded_channel();
            let st = st2.clone();
            tokio::spawn(async move {
                let v = r.recv().await.unwrap();
                st.sum.fetch_add(v, Relaxed);
                if st.left.fetch_sub(1, AcqRel) == 1 {
                    st.done.lock().unwrap().take().unwrap().send(()).ok();
                }
            });
            t.send(i).ok();
        }
    });
    r.await.unwrap();
    assert_eq!(st.sum.load(Relaxed), n * (n - 1) / 2);
}

enum B {
    Ping(usize),
    Pong,
}
pub async fn big(actors: usize, pings: u64) {
    let mut txs = vec![];
    let mut rxs = vec![];
    for _ in 0..actors {
        let (t, r): (Tx<B>, Rx<B>) = unbounded_channel();
        txs.push(t);
        rxs.push(r);
    }
    let txs = Arc::new(txs);
    let (dt, mut dr) = unbounded_channel::<u64>();
    let mut hs = vec![];
    for (me, mut r) in rxs.into_iter().enumerate() {
        let txs = txs.clone();
        let dt = dt.clone();
        hs.push(tokio::spawn(async move {
            let mut x = (me as u64).wrapping_mul(2654435761) + 12345;
            let mut next = || {
                x ^= x << 13;
                x ^= x >> 7;
                x ^= x << 17;
                (x % actors as u64) as usize
            };
            let mut got = 0;
            txs[next()].send(B::Ping(me)).ok();
            while let Some(m) = r.recv().await {
                match m {
                    B::Ping(from) => {
                        txs[from].send(B::Pong).ok();
                    }
                    B::Pong => {
                        got += 1;
                        if got == pings {
                            dt.send(got).ok();
                        } else {
                            txs[next()].send(B::Ping(me)).ok();
                        }
                    }
                }
            }
        }));
    }
    let mut s = 0;
    for _ in 0..actors {
        s += dr.recv().await.unwrap();
    }
    assert_eq!(s, actors as u64 * pings);
    for h in hs {
        h.abort();
    }
}

enum Ch {
    Meet(u8, Tx<Ch>),
    Change(u8),
    Exit,
}
pub fn complement(a: u8, b: u8) -> u8 {
    if a == b {
        a
    } else {
        3 - a - b
    }
}
pub async fn chameneos(n: u64, meetings: u64) {
    let (mall, mut mrx): (Tx<Ch>, Rx<Ch>) = unbounded_channel();
    let mut hs = vec![];
    for i in 0..n {
        let mall = mall.clone();
        let (me, mut rx): (Tx<Ch>, Rx<Ch>) = unbounded_channel();
        hs.push(tokio::spawn(async move {
            let mut color = (i % 3) as u8;
            let mut met = 0u64;
            mall.send(Ch::Meet(color, me.clone())).ok();
            while let Some(m) = rx.recv().await {
                match m {
                    Ch::Meet(c, peer) => {
                        color = complement(color, c);
                        met += 1;
                        peer.send(Ch::Change(color)).ok();
                        mall.send(Ch::Meet(color, me.clone())).ok();
                    }
                    Ch::Change(c) => {
                        color = c;
                        met += 1;
                        mall.send(Ch::Meet(color, me.clone())).ok();
                    }
                    Ch::Exit => break,
                }
            }
            met
        }));
    }
    tokio::spawn(async move {
        let mut waiting: Option<Tx<Ch>> = None;
        let mut left = meetings;
        let mut gone = 0;
        while let Some(m) = mrx.recv().await {
            if let Ch::Meet(c, peer) = m {
                if left == 0 {
                    peer.send(Ch::Exit).ok();
                    gone += 1;
                    if let Some(w) = waiting.take() {
                        w.send(Ch::Exit).ok();
                        gone += 1;
                    }
                    if gone == n {
                        break;
                    }
                } else if let Some(w) = waiting.take() {
                    left -= 1;
                    w.send(Ch::Meet(c, peer)).ok();
                } else {
                    waiting = Some(peer);
                }
            }
        }
    });
    let mut s = 0;
    for h in hs {
        s += h.await.unwrap();
    }
    assert_eq!(s, 2 * meetings);
}

pub async fn memory(n: u64) {
    let r0 = resident();
    let t0 = Instant::now();
    let sum = Arc::new(AtomicU64::new(0));
    let seen = Arc::new(AtomicU64::new(0));
    let mut txs: Vec<Tx<u64>> = Vec::with_capacity(n as usize);
    for _ in 0..n {
        let (t, mut r): (Tx<u64>, Rx<u64>) = unbounded_channel();
        txs.push(t);
        let (sum, seen) = (sum.clone(), seen.clone());
        tokio::spawn(async move {
            while let Some(v) = r.recv().await {
                sum.fetch_add(v, Relaxed);
                seen.fetch_add(1, Release);
            }
        });
    }
    let sec = t0.elapsed().as_secs_f64();
    tokio::time::sleep(Duration::from_millis(1000)).await;
    let r1 = resident();
    for (i, t) in txs.iter().enumerate() {
        t.send(i as u64).ok();
    }
    while seen.load(Acquire) < n {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let r2 = resident();
    assert_eq!(sum.load(Relaxed), n * (n - 1) / 2);
    report(
        "memory",
        n,
        sec,
        &format!(
            "bytes_spawned={} bytes_after_msg={}",
            (r1 - r0) / n,
            (r2 - r0) / n
        ),
    );
    std::process::exit(0);
}

/// N messages pile up for a task that waits for something else.
pub async fn backlog(n: u64) {
    let (tx, mut rx) = unbounded_channel::<u64>();
    let (open, gate) = oneshot::channel::<()>();
    let consumer = tokio::spawn(async move {
        gate.await.unwrap();
        let mut sum = 0;
        while let Some(v) = rx.recv().await {
            sum += v;
        }
        sum
    });
    let before = resident();
    let began = Instant::now();
    for i in 0..n {
        tx.send(i).ok();
    }
    drop(tx);
    let seconds = since(began);
    let piled = resident();
    let draining = Instant::now();
    open.send(()).unwrap();
    assert_eq!(consumer.await.unwrap(), n * (n - 1) / 2);
    let each = (piled - before) as f64 / n as f64;
    let drained = n as f64 / since(draining);
    report(
        "backlog",
        n,
        seconds,
        &format!(
            "bytes_per_message={:.2} drained_per_second={:.0}",
            each, drained
        ),
    );
}

pub fn idle(rt: &tokio::runtime::Runtime, n: u64, seconds: u64) {
    let seen = Arc::new(AtomicU64::new(0));
    let mut txs: Vec<Tx<u64>> = Vec::with_capacity(n as usize);
    for i in 0..n {
        let (t, mut r): (Tx<u64>, Rx<u64>) = unbounded_channel();
        t.send(i).ok();
        txs.push(t);
        let seen = seen.clone();
        rt.spawn(async move {
            while r.recv().await.is_some() {
                seen.fetch_add(1, Relaxed);
            }
        });
    }
    while seen.load(Relaxed) < n {
        std::thread::sleep(Duration::from_millis(20));
    }
    std::thread::sleep(Duration::from_secs(1));
    let sleeps = sleeps_of_the_others();
    let began = Instant::now();
    std::thread::sleep(Duration::from_secs(seconds));
    let took = since(began);
    report(
        "idle",
        n,
        took,
        &format!("sleeps={}", sleeps_of_the_others() - sleeps),
    );
    std::process::exit(0);
}

/// Actors come, live at once and go; then messages pile up and are handled.
pub async fn burst(actors: u64, messages: u64) {
    async fn once(actors: u64, messages: u64) -> u64 {
        let mut txs = Vec::with_capacity(actors as usize);
        let mut joins = Vec::with_capacity(actors as usize);
        for i in 0..actors {
            let (t, mut r): (Tx<u64>, Rx<u64>) = unbounded_channel();
            t.send(i).ok();
            txs.push(t);
            joins.push(tokio::spawn(async move {
                let mut sum = 0;
                while let Some(v) = r.recv().await {
                    sum += v;
                }
                sum
            }));
        }
        let mut peak = resident();
        drop(txs);
        let mut sum = 0;
        for join in joins {
            sum += join.await.unwrap();
        }
        assert_eq!(sum, actors * actors.saturating_sub(1) / 2);
        let (tx, mut rx) = unbounded_channel::<u64>();
        for i in 0..messages {
            tx.send(i).ok();
        }
        drop(tx);
        peak = peak.max(resident());
        let mut sum = 0;
        while let Some(v) = rx.recv().await {
            sum += v;
        }
        assert_eq!(sum, messages * messages.saturating_sub(1) / 2);
        peak
    }
    once(actors / 100, messages / 100).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let before = resident();
    let began = Instant::now();
    let peak = once(actors, messages).await;
    let seconds = since(began);
    tokio::time::sleep(Duration::from_secs(5)).await;
    let after = resident();
    let kept = after as f64 / before as f64;
    let extra = format!(
        "before_mib={} peak_mib={} after_mib={} kept={:.3}",
        before >> 20,
        peak >> 20,
        after >> 20,
        kept
    );
    report("burst", actors + messages, seconds, &extra);
}
