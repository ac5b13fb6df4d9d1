package simnet

import (
	"testing"
	"time"
)

func TestSlowHostRunsInItsShareOfTheTime(t *testing.T) {
	n := New(Config{Seed: 1})
	p := addProbes(n, 2)
	n.SetLoad(testAddr(1), Load{Share: 0.1, Period: 100 * time.Millisecond})
	source(n, 0, p[0], 1, time.Millisecond, time.Second)
	n.Do(testAddr(1), func(now time.Time) {
		p[1].every = 3 * time.Millisecond
		p[1].timer = now.Add(time.Millisecond)
	})
	n.RunFor(2 * time.Second)
	if len(p[1].got) != 1000 {
		t.Fatalf("%d of 1,000 taken", len(p[1].got))
	}
	windows := map[int64]int{}
	phase := n.hosts[1].throttle.phase
	count := func(at time.Time) {
		pos := int64(at.Sub(n.clock)) + phase
		windows[pos/1e8]++
		if pos%1e8 >= 1e7 {
			t.Fatalf("ran %v into its period", time.Duration(pos%1e8))
		}
	}
	for _, a := range p[1].got {
		count(a.at)
	}
	for _, at := range p[1].timeouts {
		count(at)
	}
	if len(windows) < 10 || len(p[1].timeouts) < 40 {
		t.Errorf("ran in %d periods, %d timeouts", len(windows), len(p[1].timeouts))
	}
}

func TestCostLimitsWhatAHostTakes(t *testing.T) {
	for _, c := range []struct {
		load Load
		want int // datagrams in 10 s
	}{
		{Load{Cost: 2 * time.Millisecond}, 5000},
		{Load{Cost: 2 * time.Millisecond, Share: 0.1}, 500},
		{Load{Cost: 25 * time.Millisecond, Share: 0.1}, 40}, // one datagram takes two and a half periods
	} {
		n := New(Config{Seed: 1})
		p := addProbes(n, 2)
		n.SetLoad(testAddr(1), c.load)
		source(n, 0, p[0], 1, time.Millisecond, 10*time.Second)
		n.RunFor(10 * time.Second)
		if got := len(p[1].got); got < c.want-6 || got > c.want+6 {
			t.Errorf("%+v: took %d datagrams in 10 s, want %d", c.load, got, c.want)
		}
	}
}

func TestAnswerOfALoadedHostLeavesWhenTheWorkIsDone(t *testing.T) {
	n := New(Config{Seed: 1})
	p := &probe{}
	n.Add(HostConfig{Addr: testAddr(0)}, p)
	n.Add(HostConfig{Addr: testAddr(1), Load: Load{Cost: 5 * time.Millisecond}}, &echo{})
	send(n, p, testAddr(0), testAddr(1), 2, 8)
	n.RunFor(time.Second)
	for i, a := range p.got {
		if got, want := a.at.Sub(n.clock), time.Duration(i+1)*5*time.Millisecond; got != want {
			t.Errorf("answer %d after %v, want %v", i, got, want)
		}
	}
}

func TestPausedHostTakesWhatItsSocketHeldInTheOrderItWasDue(t *testing.T) {
	n := New(Config{Seed: 1})
	p := &probe{}
	sender := &probe{}
	n.Add(HostConfig{Addr: testAddr(0)}, sender)
	n.Add(HostConfig{Addr: testAddr(1), SocketBuffer: 1000}, p)
	n.Do(testAddr(1), func(now time.Time) { p.timer = now.Add(2500 * time.Millisecond) })
	n.Pause(testAddr(1))
	for i := range 5 {
		n.RunFor(time.Second)
		n.Do(testAddr(0), func(time.Time) { sender.queue(testAddr(1), uint64(i), 300) })
	}
	n.RunFor(time.Second)
	if len(p.got)+len(p.timeouts) > 0 {
		t.Fatal("it ran")
	}
	n.Resume(testAddr(1))
	var before int
	n.RunUntil(time.Second, func() bool {
		if len(p.timeouts) == 0 {
			before = len(p.got)
		}
		return false
	})
	if len(p.got) != 3 || len(p.timeouts) != 1 || before != 2 {
		t.Errorf("took %v, %d of them before the timeout", p.got, before)
	}
	if at := p.got[0].at.Sub(n.clock); at != 6*time.Second {
		t.Errorf("took the first after %v", at)
	}
	if s := n.Stats(); s.Lost[LostAtSocket] != 2 {
		t.Errorf("%d lost at the socket, want 2", s.Lost[LostAtSocket])
	}
	send(n, sender, testAddr(0), testAddr(1), 1, 8)
	n.RunFor(time.Second)
	if len(p.got) != 4 {
		t.Error("deaf after the pause")
	}
}

func TestCrashLosesWhatTheSocketHeld(t *testing.T) {
	n := New(Config{Seed: 1})
	p := addProbes(n, 2)
	n.Pause(testAddr(1))
	send(n, p[0], testAddr(0), testAddr(1), 3, 8)
	n.RunFor(time.Second)
	n.Crash(testAddr(1))
	second := &probe{}
	n.Restart(testAddr(1), second)
	send(n, p[0], testAddr(0), testAddr(1), 1, 8)
	n.RunFor(time.Second)
	if len(second.got) != 1 || n.Stats().Lost[LostInCrash] != 3 {
		t.Errorf("the new host got %v, %d lost in the crash", second.got, n.Stats().Lost[LostInCrash])
	}
}

func TestLoadLiftedEmptiesTheSocketAtOnce(t *testing.T) {
	n := New(Config{Seed: 1})
	p := addProbes(n, 2)
	n.SetLoad(testAddr(1), Load{Cost: time.Hour})
	send(n, p[0], testAddr(0), testAddr(1), 100, 8)
	n.RunFor(time.Second)
	n.SetLoad(testAddr(1), Load{})
	n.RunFor(0)
	if len(p[1].got) != 100 {
		t.Errorf("%d of 100 taken", len(p[1].got))
	}
}
