package gossip

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/direct"
	"github.com/gwyh-go/gwyh/internal/event"
	"github.com/gwyh-go/gwyh/internal/handshake"
	"github.com/gwyh-go/gwyh/internal/joining"
	"github.com/gwyh-go/gwyh/internal/simnet"
	"github.com/gwyh-go/gwyh/internal/stats"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// pass sends a direct message from node i to the node at an address.
func (c *cluster) tell(i, to int, msg string, reliable bool, within time.Duration) event.SendToken {
	c.t.Helper()
	var token event.SendToken
	c.do(i, func(now time.Time) {
		var err error
		if token, err = c.nodes[i].Send(now, testAddr(to), []byte(msg), reliable, now.Add(within)); err != nil {
			c.t.Fatal(err)
		}
	})
	return token
}

// ended runs until the n-th reliable message of node i has ended, and returns the error of that message.
func (c *cluster) ended(i, n int, within time.Duration) error {
	c.t.Helper()
	if !c.net.RunUntil(within, func() bool { return len(c.nodes[i].sent) >= n }) {
		c.t.Fatalf("node %d heard of %d messages, want %d", i, len(c.nodes[i].sent), n)
	}
	return c.nodes[i].sent[n-1].Err
}

// strangers returns two nodes, far apart, that do not know each other.
func strangers(t *testing.T, seed uint64) *cluster {
	c := newCluster(t, seed, gigabit())
	c.add(2)
	return c
}

// Two nodes without a session exchange messages at 20 % loss in both directions.
func TestReliableMessageArrivesOnceAtTwentyPercentLoss(t *testing.T) {
	for _, size := range []int{0, 1, 1400, 1 << 20, MessageMax} {
		for run := range sized(20, 1) {
			c := strangers(t, uint64(run+1))
			c.net.Adjust(func(l *simnet.Link) { l.Loss = 0.2 })
			msg := payload(size, byte(run))
			if size < 24 {
				msg = msg[:size]
			}
			begin := c.net.Elapsed()
			c.tell(0, 1, msg, true, 60*time.Second)
			if err := c.ended(0, 1, 61*time.Second); err != nil {
				t.Errorf("%d bytes: %v", size, err)
			}
			s := c.nodes[0].Stats()
			if run == 0 {
				t.Logf("%d bytes took %v; %d datagrams, %d resent", size, c.net.Elapsed()-begin, s.SentDatagrams, s.Resent)
			}
			c.net.RunFor(10 * time.Second)
			if got := c.nodes[1].got[key(msg)]; got != 1 {
				t.Errorf("%d bytes came %d times", size, got)
			}
			if len(c.nodes[0].sent) != 1 {
				t.Errorf("%d bytes: told %d times how it ended", size, len(c.nodes[0].sent))
			}
			c.net.Adjust(func(l *simnet.Link) { l.Loss = 0 })
			c.net.RunFor(3 * time.Minute)
			c.quiet()
		}
	}
}

func TestReliableMessageToNobodyEndsWithAnErrorInTime(t *testing.T) {
	c := strangers(t, 1)
	begin := c.net.Elapsed()
	small := c.tell(0, 7, "hello", true, 3*time.Second)
	large := c.tell(0, 7, payload(1<<20, 1), true, 5*time.Second)
	for i, m := range []struct {
		name   string
		token  event.SendToken
		within time.Duration
	}{{"small", small, 3100 * time.Millisecond}, {"large", large, 5100 * time.Millisecond}} {
		if err := c.ended(0, i+1, 10*time.Second); err == nil {
			t.Errorf("the %s message ended without an error", m.name)
		}
		if got := c.nodes[0].sent[i].Send; got != m.token {
			t.Errorf("message %d ended instead of the %s one", got, m.name)
		}
		if took := c.net.Elapsed() - begin; took > m.within {
			t.Errorf("the %s message ended after %v, want at most %v", m.name, took, m.within)
		}
	}
	c.net.RunFor(time.Minute)
	c.quiet()
	if n := c.nodes[0].hs.dials.Len(); n != 0 {
		t.Errorf("%d handshakes under way", n)
	}
}

func TestReliableMessageToANodeThatCrashedEndsWithAnErrorInTime(t *testing.T) {
	c := strangers(t, 1)
	c.join(1, 0)
	c.net.RunFor(2 * time.Second)
	c.net.Crash(testAddr(1))
	for i, size := range []int{5, 1 << 20} {
		begin := c.net.Elapsed()
		c.tell(0, 1, payload(size, 1)[:size], true, 4*time.Second)
		if err := c.ended(0, i+1, 10*time.Second); err == nil || c.net.Elapsed()-begin > 4100*time.Millisecond {
			t.Errorf("%d bytes ended after %v: %v", size, c.net.Elapsed()-begin, err)
		}
	}
	c.net.RunFor(5 * time.Minute)
	c.quiet()
}

// The sender's session belongs to a node that is gone, so the sender needs another handshake.
func TestReliableMessageReachesANodeThatRestarted(t *testing.T) {
	for _, size := range []int{30, 1 << 20} {
		c := strangers(t, 1)
		c.tell(0, 1, "before", true, 5*time.Second)
		if err := c.ended(0, 1, 6*time.Second); err != nil {
			t.Fatal(err)
		}
		c.net.Crash(testAddr(1))
		c.nodes[1] = c.make(1)
		c.net.Restart(testAddr(1), c.nodes[1])
		msg := payload(size, 1)
		c.tell(0, 1, msg, true, 10*time.Second)
		if err := c.ended(0, 2, 11*time.Second); err != nil || c.nodes[1].got[key(msg)] != 1 {
			t.Errorf("%d bytes: %v, came %d times", size, err, c.nodes[1].got[key(msg)])
		}
		c.net.RunFor(3 * time.Minute)
		c.quiet()
	}
}

func TestReceiverThatRestartsAmidALargeMessageGetsItWhole(t *testing.T) {
	c := strangers(t, 1)
	msg := payload(4<<20, 1)
	c.tell(0, 1, msg, true, 20*time.Second)
	c.net.RunFor(300 * time.Millisecond)
	c.net.Crash(testAddr(1))
	c.nodes[1] = c.make(1)
	c.net.Restart(testAddr(1), c.nodes[1])
	if err := c.ended(0, 1, 21*time.Second); err != nil || c.nodes[1].got[key(msg)] != 1 {
		t.Errorf("%v, came %d times", err, c.nodes[1].got[key(msg)])
	}
	c.net.RunFor(3 * time.Minute)
	c.quiet()
}

func TestMessagesThatWaitForASessionAreAllSentOrAllFail(t *testing.T) {
	c := strangers(t, 1)
	for i := range 50 {
		c.tell(0, 1, payload(24+i*100, byte(i)), i%2 == 0, 5*time.Second)
		c.tell(0, 9, payload(24+i*100, byte(i)), i%2 == 0, 5*time.Second)
	}
	c.net.RunFor(10 * time.Second)
	failed := 0
	for _, e := range c.nodes[0].sent {
		if e.Err != nil {
			failed++
		}
	}
	switch {
	case len(c.nodes[1].got) != 50:
		t.Errorf("node 1 got %v messages, want 50", len(c.nodes[1].got))
	case len(c.nodes[0].sent) != 50:
		t.Errorf("node 0 heard of the end of %v messages, want 50", len(c.nodes[0].sent))
	case failed != 25:
		t.Errorf("%v messages failed, want 25", failed)
	case c.dropped(stats.DropUnreachable) != 25:
		t.Errorf("%v messages were counted as unreachable, want 25", c.dropped(stats.DropUnreachable))
	}
	c.net.RunFor(3 * time.Minute)
	c.quiet()
}

// A message that waits for the handshake of an earlier message with little time left keeps its own deadline.
func TestWaitingMessageOutlivesTheHandshakeOfAnother(t *testing.T) {
	c := strangers(t, 1)
	c.net.Crash(testAddr(1))
	c.tell(0, 1, "impatient", true, time.Second)
	c.tell(0, 1, "patient", true, 10*time.Second)
	c.net.RunFor(2 * time.Second)
	c.net.Restart(testAddr(1), c.nodes[1])
	c.net.RunFor(9 * time.Second)
	s := c.nodes[0].sent
	switch {
	case len(s) != 2:
		t.Errorf("len(s) is %d, want 2: %v", len(s), s)
	case s[0].Err == nil:
		t.Error("the first message ended without an error")
	case s[1].Err != nil:
		t.Errorf("the second message ended with %v, want nil", s[1].Err)
	case c.nodes[1].got["patient"] != 1:
		t.Errorf("node 1 got the patient message %v times, want 1", c.nodes[1].got["patient"])
	}
}

func TestDirectMessagesAreBounded(t *testing.T) {
	c := strangers(t, 1)
	n := c.nodes[0]
	c.do(0, func(now time.Time) {
		until := now.Add(5 * time.Second)
		if _, err := n.Send(now, testAddr(1), make([]byte, MessageMax+1), true, until); err == nil || !strings.Contains(err.Error(), "larger") {
			t.Errorf("too large: %v", err)
		}
		for i := range direct.WaitingMax + 10 {
			if _, err := n.Send(now, testAddr(9), []byte("x"), false, until); (err != nil) != (i >= direct.WaitingMax) || err != nil && !errors.Is(err, ErrQueueFull) {
				t.Fatalf("message %d: %v", i, err)
			}
		}
	})
	c.net.RunFor(10 * time.Second)
	c.do(0, func(now time.Time) {
		taken := 0
		for range 10 {
			if _, err := n.Send(now, testAddr(9), make([]byte, MessageMax/2), true, now.Add(5*time.Second)); err == nil {
				taken++
			} else if !errors.Is(err, ErrQueueFull) {
				t.Fatal(err)
			}
		}
		if taken != direct.WaitingBytes/(MessageMax/2) || footprint(n) > direct.WaitingBytes+1<<20 {
			t.Errorf("%d messages taken, %d bytes held", taken, footprint(n))
		}
	})
	c.net.RunFor(time.Minute)
	c.quiet()
}

// PROTOCOL.md U5.
func TestMessageToALegacyNodeIsRefused(t *testing.T) {
	c, o := withOld(t)
	c.do(0, func(now time.Time) {
		n := c.nodes[0]
		o.says(c, nil)
		m := &direct.Message{ID: n.direct.Sender.NewID(), To: o.path.Remote, Use: wire.UseMessage, Until: now.Add(time.Second)}
		out, err := n.direct.Start(nil, now, m, nil, []byte("x"))
		if err != nil {
			t.Fatal(err)
		}
		n.direct.conclude(now, out)
		a := n.hs.dial(now, o.path, joining.Dial{Purpose: joining.ForDirect, Token: 1}, now.Add(time.Second))
		n.peers[o.id].dials = []handshake.AttemptID{a}
		n.hs.ready(now, n.peers[o.id])
		if waiting, _ := n.direct.Sender.Len(); waiting != 0 {
			t.Errorf("%d still wait", waiting)
		}
		if got := n.Stats().Dropped[stats.DropUnreachable]; got != 1 {
			t.Errorf("%d dropped", got)
		}
	})
}

func TestSendToOneselfIsAnError(t *testing.T) {
	c := strangers(t, 1)
	c.tell(0, 0, "me", true, 3*time.Second)
	if err := c.ended(0, 1, 4*time.Second); err == nil {
		t.Error("no error")
	}
	c.net.RunFor(time.Minute)
	c.quiet()
}

// During the transfer of the message, the receiver begins a handshake that renews the session.
func TestLargeMessageSurvivesARenewalOfItsSession(t *testing.T) {
	c := strangers(t, 1)
	c.net.Adjust(func(l *simnet.Link) { l.Loss = 0.05 })
	msg := payload(4<<20, 1)
	c.tell(0, 1, msg, true, 20*time.Second)
	c.net.RunFor(400 * time.Millisecond)
	for range 3 {
		c.do(1, func(now time.Time) {
			n := c.nodes[1]
			n.hs.dialMember(now, n.peers[c.nodes[0].cfg.ID].Sessions.Path(), c.nodes[0].cfg.ID, 3*time.Second)
		})
		c.net.RunFor(100 * time.Millisecond)
	}
	if err := c.ended(0, 1, 20*time.Second); err != nil || c.nodes[1].got[key(msg)] != 1 {
		t.Errorf("%v, came %d times", err, c.nodes[1].got[key(msg)])
	}
	if n := c.nodes[0].Stats().HandshakesAccepted; n < 2 {
		t.Errorf("only %d sessions", n)
	}
	c.net.Adjust(func(l *simnet.Link) { l.Loss = 0 })
	c.net.RunFor(3 * time.Minute)
	c.quiet()
}
