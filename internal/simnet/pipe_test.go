package simnet

import (
	"testing"
	"time"
)

// source makes a host send datagrams of 1,222 bytes, 1,250 on the link, at an even pace.
func source(n *Network, from int, p *probe, to int, every time.Duration, until time.Duration) {
	var next func()
	next = func() {
		if n.Elapsed() < until {
			send(n, p, testAddr(from), testAddr(to), 1, 1250-Overhead)
			n.After(every, next)
		}
	}
	n.After(0, next)
}

func TestBottleneckPassesItsRateAndDropsTheRest(t *testing.T) {
	n := New(Config{Seed: 1, Link: Link{Latency: Constant(20 * time.Millisecond)}})
	p := addProbes(n, 3)
	n.SetLink(testAddr(0), testAddr(1), Link{Latency: Constant(20 * time.Millisecond), Rate: 10 * Mbit, Queue: 64 << 10})
	// Each link is offered 20 Mbit/s for 10 s: 2,000 datagrams per second.
	source(n, 0, p[0], 1, 500*time.Microsecond, 10*time.Second)
	source(n, 0, p[0], 2, 500*time.Microsecond, 10*time.Second)
	n.RunFor(10*time.Second + 20*time.Millisecond)
	if got := len(p[1].got); got < 9_990 || got > 10_001 {
		t.Errorf("%d datagrams in 10 s at 10 Mbit/s, want 10,000", got)
	}
	if len(p[2].got) != 20_000 {
		t.Errorf("%d of 20,000 on the link without a limit", len(p[2].got))
	}
	s := n.LinkPipe(testAddr(0), testAddr(1)).Stats()
	if lost := n.Stats().Lost[LostInQueue]; lost != s.Dropped || s.Sent+s.Dropped != 20_000 {
		t.Errorf("%+v, %d lost in queues", s, lost)
	}
	n.RunFor(time.Second)
	if after := len(p[1].got) - int(s.Sent); after != 0 {
		t.Errorf("%d datagrams more than passed", after)
	}
	// The last datagram found 51 others waiting, 1 ms each.
	delay := p[1].got[len(p[1].got)-1].at.Sub(n.clock) - 10*time.Second - 20*time.Millisecond
	if delay < 51*time.Millisecond || delay > 53*time.Millisecond {
		t.Errorf("the full queue takes %v, want 52ms", delay)
	}
}

func TestDatagramsInAQueueArriveOneAfterAnother(t *testing.T) {
	n := New(Config{Seed: 1, Link: Link{Rate: Mbit, Latency: Constant(time.Millisecond)}})
	p := addProbes(n, 2)
	send(n, p[0], testAddr(0), testAddr(1), 3, 1250-Overhead)
	n.RunFor(time.Second)
	for i, a := range p[1].got {
		if got, want := a.at.Sub(n.clock), time.Duration(i+1)*10*time.Millisecond+time.Millisecond; got != want {
			t.Errorf("datagram %d after %v, want %v", i, got, want)
		}
	}
}

func TestUplinkIsSharedByAllReceivers(t *testing.T) {
	n := New(Config{Seed: 1})
	p := &probe{}
	n.Add(HostConfig{Addr: testAddr(0), Uplink: 10 * Mbit, UplinkQueue: 32 << 10}, p)
	for i := range 4 {
		n.Add(HostConfig{Addr: testAddr(i + 1)}, &probe{})
		source(n, 0, p, i+1, time.Millisecond, 5*time.Second)
	}
	n.RunFor(5 * time.Second)
	if got := n.Stats().Delivered; got < 4_990 || got > 5_001 {
		t.Errorf("%d datagrams in 5 s at 10 Mbit/s, want 5,000", got)
	}
	if s := n.Uplink(testAddr(0)).Stats(); s.Dropped == 0 || s.Dropped != n.Stats().Lost[LostInQueue] {
		t.Errorf("%+v", s)
	}
}

func TestPipeIsSharedByTheLinksThatNameIt(t *testing.T) {
	n := New(Config{Seed: 1})
	p := addProbes(n, 3)
	pipe := NewPipe(10*Mbit, 64<<10)
	for i := range 2 {
		n.SetLink(testAddr(i), testAddr(2), Link{Pipe: pipe})
		source(n, i, p[i], 2, time.Millisecond, 5*time.Second)
	}
	n.RunFor(5 * time.Second)
	if got := len(p[2].got); got < 4_990 || got > 5_001 {
		t.Errorf("%d datagrams in 5 s at 10 Mbit/s, want 5,000", got)
	}
	if s := pipe.Stats(); s.Sent+s.Dropped != 10_000 || s.DroppedBytes != s.Dropped*(1250-Overhead) {
		t.Errorf("%+v", s)
	}
}

func TestRateCanChange(t *testing.T) {
	n := New(Config{Seed: 1, Link: Link{Rate: Mbit}})
	p := addProbes(n, 2)
	send(n, p[0], testAddr(0), testAddr(1), 1, 1250-Overhead)
	n.RunFor(10 * time.Millisecond)
	n.Adjust(func(l *Link) { l.Rate = 10 * Mbit })
	send(n, p[0], testAddr(0), testAddr(1), 1, 1250-Overhead)
	n.RunFor(time.Millisecond)
	if len(p[1].got) != 2 {
		t.Errorf("%d arrived after 11 ms", len(p[1].got))
	}
}

func TestEmptyQueueTakesADatagramLargerThanItself(t *testing.T) {
	n := New(Config{Seed: 1, Link: Link{Rate: Gbit, Queue: 100}})
	p := addProbes(n, 2)
	send(n, p[0], testAddr(0), testAddr(1), 2, 1000)
	n.RunFor(time.Second)
	if len(p[1].got) != 1 {
		t.Errorf("%d arrived, want the first", len(p[1].got))
	}
}
