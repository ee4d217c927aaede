// Workloads that are about messages.
use tokio::sync::mpsc::{
    channel, unbounded_channel, UnboundedReceiver as Rx, UnboundedSender as Tx,
};
use tokio::sync::oneshot;

pub async fn pingpong(n: u64) {
    let (ta, mut ra): (Tx<u64>, Rx<u64>) = unbounded_channel();
    let (tb, mut rb): (Tx<u64>, Rx<u64>) = unbounded_channel();
    tokio::spawn(async move {
        while let Some(v) = ra.recv().await {
            tb.send(v + 1).ok();
        }
    });
    let s = tokio::spawn(async move {
        let mut s = 0;
        for i in 0..n {
            ta.send(i).ok();
            s += rb.recv().await.unwrap();
        }
        s
    });
    assert_eq!(s.await.unwrap(), n * (n + 1) / 2);
}

enum C {
    Inc(u64),
    Get(oneshot::Sender<u64>),
}
pub async fn counting(n: u64) {
    let (tx, mut rx) = unbounded_channel::<C>();
    tokio::spawn(async move {
        let mut s = 0;
        while let Some(m) = rx.recv().await {
            match m {
                C::Inc(k) => s += k,
                C::Get(r) => {
                    r.send(s).ok();
                }
            }
        }
    });
    let r = tokio::spawn(async move {
        for _ in 0..n {
            tx.send(C::Inc(1)).ok();
        }
        let (t, r) = oneshot::channel();
        tx.send(C::Get(t)).ok();
        r.await.unwrap()
    });
    assert_eq!(r.await.unwrap(), n);
}

pub async fn fanin(p: u64, n: u64) {
    let (tx, mut rx) = unbounded_channel::<u64>();
    let c = tokio::spawn(async move {
        let mut s = 0;
        let mut k = 0;
        while let Some(v) = rx.recv().await {
            s += v;
            k += 1;
        }
        (s, k)
    });
    for _ in 0..p {
        let tx = tx.clone();
        tokio::spawn(async move {
            for i in 0..n {
                tx.send(i).ok();
            }
        });
    }
    drop(tx);
    assert_eq!(c.await.unwrap(), (p * (n * (n - 1) / 2), p * n));
}

pub async fn bounded(p: u64, n: u64) {
    let (tx, mut rx) = channel::<u64>(1000);
    let c = tokio::spawn(async move {
        let mut s = 0;
        while let Some(v) = rx.recv().await {
            s += v;
        }
        s
    });
    for _ in 0..p {
        let tx = tx.clone();
        tokio::spawn(async move {
            for i in 0..n {
                tx.send(i).await.ok();
            }
        });
    }
    drop(tx);
    assert_eq!(c.await.unwrap(), p * (n * (n - 1) / 2));
}

pub async fn ring(actors: usize, hops: u64, tokens: usize) {
    let mut txs = vec![];
    let mut rxs = vec![];
    for _ in 0..actors {
        let (t, r): (Tx<u64>, Rx<u64>) = unbounded_channel();
        txs.push(t);
        rxs.push(r);
    }
    let (dt, mut dr) = unbounded_channel::<u64>();
    let mut hs = vec![];
    for (i, mut r) in rxs.into_iter().enumerate() {
        let next = txs[(i + 1) % actors].clone();
        let dt = dt.clone();
        hs.push(tokio::spawn(async move {
            while let Some(v) = r.recv().await {
                if v == 0 {
                    dt.send(1).ok();
                } else {
                    next.send(v - 1).ok();
                }
            }
        }));
    }
    for k in 0..tokens {
        txs[k * actors / tokens].send(hops / tokens as u64).ok();
    }
    let mut s = 0;
    for _ in 0..tokens {
        s += dr.recv().await.unwrap();
    }
    assert_eq!(s, tokens as u64);
    for h in hs {
        h.abort();
    }
}

pub async fn ask(n: u64) {
    let (t, mut r): (
        Tx<(u64, oneshot::Sender<u64>)>,
        Rx<(u64, oneshot::Sender<u64>)>,
    ) = unbounded_channel();
    tokio::spawn(async move {
        while let Some((v, re)) = r.recv().await {
            re.send(v + 1).ok();
        }
    });
    let s = tokio::spawn(async move {
        let mut s = 0;
        for i in 0..n {
            let (a, b) = oneshot::channel();
            t.send((i, a)).ok();
            s += b.await.unwrap();
        }
        s
    });
    assert_eq!(s.await.unwrap(), n * (n + 1) / 2);
}

/// Threads that are no workers send to one task.
pub async fn outside(threads: u64, n: u64) {
    let (tx, mut rx) = unbounded_channel::<u64>();
    let mut joins = vec![];
    for _ in 0..threads {
        let tx = tx.clone();
        joins.push(std::thread::spawn(move || {
            for i in 0..n {
                tx.send(i).ok();
            }
        }));
    }
    drop(tx);
    let mut sum = 0;
    while let Some(v) = rx.recv().await {
        sum += v;
    }
    assert_eq!(sum, threads * (n * (n - 1) / 2));
    for join in joins {
        join.join().unwrap();
    }
}

enum Load<const WORDS: usize> {
    Words([u64; WORDS]),
    Get(oneshot::Sender<u64>),
}

pub async fn payload<const WORDS: usize>(n: u64) {
    let (tx, mut rx) = unbounded_channel::<Load<WORDS>>();
    tokio::spawn(async move {
        let mut sum = 0;
        while let Some(load) = rx.recv().await {
            match load {
                Load::Words(words) => sum += words[0] + words[WORDS - 1],
                Load::Get(reply) => {
                    reply.send(sum).ok();
                }
            }
        }
    });
    let sender = tokio::spawn(async move {
        let mut words = [0u64; WORDS];
        for i in 0..n {
            words[WORDS - 1] = i;
            words[0] = i;
            tx.send(Load::Words(words)).ok();
        }
        let (reply, answer) = oneshot::channel();
        tx.send(Load::Get(reply)).ok();
        answer.await.unwrap()
    });
    assert_eq!(sender.await.unwrap(), n * (n - 1));
}
