package simnet

import (
	"testing"
	"time"
)

func TestClockOffsetMovesTheWallClockOnly(t *testing.T) {
	start := time.Date(2030, 2, 3, 4, 5, 6, 7, time.UTC)
	n := New(Config{Seed: 1, Start: start})
	p := []*probe{{}, {}}
	n.Add(HostConfig{Addr: testAddr(0)}, p[0])
	n.Add(HostConfig{Addr: testAddr(1), ClockOffset: -2 * time.Minute}, p[1])
	n.RunFor(time.Second)
	if !n.Now().UTC().Equal(start.Add(time.Second)) {
		t.Errorf("network time %v", n.Now())
	}
	wall := func(i int) time.Duration { return n.HostNow(testAddr(i)).UTC().Sub(n.Now().UTC()) }
	if wall(0) != 0 || wall(1) != -2*time.Minute {
		t.Errorf("wall clocks are off by %v and %v", wall(0), wall(1))
	}
	if d := n.HostNow(testAddr(1)).Sub(n.Now()); d != 0 {
		t.Errorf("monotonic clocks are apart by %v", d)
	}
	n.SetClockOffset(testAddr(1), time.Hour)
	if wall(1) != time.Hour || n.HostNow(testAddr(1)).Sub(n.Now()) != 0 {
		t.Errorf("after the jump the wall clock is off by %v", wall(1))
	}
}

func TestClockJumpLeavesTimersAlone(t *testing.T) {
	for _, jump := range []time.Duration{time.Hour, -time.Hour} {
		n := New(Config{Seed: 1})
		p := addProbes(n, 1)[0]
		n.Do(testAddr(0), func(now time.Time) {
			p.timer = now.Add(time.Second)
			p.every = time.Second
		})
		n.RunFor(1500 * time.Millisecond)
		n.SetClockOffset(testAddr(0), jump)
		n.RunFor(2 * time.Second)
		if len(p.timeouts) != 3 {
			t.Fatalf("jump by %v: %d timeouts in 3.5 s", jump, len(p.timeouts))
		}
		for i, at := range p.timeouts {
			if got, want := at.Sub(n.clock), time.Duration(i+1)*time.Second; got != want {
				t.Errorf("jump by %v: timeout %d after %v, want %v", jump, i, got, want)
			}
		}
		if got, want := p.timeouts[2].UTC(), n.clock.UTC().Add(3*time.Second+jump); !got.Equal(want) {
			t.Errorf("jump by %v: the wall clock showed %v, want %v", jump, got, want)
		}
	}
}

func TestTimerTakenFromTheWallClockIsDueByTheWallClock(t *testing.T) {
	n := New(Config{Seed: 1})
	p := addProbes(n, 1)[0]
	n.SetClockOffset(testAddr(0), time.Hour)
	n.Do(testAddr(0), func(now time.Time) { p.timer = now.UTC().Add(time.Second) })
	n.RunFor(2 * time.Second)
	if len(p.timeouts) != 1 || p.timeouts[0].Sub(n.clock) != time.Second {
		t.Errorf("timeouts %v", p.timeouts)
	}
}

func TestClockOffsetOutlivesACrash(t *testing.T) {
	n := New(Config{Seed: 1})
	addProbes(n, 1)
	n.SetClockOffset(testAddr(0), time.Minute)
	n.Crash(testAddr(0))
	n.Restart(testAddr(0), &probe{})
	if d := n.HostNow(testAddr(0)).UTC().Sub(n.Now().UTC()); d != time.Minute {
		t.Errorf("off by %v", d)
	}
}

func TestClockOutOfRangeIsRefused(t *testing.T) {
	mustPanic(t, func() { New(Config{Start: time.Date(1600, 1, 1, 0, 0, 0, 0, time.UTC)}) })
}
