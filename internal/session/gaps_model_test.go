package session

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// naiveGaps implements the rules of gaps for each packet separately, without ranges or cached times.
type naiveGaps struct {
	highest, received, lost uint64
	newest                  int // packets that arrived as the newest
	missing                 []naiveGap
}

type naiveGap struct {
	counter uint64
	at      time.Duration // when it was detected, or last requested
	newest  int           // naiveGaps.newest when it was detected
	asks    int
}

// spans returns the runs of missing packet numbers.
func (m *naiveGaps) spans() (runs []span) {
	for _, g := range m.missing {
		if n := len(runs); n > 0 && runs[n-1].end == g.counter {
			runs[n-1].end++
		} else {
			runs = append(runs, span{g.counter, g.counter + 1})
		}
	}
	return runs
}

func (m *naiveGaps) hear(now time.Duration, c uint64) {
	m.received++
	m.remove(span{c, c + 1})
	if c > m.highest {
		m.newest++
		for k := m.highest + 1; k < c; k++ {
			if k+2*WindowSize < c { // no need to count each
				m.lost += c - 2*WindowSize - k
				k = c - 2*WindowSize
			}
			m.missing = append(m.missing, naiveGap{counter: k, at: now, newest: m.newest})
		}
		m.highest = c
	}
	m.lost += m.removeIf(func(g naiveGap) bool { return m.highest-g.counter >= WindowSize })
	if len(m.missing) <= maxGaps {
		return
	}
	if runs := m.spans(); len(runs) > maxGaps {
		m.lost += m.remove(runs[0])
	}
}

func (m *naiveGaps) remove(s span) uint64 {
	return m.removeIf(func(g naiveGap) bool { return s.start <= g.counter && g.counter < s.end })
}

func (m *naiveGaps) removeIf(f func(naiveGap) bool) uint64 {
	n := len(m.missing)
	m.missing = slices.DeleteFunc(m.missing, f)
	return uint64(n - len(m.missing))
}

func (m *naiveGaps) due(g naiveGap, rtt time.Duration) time.Duration {
	switch {
	case g.asks > 0:
		return g.at + rtt*3/2
	case m.newest-g.newest >= 2: // with the one that revealed it, three have arrived
		return g.at
	}
	return g.at + rtt*9/8
}

// next returns when the first packet is due; there must be one.
func (m *naiveGaps) next(rtt time.Duration) time.Duration {
	next := m.due(m.missing[0], rtt)
	for _, g := range m.missing {
		next = min(next, m.due(g, rtt))
	}
	return next
}

// take requests up to most ranges and returns them.
func (m *naiveGaps) take(now, rtt time.Duration, most int) (asked []span) {
	for _, s := range m.spans() {
		i := slices.IndexFunc(m.missing, func(g naiveGap) bool { return g.counter == s.start })
		run := m.missing[i : i+int(s.end-s.start)]
		if len(asked) == most || now < m.due(run[0], rtt) {
			continue
		}
		if run[0].asks == 5 {
			m.lost += m.remove(s)
			continue
		}
		for i := range run {
			run[i].at = now
			run[i].asks++
		}
		asked = append(asked, s)
	}
	return asked
}

// A duel applies the same events to a session and to the model.
type duel struct {
	t testing.TB
	r *receiver
	m *naiveGaps
}

func newDuel(t testing.TB) *duel {
	return &duel{t: t, r: newReceiver(t), m: &naiveGaps{}}
}

func (d *duel) now() time.Duration { return d.r.now.Sub(epoch) }

// step performs an operation, given its kind and a number.
func (d *duel) step(kind byte, arg uint16) {
	switch highest := d.r.Highest(); kind % 8 {
	case 0, 1: // a few packets get lost
		d.hear(highest + 1 + uint64(arg)%4)
	case 2: // the next packets arrive
		for range arg % 16 {
			d.hear(d.r.Highest() + 1)
		}
	case 3: // one packet arrives late
		d.hear(highest - min(highest, uint64(arg)%64))
	case 4: // a missing packet arrives, or is settled with others
		runs := d.m.spans()
		if len(runs) == 0 {
			return
		}
		s := runs[int(arg>>1)%len(runs)]
		if arg&1 == 0 {
			d.hear(s.start + uint64(arg)%(s.end-s.start))
		} else {
			d.settle(s.start-min(s.start, uint64(arg)%8), s.start+uint64(arg)%32)
		}
	case 5: // time passes
		d.r.sleep(time.Duration(arg) * time.Millisecond / 512)
	case 6: // many packets get lost, rarely as many as the window holds or more
		switch jump := uint64(arg); {
		case arg%128 == 0:
			d.hear(highest + 1 + jump*jump)
		case arg%16 == 0:
			d.hear(highest + 1 + jump/8)
		default:
			d.hear(highest + 1 + jump%16)
		}
	case 7:
		if arg%2 == 0 {
			d.take(1 + int(arg/2%4))
		} else {
			d.take(maxGaps + 1)
		}
	}
}

func (d *duel) hear(c uint64) {
	if !d.r.window.fresh(c) {
		return
	}
	d.r.hear(c)
	d.m.hear(d.now(), c)
}

func (d *duel) settle(start, end uint64) {
	if got, want := d.r.Settle(start, end), d.m.remove(span{start, max(start, end)}); got != want {
		d.t.Fatalf("[%d, %d) settled %d, want %d", start, end, got, want)
	}
}

func (d *duel) take(most int) {
	want := d.m.take(d.now(), rtt, most)
	var got []span
	d.r.TakeNaks(d.r.now, rtt, func(start, end uint64) bool {
		got = append(got, span{start, end})
		return len(got) < most
	})
	if !slices.Equal(got, want) {
		d.t.Fatalf("asked for %v, want %v", got, want)
	}
	if next := d.r.NextNak(rtt); len(got) < most && !next.IsZero() && !next.After(d.r.now) {
		d.t.Fatalf("next at %v after asking at %v", next, d.r.now)
	}
}

// check compares everything visible, and checks the invariants of the code.
func (d *duel) check() {
	d.r.t.Helper()
	want := d.m.spans()
	lowest := d.m.highest + 1
	if len(want) > 0 {
		lowest = want[0].start
	}
	d.r.misses(want...)
	d.r.lost(d.m.lost)
	switch {
	case d.r.Missing() != (len(want) > 0):
		d.t.Fatalf("packets are missing: %v, want %v", d.r.Missing(), (len(want) > 0))
	case d.r.Lowest() != lowest:
		d.t.Fatalf("the lowest missing packet number is %v, want %v", d.r.Lowest(), lowest)
	case d.r.Highest() != d.m.highest:
		d.t.Fatalf("the highest packet number is %v, want %v", d.r.Highest(), d.m.highest)
	case d.r.Received() != d.m.received:
		d.t.Fatalf("%v packets were received, want %v", d.r.Received(), d.m.received)
	}
	switch next := d.r.NextNak(rtt); {
	case next.IsZero() != (len(want) == 0):
		d.t.Fatalf("next at %v with %d missing", next, len(want))
	case len(want) > 0 && next.Sub(epoch) > d.m.next(rtt):
		d.t.Fatalf("next at %v, want %v", next.Sub(epoch), d.m.next(rtt))
	}
	asked := true
	for _, g := range d.r.gaps.ranges {
		if g.asks > 0 && !asked {
			d.t.Fatal("a range was asked for before an older one")
		}
		asked = g.asks > 0
	}
}

func TestGapsAreThoseOfANaiveImplementation(t *testing.T) {
	rng := rand.New(random(7))
	for often := range byte(8) { // the kind of step that is frequent
		d := newDuel(t)
		if rng.IntN(2) == 0 {
			d.hear(1<<32 - rng.Uint64N(3000))
		}
		for range 300 {
			kind := byte(rng.IntN(8))
			if rng.IntN(2) == 0 {
				kind = often
			}
			d.step(kind, uint16(rng.Uint32()))
			d.check()
		}
	}
}

// FuzzGaps takes three bytes for each step.
func FuzzGaps(f *testing.F) {
	rng := random(8)
	for range 4 {
		b := make([]byte, 180)
		rng.Read(b)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		d := newDuel(t)
		for b = b[:min(len(b), 180)]; len(b) >= 3; b = b[3:] {
			d.step(b[0], binary.BigEndian.Uint16(b[1:]))
			d.check()
		}
	})
}
