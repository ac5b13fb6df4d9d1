package gossip

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/delivery"
	"github.com/gwyh-go/gwyh/internal/event"
	"github.com/gwyh-go/gwyh/internal/ping"
	"github.com/gwyh-go/gwyh/internal/simnet"
)

// pinged makes node i ping an address and returns the resulting event.
func (c *cluster) pinged(i, to int, name string, within time.Duration) event.Event {
	c.t.Helper()
	n := c.nodes[i]
	var token event.PingToken
	c.do(i, func(now time.Time) {
		var err error
		if token, err = n.Core.Ping(now, name, testAddr(to), now.Add(within)); err != nil {
			c.t.Fatal(err)
		}
	})
	var end event.Event
	if !c.net.RunUntil(within+time.Second, func() bool {
		for _, e := range n.pings {
			if e.Kind == event.Pinged && e.Ping == token {
				end = e
			}
		}
		return end.Ping == token
	}) {
		c.t.Fatal("the ping did not end")
	}
	return end
}

func TestPingMeasuresTheWayThereAndBack(t *testing.T) {
	c := newCluster(t, 1, simnet.Link{Latency: simnet.Constant(20 * time.Millisecond)})
	c.add(4)
	for i := 1; i < 3; i++ { // node 3 does not join
		c.join(i, 0)
	}
	c.net.RunFor(3 * time.Second)
	for _, to := range []int{1, 3} {
		if e := c.pinged(0, to, "", time.Second); e.Err != nil || e.RTT != 40*time.Millisecond {
			t.Errorf("node %d: %v, %v", to, e.RTT, e.Err)
		}
	}
	if e := c.pinged(0, 1, "node-1", time.Second); e.Err != nil {
		t.Error(e.Err)
	}
	if e := c.pinged(0, 1, "node-2", time.Second); !errors.Is(e.Err, delivery.ErrOtherName) {
		t.Errorf("wrong name: %v", e.Err)
	}
	if e := c.pinged(0, 9, "", time.Second); e.Err == nil {
		t.Error("nobody answered")
	}
	if e := c.pinged(0, 0, "", time.Second); e.Err != nil {
		t.Errorf("oneself: %v", e.Err)
	}
	c.net.RunFor(10 * time.Second)
	if n := c.nodes[0]; n.Core.pings.Pings.Len() != 0 || n.hs.dials.Len() != 0 {
		t.Errorf("%d pings and %d handshakes are left", n.Core.pings.Pings.Len(), n.hs.dials.Len())
	}
}

// At 30 % loss about half of single Pings fail.
func TestPingIsRepeatedAndItsTimeIsThatOfTheOneAnswered(t *testing.T) {
	c := newCluster(t, 1, simnet.Link{Latency: simnet.Constant(20 * time.Millisecond)})
	c.add(2)
	c.form(time.Second)
	c.net.Adjust(func(l *simnet.Link) { l.Loss = 0.3 })
	failed := 0
	for range 50 {
		if e := c.pinged(0, 1, "", time.Second); e.Err != nil {
			failed++
		} else if e.RTT != 40*time.Millisecond {
			t.Errorf("%v", e.RTT)
		}
	}
	if failed > 12 {
		t.Errorf("%d of 50 failed", failed)
	}
}

func TestLinksInTurnAndOthersAtRandomGiveTimeAndPayload(t *testing.T) {
	c := newCluster(t, 1, simnet.Link{Latency: simnet.Constant(5 * time.Millisecond)})
	c.tweak = func(i int, cfg *Config) { cfg.Pings = true }
	c.add(40)
	c.form(5 * time.Second)
	c.net.RunFor(20 * time.Second)
	n := c.nodes[0]
	n.pings = nil
	c.net.RunFor(30 * time.Second)
	linked, others := map[string]int{}, 0
	for _, e := range n.pings {
		if e.RTT != 10*time.Millisecond || string(e.Data) != "payload of "+e.Member.Name {
			t.Errorf("%s: %v, %q", e.Member.Name, e.RTT, e.Data)
		}
		if p := n.peers[e.Member.ID]; p != nil && p.Linked {
			linked[e.Member.Name]++
		} else {
			others++
		}
	}
	t.Logf("%d links, of which %d answered in 30 s; %d others; %d answers", len(n.links), len(linked), others, len(n.pings))
	switch {
	case len(linked) < len(n.links):
		t.Errorf("%d links pinged, want each of %d", len(linked), len(n.links))
	case others < 2:
		t.Errorf("%d others pinged, want about three", others)
	case others > 4:
		t.Errorf("%d others pinged, want about three", others)
	case len(n.pings) > 40:
		t.Errorf("%d pings, want one a second", len(n.pings))
	}
}

func TestPayloadBeyondItsBoundIsNotSent(t *testing.T) {
	c := newCluster(t, 1, lan())
	c.tweak = func(i int, cfg *Config) { cfg.Pings = i == 0 }
	c.add(2)
	c.form(time.Second)
	c.do(1, func(now time.Time) { c.nodes[1].SetAckPayload(now, make([]byte, ping.PayloadMax)) })
	c.net.RunFor(3 * time.Second)
	most := 0
	for _, e := range c.nodes[0].pings {
		most = max(most, len(e.Data))
	}
	if most != ping.PayloadMax {
		t.Errorf("%d bytes came, want %d", most, ping.PayloadMax)
	}
	c.do(1, func(now time.Time) { c.nodes[1].SetAckPayload(now, make([]byte, ping.PayloadMax+1)) })
	c.net.RunFor(100 * time.Millisecond)
	c.nodes[0].pings = nil
	c.net.RunFor(3 * time.Second)
	for _, e := range c.nodes[0].pings {
		if len(e.Data) != 0 {
			t.Errorf("%d bytes came", len(e.Data))
		}
	}
	if logs := strings.Join(c.nodes[1].logs, "\n"); !strings.Contains(logs, "AckPayload of 1025 bytes") {
		t.Errorf("log: %q", logs)
	}
}
