package delivery_test

import (
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/delivery"
	"github.com/gwyh-go/gwyh/internal/handshake"
	"github.com/gwyh-go/gwyh/internal/legacy"
	"github.com/gwyh-go/gwyh/internal/pair"
	"github.com/gwyh-go/gwyh/internal/stats"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// peer gives A a Go peer that has no session and never answers.
func (w *world) peer(i byte) *delivery.Peer {
	p := &delivery.Peer{}
	w.A.Delivery.Add(p, w.A.Sessions.Add(w.Now, &handshake.Established{Peer: wire.NodeID{i, 6: 0x80}}, &p.Timer))
	p.Timer.Fire = func(time.Time) {}
	w.A.Detector.AddPeer(&p.Swim)
	return p
}

// link begins a link of A with such a peer.
func (w *world) link(i byte) *delivery.Peer {
	p := w.peer(i)
	w.A.Delivery.Link(w.Now, p)
	w.A.Delivery.Broadcasts.LinkBegan(w.Now, p)
	w.A.Detector.LinkUp(w.Now, &p.Swim)
	return p
}

// beat lets heartbeats be due for so long, and returns how many each link got and the longest time between two of one link.
func (w *world) beat(links []*delivery.Peer, length time.Duration) (counts map[*delivery.Peer]int, longest time.Duration) {
	counts = map[*delivery.Peer]int{}
	last := map[*delivery.Peer]time.Time{}
	beats := &w.A.Delivery.Beats
	now, end := w.Now, w.Now.Add(length)
	for _, p := range links {
		beats.LinkUp(now, p)
	}
	for now.Before(end) {
		var next time.Time
		for _, p := range links {
			if !p.Beat.After(now) {
				if at, again := last[p]; again {
					longest = max(longest, now.Sub(at))
				}
				last[p] = now
				counts[p]++
				beats.Sent(now, p)
			}
			if next.IsZero() || p.Beat.Before(next) {
				next = p.Beat
			}
		}
		now = next
	}
	return counts, longest
}

func TestEachOfFiveLinksGetsEachHeartbeatAndOfMoreHalf(t *testing.T) {
	for _, c := range []struct {
		name               string
		links, least, most int
		gap                time.Duration
	}{
		{"five", 5, 95, 106, time.Second},
		{"ten", 10, 45, 60, 2 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			var links []*delivery.Peer
			for i := range c.links {
				links = append(links, w.link(byte(10+i)))
			}
			counts, longest := w.beat(links, 100*time.Second)
			for i, p := range links {
				if counts[p] < c.least || counts[p] > c.most {
					t.Errorf("link %d got %d heartbeats in 100 s, want %d to %d", i, counts[p], c.least, c.most)
				}
			}
			if limit := c.gap * 11 / 10; longest > limit {
				t.Errorf("%v passed between two heartbeats of one link, want at most %v", longest, limit)
			}
		})
	}
}

func TestFirstHeartbeatOfALinkIsDueAtOnce(t *testing.T) {
	w := newWorld(t)
	p := w.link(10)
	w.A.Delivery.Beats.LinkUp(w.Now, p)
	if !p.Beat.Equal(w.Now) {
		t.Errorf("it is due %v later", p.Beat.Sub(w.Now))
	}
	if at := w.A.Timers.Next(); at.After(w.Now) {
		t.Errorf("the next timer is due %v later", at.Sub(w.Now))
	}
}

func TestHeartbeatsOfAGwyh01NodeHaveAnIntervalOfTheirOwn(t *testing.T) {
	w := newWorld(t)
	l := w.linkLegacy(1)
	beats := &w.A.Delivery.Beats
	beats.LinkUp(w.Now, l.Peer)
	beats.Sent(w.Now, l.Peer)
	if got := l.Peer.Beat.Sub(w.Now); got < legacy.Interval*9/10 || got > legacy.Interval*11/10 {
		t.Errorf("the next heartbeat is due after %v, want about %v", got, legacy.Interval)
	}
}

// What belongs to the exchange of broadcasts is taken from members only: whoever has the key can have a session.
func TestStrangerTakesNoPartInTheExchangeOfBroadcasts(t *testing.T) {
	messages := map[string]struct {
		m       wire.Message
		ofLinks bool
	}{
		"a broadcast":             {wire.Message{Kind: wire.KindCast, Data: []byte("x")}, true},
		"a beacon":                {wire.Message{Kind: wire.KindBeacon, Data: []byte("x")}, true},
		"a digest":                {wire.Message{Kind: wire.KindHave}, true},
		"a request":               {wire.Message{Kind: wire.KindWant}, true},
		"a prune":                 {wire.Message{Kind: wire.KindPrune}, true},
		"a graft":                 {wire.Message{Kind: wire.KindGraft}, true},
		"stripes":                 {wire.Message{Kind: wire.KindStripes}, true},
		"a stop":                  {wire.Message{Kind: wire.KindStop}, true},
		"a piece of a message":    {wire.Message{Kind: wire.KindFrame, Total: 1, Data: []byte("x")}, true},
		"a frame without content": {wire.Message{Kind: wire.KindFrame}, false},
		"a heartbeat":             {wire.Message{Kind: wire.KindHeartbeat}, false},
		"a piece of a direct one": {wire.Message{Kind: wire.KindDirect}, false},
	}
	for name, c := range messages {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			if got := w.A.Delivery.Accepts(w.A.Peer, &c.m); got == c.ofLinks {
				t.Errorf("of a stranger: accepted %t", got)
			}
			want := uint64(0)
			if c.ofLinks {
				want = 1
			}
			if got := w.A.Stats.Dropped[stats.DropUnexpected]; got != want {
				t.Errorf("%d counted, want %d", got, want)
			}
			w.A.AddOther()
			if !w.A.Delivery.Accepts(w.A.Peer, &c.m) {
				t.Error("of a member: refused")
			}
		})
	}
}

func TestOnlyMembersAndThoseThatWaitForTheirNameGetLinks(t *testing.T) {
	w := newWorld(t)
	p := w.A.Peer
	if !w.A.Delivery.Excludes(p) {
		t.Error("a stranger gets a link")
	}
	p.Waits = true
	if w.A.Delivery.Excludes(p) {
		t.Error("a node that waits for its name gets none")
	}
	p.Waits = false
	w.A.AddOther()
	if w.A.Delivery.Excludes(p) {
		t.Error("a member gets none")
	}
	if l := w.A.AddLegacy(1); w.A.Delivery.Excludes(l.Peer) {
		t.Error("a gwyh 0.1 node gets none")
	}
}

func TestExchangeBeginsWhenThePeerIsAMember(t *testing.T) {
	w := newWorld(t)
	d := w.A.Delivery
	d.Link(w.Now, w.A.Peer)
	if d.Admit(w.Now, w.A.Peer); len(d.Links()) != 0 {
		t.Fatal("it began with a stranger")
	}
	w.A.AddOther()
	for range 2 {
		if d.Admit(w.Now, w.A.Peer); len(d.Links()) != 1 {
			t.Fatalf("it runs over %d links, want 1", len(d.Links()))
		}
	}
	if d.Dismiss(w.Now, w.A.Peer); len(d.Links()) != 1 {
		t.Error("it ended with a member")
	}
}

func TestExchangeWithANewRunEndsWhenItIsNone(t *testing.T) {
	w := newWorld(t)
	d := w.A.Delivery
	d.Link(w.Now, w.A.Peer)
	w.A.Peer.NewRun = true
	if d.Admit(w.Now, w.A.Peer); len(d.Links()) != 1 {
		t.Fatal("it did not begin")
	}
	if d.Dismiss(w.Now, w.A.Peer); len(d.Links()) != 0 {
		t.Error("it goes on")
	}
	if !w.A.Peer.Linked {
		t.Error("the link ended as well")
	}
}

func TestHandshakeShowsForAShortTimeWhoIsAtAnAddress(t *testing.T) {
	p, at, now := &delivery.Peer{}, pair.Member(1).Addr, pair.Epoch
	if p.NoteAnsweredAt(now, at); !p.HasAnsweredAt(now.Add(10*time.Second), at) {
		t.Error("forgotten after 10 s")
	}
	if p.HasAnsweredAt(now.Add(11*time.Second), at) {
		t.Error("still believed after 11 s")
	}
	if p.HasAnsweredAt(now, pair.Member(2).Addr) {
		t.Error("believed of another address")
	}
}

func TestAgeOfTheLastPacketIsRoundedUpAndBounded(t *testing.T) {
	w := newWorld(t)
	opened := w.A.Peer.Sessions.LastOpened()
	for after, want := range map[time.Duration]uint32{
		-time.Second:                   0, // the clock went back
		0:                              0,
		time.Nanosecond:                1,
		1500 * time.Microsecond:        2,
		1 << 33 * time.Millisecond:     1 << 31,
		(1<<31 - 1) * time.Millisecond: 1<<31 - 1,
	} {
		if got := w.A.Peer.HeardAge(opened.Add(after)); got != want {
			t.Errorf("after %v: %d ms, want %d", after, got, want)
		}
	}
}
