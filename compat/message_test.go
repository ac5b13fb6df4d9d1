package compat

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	memberlist "github.com/gwyh-go/gwyh/compat/lib"
)

// two returns two nodes that know each other.
func (c *cluster) two(changes ...func(*memberlist.Config, *app)) (a, b *node) {
	c.Helper()
	a, b = c.node("a", changes...), c.node("b", changes...)
	c.join(a, b)
	c.soon("a knows b", func() bool { return a.names() == "a b" })
	return a, b
}

func TestDirectMessagesArriveInAllWaysOfSending(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		a, b := c.two()
		to := b.LocalNode()
		err := errors.Join(
			a.SendBestEffort(to, []byte("best effort")),
			a.SendReliable(to, []byte("reliable")),
			a.SendToAddress(to.FullAddress(), []byte("address")),
			a.SendTo(&net.UDPAddr{IP: to.Addr, Port: int(to.Port)}, []byte("to")),
			a.SendToUDP(to, []byte("udp")),
			a.SendToTCP(to, []byte("tcp")),
		)
		if err != nil {
			t.Fatal(err)
		}
		c.soon("six messages", func() bool { return len(b.messages()) == 6 })
		got := b.messages()
		slices.Sort(got)
		c.same("messages", got, []string{"address", "best effort", "reliable", "tcp", "to", "udp"})
		c.same("of the sender", a.messages(), []string(nil))
	})
}

func TestDirectMessageToANodeMadeByTheCaller(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		a, b := c.node("a"), c.node("b") // without a Join
		to := &memberlist.Node{Name: "b", Addr: b.end.ip, Port: port}
		if err := errors.Join(a.SendReliable(to, []byte("one")), a.SendBestEffort(to, []byte("two"))); err != nil {
			t.Fatal(err)
		}
		c.soon("both", func() bool { return len(b.messages()) == 2 })
		c.same("members", a.names()+", "+b.names(), "a, b")
	})
}

func TestDirectMessageToOneself(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		a := c.node("a")
		if err := errors.Join(a.SendReliable(a.LocalNode(), []byte("one")), a.SendBestEffort(a.LocalNode(), []byte("two"))); err != nil {
			t.Fatal(err)
		}
		c.soon("both", func() bool { return len(a.messages()) == 2 })
	})
}

func TestReliableMessageToNobodyIsAnError(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		a := c.node("a")
		if err := a.SendReliable(&memberlist.Node{Name: "x", Addr: net.IPv4(10, 9, 9, 9), Port: 1}, []byte("m")); err == nil {
			t.Error("no error")
		}
		if err := a.SendBestEffort(&memberlist.Node{Name: "x", Addr: net.IPv4(10, 9, 9, 9), Port: 1}, []byte("m")); err != nil {
			t.Error("best effort:", err)
		}
	})
}

func TestReliableMessageMayBeLarge(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		a, b := c.two()
		large := strings.Repeat("0123456789abcdef", 1<<16)
		c.same("SendReliable", a.SendReliable(b.LocalNode(), []byte(large)), error(nil))
		c.soon("it arrives", func() bool { return len(b.messages()) == 1 })
		c.same("whole", b.messages()[0] == large, true)
	})
}

func TestSenderMayUseItsBufferAgain(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		a, b := c.two()
		buffer := make([]byte, 1)
		for i := range 20 {
			buffer[0] = byte('a' + i)
			send := a.SendBestEffort
			if i%2 == 1 {
				send = a.SendReliable
			}
			if err := send(b.LocalNode(), buffer); err != nil {
				t.Fatal(err)
			}
		}
		c.soon("all", func() bool { return len(b.messages()) == 20 })
		got := b.messages()
		slices.Sort(got)
		c.same("messages", strings.Join(got, ""), "abcdefghijklmnopqrst")
	})
}

func TestSliceOfNotifyMsgIsTheCalleesToKeep(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		a, b := c.two()
		for i := range 50 {
			a.broadcast(fmt.Sprint("broadcast ", i))
			if err := a.SendBestEffort(b.LocalNode(), fmt.Append(nil, "direct ", i)); err != nil {
				t.Fatal(err)
			}
		}
		c.soon("all", func() bool { return len(b.messages()) >= 100 })
		time.Sleep(5 * time.Second)
		b.app.mu.Lock()
		defer b.app.mu.Unlock()
		for i := range b.kept {
			if !bytes.Equal(b.kept[i], b.msgs[i]) {
				t.Errorf("%q became %q", b.msgs[i], b.kept[i])
			}
		}
	})
}

func TestBroadcastReachesAllOthersAndNotOneself(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		a, b, d, e := c.node("a"), c.node("b"), c.node("d"), c.node("e")
		c.join(a, b, d, e)
		for _, n := range []*node{a, b, d, e} {
			c.soon("all know all", func() bool { return n.names() == "a b d e" })
		}
		b.queue.NumNodes = func() int { return 4 }
		b.broadcast("hello")
		for _, n := range []*node{a, d, e} {
			c.soon("all have it", func() bool { return slices.Contains(n.messages(), "hello") })
		}
		c.same("of the sender", b.messages(), []string(nil))
	})
}

func TestQueuedBroadcastsArriveOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		a, b, d := c.node("a"), c.node("b"), c.node("d")
		c.join(a, b, d)
		for _, n := range []*node{a, b, d} {
			c.soon("all know all", func() bool { return n.names() == "a b d" })
		}
		a.queue.RetransmitMult = 60 // memberlist chooses peers at random, so a message may miss one
		for i := range 100 {
			a.broadcast(fmt.Sprint("message ", i, strings.Repeat("x", 90)))
		}
		time.Sleep(3 * time.Minute)
		for _, n := range []*node{b, d} {
			got := n.messages()
			different := map[string]bool{}
			for _, m := range got {
				different[m] = true
			}
			c.same("different messages", len(different), 100)
			c.same("each once", len(got) == 100, differs(t, "once", false, true))
		}
		c.same("left in the queue", a.queue.NumQueued(), 0)
	})
}

func TestEqualMessagesOfDifferentSlicesAreDifferent(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		a, b := c.two()
		a.queue.RetransmitMult = 1
		for _, m := range []string{"A", "B", "A"} {
			a.broadcast(m)
			c.soon("queue is empty", func() bool { return a.queue.NumQueued() == 0 })
			time.Sleep(time.Second)
		}
		c.same("messages", b.messages(), []string{"A", "B", "A"})
	})
}

func TestGetBroadcastsGetsOverheadAndRoom(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		a, _ := c.two()
		c.soon("polled", func() bool {
			a.app.mu.Lock()
			defer a.app.mu.Unlock()
			return len(a.polls) > 0
		})
		a.app.mu.Lock()
		defer a.app.mu.Unlock()
		for _, p := range a.polls {
			if p.overhead != 3 || p.limit < 1100 || p.limit > 1400 {
				t.Errorf("overhead %d, limit %d", p.overhead, p.limit)
			}
		}
	})
}

func TestRoomOfGetBroadcastsFollowsUDPBufferSize(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		a, b := c.two(func(conf *memberlist.Config, _ *app) { conf.UDPBufferSize = 8000 })
		long := strings.Repeat("x", 7800)
		a.broadcast(long)
		c.soon("it arrives", func() bool { return slices.Contains(b.messages(), long) })
	})
}

func TestBroadcastLargerThanTheRoomArrives(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		a, b := c.node("a"), c.node("b")
		long := bytes.Repeat([]byte("x"), 5000)
		returned := false
		poll := func() [][]byte { // returns the message once there is a peer
			if returned || a.NumMembers() < 2 {
				return nil
			}
			returned = true
			return [][]byte{long}
		}
		a.app.mu.Lock()
		a.more = poll
		a.app.mu.Unlock()
		c.join(a, b)
		c.soon("it arrives", func() bool { return slices.Contains(b.messages(), string(long)) })
	})
}

func TestBroadcastsQueuedBeforeJoinArrive(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		a, b := c.node("a"), c.node("b")
		b.broadcast("early 1", "early 2")
		time.Sleep(10 * time.Second)
		c.join(a, b)
		c.soon("both arrive", func() bool {
			return slices.Contains(a.messages(), "early 1") && slices.Contains(a.messages(), "early 2")
		})
	})
}

func TestQueueOfALonelyNodeDrains(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		a := c.node("a")
		a.broadcast("to nobody")
		time.Sleep(2 * time.Minute)
		c.same("queued", a.queue.NumQueued(), differs(t, "lonely-queue", 1, 0))
	})
}

func TestMessagesPassUnderManyMembershipChanges(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		a, b := c.two()
		a.queue.RetransmitMult = 1000 // as above
		for i := range 20 {
			n := c.node(fmt.Sprint("n", i), func(_ *memberlist.Config, a *app) { a.meta = bytes.Repeat([]byte("m"), 500) })
			c.join(a, n)
			a.broadcast(fmt.Sprint("message ", i))
		}
		c.soon("all messages at b", func() bool {
			different := map[string]bool{}
			for _, m := range b.messages() {
				different[m] = true
			}
			return len(different) == 20
		})
	})
}

func TestNumNodesOfAQueueMayAskTheMemberlist(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		a, b := c.two()
		a.queue.NumNodes = func() int { return a.NumMembers() + len(a.Members()) - 2 }
		a.broadcast("hello")
		c.soon("it arrives", func() bool { return len(b.messages()) > 0 })
		c.soon("queue is empty", func() bool { return a.queue.NumQueued() == 0 })
	})
}
