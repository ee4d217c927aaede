// Workloads beyond the table that the drivers began with.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Voluntary context switches of all threads of this process but the calling one.
func sleepsOfTheOthers() int {
	me := strconv.Itoa(syscall.Gettid())
	sum := 0
	threads, _ := filepath.Glob("/proc/self/task/*")
	for _, thread := range threads {
		if filepath.Base(thread) == me {
			continue
		}
		text, _ := os.ReadFile(thread + "/status")
		for _, line := range strings.Split(string(text), "\n") {
			if strings.HasPrefix(line, "voluntary_ctxt_switches:") {
				v, _ := strconv.Atoi(strings.Fields(line)[1])
				sum += v
			}
		}
	}
	return sum
}

func idle(n, seconds int) {
	chans := make([]chan int, n)
	seen := make(chan int, 1024)
	for i := range chans {
		c := make(chan int, 1)
		chans[i] = c
		go func() {
			for v := range c {
				seen <- v
			}
		}()
		c <- i
	}
	sum := 0
	for range chans {
		sum += <-seen
	}
	check(sum == n*(n-1)/2)
	time.Sleep(time.Second)
	before := sleepsOfTheOthers()
	t := time.Now()
	// The thread itself sleeps, not a goroutine: a timer of the runtime would wake somebody up.
	nap := syscall.Timespec{Sec: int64(seconds)}
	syscall.Nanosleep(&nap, nil)
	report("idle", n, time.Since(t).Seconds(), fmt.Sprintf("sleeps=%d", sleepsOfTheOthers()-before))
}

type load8 [1]int
type load64 [8]int
type load1024 [128]int

func payload8(n int) {
	c, done := make(chan load8, 1024), make(chan int)
	go func() {
		s := 0
		for l := range c {
			s += 2 * l[0]
		}
		done <- s
	}()
	for i := 0; i < n; i++ {
		c <- load8{i}
	}
	close(c)
	check(<-done == n*(n-1))
}

func payload64(n int) {
	c, done := make(chan load64, 1024), make(chan int)
	go func() {
		s := 0
		for l := range c {
			s += l[0] + l[7]
		}
		done <- s
	}()
	var l load64
	for i := 0; i < n; i++ {
		l[0], l[7] = i, i
		c <- l
	}
	close(c)
	check(<-done == n*(n-1))
}

func payload1024(n int) {
	c, done := make(chan load1024, 1024), make(chan int)
	go func() {
		s := 0
		for l := range c {
			s += l[0] + l[127]
		}
		done <- s
	}()
	var l load1024
	for i := 0; i < n; i++ {
		l[0], l[127] = i, i
		c <- l
	}
	close(c)
	check(<-done == n*(n-1))
}

type ball struct {
	left int
	sent time.Time
}

func latency(pairs, messages int) string {
	type result struct {
		messages int
		late     []float64
	}
	done := make(chan result, 2*pairs)
	player := func(in, out chan ball) {
		var r result
		for b := range in {
			if !b.sent.IsZero() {
				r.late = append(r.late, float64(time.Since(b.sent).Nanoseconds())/1000)
			}
			if b.left > 0 {
				r.messages++
				next := ball{left: b.left - 1}
				if b.left%16 < 2 {
					next.sent = time.Now()
				}
				out <- next
			}
			if b.left <= 1 {
				break
			}
		}
		done <- r
	}
	for p := 0; p < pairs; p++ {
		a, b := make(chan ball, 1), make(chan ball, 1)
		a <- ball{left: messages}
		go player(a, b)
		go player(b, a)
	}
	sum, late := 0, []float64{}
	for i := 0; i < 2*pairs; i++ {
		r := <-done
		sum += r.messages
		late = append(late, r.late...)
	}
	check(sum == pairs*messages)
	return fmt.Sprintf("samples=%d %s", len(late), pcts(late))
}

// Goroutines come, live at once and go.
func burst(n int) {
	once := func(n int) int {
		chans := make([]chan int, n)
		done := make(chan int, 1024)
		for i := range chans {
			c := make(chan int, 1)
			chans[i] = c
			go func() {
				s := 0
				for v := range c {
					s += v
				}
				done <- s
			}()
			c <- i
		}
		peak := rss()
		go func() {
			for _, c := range chans {
				close(c)
			}
		}()
		s := 0
		for range chans {
			s += <-done
		}
		check(s == n*(n-1)/2)
		return peak
	}
	once(n / 100)
	time.Sleep(time.Second)
	before := rss()
	t := time.Now()
	peak := once(n)
	seconds := time.Since(t).Seconds()
	time.Sleep(5 * time.Second)
	after := rss()
	report("burst", n, seconds, fmt.Sprintf("before_mib=%d peak_mib=%d after_mib=%d kept=%.3f",
		before>>20, peak>>20, after>>20, float64(after)/float64(before)))
}
