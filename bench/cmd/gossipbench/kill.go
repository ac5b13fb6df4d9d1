package main

import (
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/gwyh-go/gwyh/bench/adapter"
	"github.com/gwyh-go/gwyh/bench/measure"
)

// killLimit bounds the time until all nodes know of a killed node.
const killLimit = 60 * time.Second

// killWatch records which node detected what, and when. Its method event is safe for concurrent use.
type killWatch struct {
	mu        sync.Mutex // guards the following fields
	subject   int        // the node that was killed last
	killed    map[int]bool
	at        time.Time
	suspected float64         // s after at
	dead      map[int]float64 // by observer, s after at
	wrong     map[int]bool    // live nodes that were considered dead
}

func (w *killWatch) event(observer, subject int, what string, t time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.killed == nil || w.killed[observer] {
		return
	}
	secs := t.Sub(w.at).Seconds()
	switch _, known := w.dead[observer]; {
	case !w.killed[subject]:
		if what == "dead" {
			w.wrong[subject] = true
		}
	case subject != w.subject:
	case what == "suspect" && w.suspected == 0:
		w.suspected = secs
	case what == "dead" && !known:
		w.dead[observer] = secs
	}
}

// begin is called just before a node is killed.
func (w *killWatch) begin(subject int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.killed == nil {
		w.killed, w.wrong = make(map[int]bool), make(map[int]bool)
	}
	w.killed[subject] = true
	w.subject, w.at, w.suspected, w.dead = subject, time.Now(), 0, make(map[int]float64)
}

func (w *killWatch) heard() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.dead)
}

// killSome kills nodes one after another, except the seed.
func (b *bench) killSome() error {
	killer, ok := b.cluster.(adapter.Killer)
	if !ok {
		return errors.New("this adapter detects no failures")
	}
	k := &Kill{Kills: b.kills}
	var suspected, first, all, known []float64
	for i, victim := range rand.Perm(b.n - 1)[:b.kills] {
		b.kill.begin(victim + 1)
		if err := killer.Kill(victim + 1); err != nil {
			return err
		}
		observers := b.n - 1 - i
		for begin := time.Now(); b.kill.heard() < observers && time.Since(begin) < killLimit; {
			time.Sleep(10 * time.Millisecond)
		}
		b.kill.mu.Lock()
		if len(b.kill.dead) < observers {
			k.Missed++
		}
		var times []float64
		for _, s := range b.kill.dead {
			times = append(times, s)
		}
		if b.kill.suspected > 0 {
			suspected = append(suspected, b.kill.suspected)
		}
		b.kill.mu.Unlock()
		known = append(known, times...)
		if len(times) > 0 {
			first, all = append(first, measure.Quantile(times, 0)), append(all, measure.Quantile(times, 1))
		}
		time.Sleep(time.Second)
	}
	k.Suspected, k.First, k.All = measure.Quantile(suspected, 0.5), measure.Quantile(first, 0.5), measure.Quantile(all, 0.5)
	k.Known = measure.Percentiles(known)
	b.kill.mu.Lock()
	defer b.kill.mu.Unlock()
	k.False = len(b.kill.wrong)
	b.result.Kill = k
	return nil
}
