package gossip

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/arena"
	"github.com/gwyh-go/gwyh/internal/broadcast"
	"github.com/gwyh-go/gwyh/internal/delivery"
	"github.com/gwyh-go/gwyh/internal/pacing"
	packets "github.com/gwyh-go/gwyh/internal/peer"
	"github.com/gwyh-go/gwyh/internal/simnet"
	"github.com/gwyh-go/gwyh/internal/stats"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// fill queues count broadcasts of 256 bytes for p.
func (n *node) fill(now time.Time, p *peer, count int) (ids []wire.MessageID) {
	var list []packets.Queued
	for range count {
		id := n.ids.Broadcast()
		m := n.sender.NewSmall(now, wire.AppendCast(nil, wire.KindCast, id, 0, make([]byte, 256)))
		list = append(list, packets.Queued{Ref: m.Ref, At: now})
		ids = append(ids, id)
	}
	p.Packets.PutBack(list)
	return ids
}

// lazy makes p send n a Prune for an origin, or a Graft if is is false.
func (n *node) lazy(p *peer, origin uint64, is bool) {
	var s wire.Steer
	s.Add(origin, false)
	var m wire.Message
	_, _ = wire.ParseMessage(&m, wire.AppendList(nil, wire.KindPrune, wire.MessageID{}, s.Bytes()))
	if is {
		n.broadcast.Disseminator.HandleSteer(&p.Neighbor, m.Data, true)
	} else {
		n.broadcast.Disseminator.HandleSteer(&p.Neighbor, m.Data, false)
	}
}

// paceOf returns the pacing of a fast link, or of a much slower one.
func paceOf(now time.Time, quick bool) *pacing.Controller {
	rtt := 10 * time.Second
	if quick {
		rtt = time.Millisecond
	}
	return pacing.New(now, rtt, func(n int64) int64 { return n / 2 }, 1400)
}

// reportsAll makes all peers with a link to the node report what they were sent.
func (n *node) reportsAll(now time.Time) {
	for _, p := range n.links {
		p.Packets.Pace().Report(now, pacing.Report{Delivered: math.MaxInt64, InFlightSent: math.MaxInt64})
	}
}

const fillsLink = packets.SmallOwn/256 + 1 // number of broadcasts of fill that fill a link

func TestOneFullLinkHoldsOwnMessagesUpUnlessItsPeerIsSilentOrFarSlower(t *testing.T) {
	c := newCluster(t, 1, gigabit())
	c.add(6)
	c.form(5 * time.Second)
	n := c.nodes[0]
	c.do(0, func(now time.Time) {
		p := n.links[2]
		n.reportsAll(now)
		for name, is := range map[string]struct {
			full, unwanted, silent, slow, mute bool
			congested                          bool
		}{
			"nothing waits":        {},
			"full":                 {full: true, congested: true},
			"full and unwanted":    {full: true, unwanted: true},
			"full and silent":      {full: true, silent: true},
			"full and far slower":  {full: true, slow: true},
			"full, never reported": {full: true, mute: true},
			"full, slow, unwanted": {full: true, slow: true, unwanted: true},
		} {
			heard := p.Swim.Heard
			var paces []pacing.Controller
			for _, o := range n.links {
				paces = append(paces, *o.Packets.Pace())
			}
			if is.full {
				n.fill(now, p, fillsLink)
			}
			if is.silent {
				p.Swim.Heard = now.Add(-time.Minute)
			}
			if is.slow {
				for _, o := range n.links {
					*o.Packets.Pace() = *paceOf(now, o != p)
				}
			}
			if is.mute {
				*p.Packets.Pace() = *paceOf(now, true)
			}
			n.lazy(p, n.ids.Origin(), is.unwanted)
			if got := n.broadcast.Congested(now, false); got != is.congested {
				t.Errorf("%s: congested %v", name, got)
			}
			p.Swim.Heard = heard
			n.lazy(p, n.ids.Origin(), false)
			p.Packets.TakeQueue(0)
			for i, o := range n.links {
				*o.Packets.Pace() = paces[i]
			}
		}
	})
}

// If too few eager peers have room, messages of this node are sent along other links that have room.
func TestOwnMessageGoesAlongLinksThatTakeIt(t *testing.T) {
	c := newCluster(t, 1, gigabit())
	c.add(8)
	c.form(5 * time.Second)
	n := c.nodes[0]
	c.do(0, func(now time.Time) {
		n.reportsAll(now)
		for i, p := range n.links {
			n.lazy(p, n.ids.Origin(), true)
			if i < len(n.links)-broadcast.OwnLinks {
				n.fill(now, p, fillsLink)
			}
		}
		if n.broadcast.Congested(now, false) {
			t.Fatal("it is congested although three links take a message")
		}
		before := n.stats.BroadcastsForwarded
		if err := n.Broadcast(now, []byte("hello")); err != nil {
			t.Fatal(err)
		}
		if got := n.stats.BroadcastsForwarded - before; got != broadcast.OwnLinks {
			t.Errorf("sent in full along %d links, want %d", got, broadcast.OwnLinks)
		}
		n.fill(now, n.links[len(n.links)-1], fillsLink)
		if !n.broadcast.Congested(now, false) {
			t.Error("it is not congested although two links only take a message")
		}
	})
}

// Messages that the arena dropped before they were sent are counted, and do not delay later messages.
func TestForgottenMessagesKeepNothingUp(t *testing.T) {
	c := pair(t)
	n, o := c.nodes[0], c.nodes[1]
	p := n.links[0]
	c.do(0, func(now time.Time) {
		gone := packets.Queued{Ref: arena.Ref{Off: 1 << 40, Size: 300}, At: now}
		n.fill(now, p, 10)
		p.Packets.PutBack(slices.Repeat([]packets.Queued{gone}, 100))
		n.sender.Pump(now, &p.Peer)
		if p.Packets.Waiting() != 0 || p.Packets.Backlog() != 0 {
			t.Errorf("%d wait, of %d bytes", p.Packets.Waiting(), p.Packets.Backlog())
		}
	})
	c.net.RunFor(time.Second)
	if got := n.Stats().Dropped[stats.DropForgotten]; got != 100 {
		t.Errorf("%d counted as forgotten, want 100", got)
	}
	if got := o.stats.BroadcastsDelivered; got != 10 {
		t.Errorf("%d of 10 came", got)
	}
}

// A node with a backlog delays its reports in proportion to the backlog (PROTOCOL.md T1).
func TestNodeThatIsBehindReportsLater(t *testing.T) {
	c := newCluster(t, 1, simnet.Link{Latency: simnet.Constant(time.Millisecond)})
	c.add(4)
	c.form(5 * time.Second)
	n := c.nodes[0]
	c.do(0, func(now time.Time) {
		n.reportsAll(now)
		from, to := n.links[0], n.links[1]
		for _, waits := range []int{0, 1, 3, 100} {
			to.Packets.TakeQueue(0)
			n.fill(now, to, waits*packets.SmallOwn/256)
			from.Packets.Channel(now).WantReport(now)
			n.sender.Report(now, &from.Peer)
			want := packets.ReportInterval * time.Duration(min(1+to.Packets.Backlog()/packets.SmallOwn, delivery.ReportDelayMax))
			if got := from.Packets.NextReport().Sub(now); got != want {
				t.Errorf("%d bytes wait: next report after %v, want %v", to.Packets.Backlog(), got, want)
			}
		}
		to.Packets.TakeQueue(0)
	})
}

// All nodes send faster than the slowest can receive. Messages that Broadcast accepts arrive, or are counted.
func TestFloodInSimulationIsDeliveredOrRefused(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, simnet.Link{Latency: simnet.Constant(200 * time.Microsecond), Rate: 20 << 20, Queue: 256 << 10})
	c.add(brief(20, 10))
	c.form(5 * time.Second)
	accepted, refused := 0, 0
	for step := range brief(150, 30) {
		for i := range c.nodes {
			c.do(i, func(now time.Time) {
				for k := range 20 {
					if err := c.nodes[i].Broadcast(now, fmt.Appendf(nil, "%d %d %d %250s", i, step, k, "")); err == nil {
						accepted++
					} else {
						refused++
					}
				}
			})
		}
		c.net.RunFor(time.Millisecond)
	}
	c.net.RunFor(10 * time.Second)
	lost := 0
	for i, n := range c.nodes {
		for _, times := range n.got {
			if times != 1 {
				t.Fatalf("node %d got a message %d times", i, times)
			}
		}
		lost += accepted - int(n.stats.BroadcastsSent) - int(n.stats.BroadcastsDelivered)
	}
	t.Logf("%d accepted, %d refused, %d of %d deliveries lost", accepted, refused, lost, accepted*(len(c.nodes)-1))
	if 10_000*lost > accepted*(len(c.nodes)-1) {
		t.Errorf("%d of %d deliveries lost", lost, accepted*(len(c.nodes)-1))
	}
	if refused == 0 {
		t.Error("nothing was refused")
	}
	c.quiet()
}

// Small messages that wait for the pacing wait for a report, and the one that is on its way may be lost.
func TestSmallMessagesThatWaitDoNotDependOnOneReport(t *testing.T) {
	const seeds = 20 // also with -short, because most refused messages are of few clusters
	refused := 0
	for seed := range uint64(seeds) {
		c := newCluster(t, seed+1, simnet.Link{Latency: simnet.Constant(time.Millisecond), Loss: 0.05})
		c.add(10)
		c.form(5 * time.Second)
		for i := range 1500 {
			c.do(i%10, func(now time.Time) {
				if c.nodes[i%10].Broadcast(now, fmt.Appendf(nil, "message %06d %200s", i, "")) != nil {
					refused++
				}
			})
			c.net.RunFor(100 * time.Microsecond)
		}
	}
	t.Logf("%d of %d messages were refused", refused, 1500*seeds)
	if refused > 3*seeds {
		t.Errorf("%d of %d messages were refused although the links carry many times as much", refused, 1500*seeds)
	}
}
