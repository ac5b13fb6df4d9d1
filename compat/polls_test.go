package compat

import (
	"crypto/rand"
	"fmt"
	"slices"
	"testing"
	"time"

	memberlist "github.com/gwyh-go/gwyh/compat/lib"
)

// gives makes GetBroadcasts return the result of give instead of messages of the queue.
func (a *app) gives(give func() [][]byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.more = give
}

func (a *app) polled() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.polls)
}

// A program that encodes its messages again at each call, as dragonboat does, is not called more often.
func TestGetBroadcastsIsCalledAFewTimesInAGossipIntervalWhateverItReturns(t *testing.T) {
	for name, size := range map[string]int{"with room for more": 500, "without": 1100} {
		t.Run(name, func(t *testing.T) {
			inMemoryAndOnSockets(t, func(t *testing.T, c *cluster) {
				const interval = 100 * time.Millisecond
				a, b := c.two(func(conf *memberlist.Config, _ *app) { conf.GossipInterval = interval })
				give := func() [][]byte {
					m := make([]byte, size)
					_, _ = rand.Read(m)
					return [][]byte{m}
				}
				a.gives(give)
				b.gives(give)
				begin, before := time.Now(), a.polled()
				c.soon("it is called", func() bool { return a.polled()-before >= 30 })
				n := a.polled() - before
				if most := 4 * int(time.Since(begin)/interval+1); n > most { // memberlist also fills its own packets
					t.Errorf("%d calls, want at most %d", n, most)
				}
			})
		})
	}
}

func TestMessagesEncodedIntoOneBufferAllArrive(t *testing.T) {
	inMemoryAndOnSockets(t, func(t *testing.T, c *cluster) {
		a, b := c.two()
		buffer, next := make([]byte, 16), 0
		var want []string
		for i := range 10 {
			want = append(want, fmt.Sprint("message ", i))
		}
		a.gives(func() [][]byte {
			if next == len(want) {
				return nil
			}
			next++
			return [][]byte{buffer[:copy(buffer, want[next-1])]}
		})
		c.soon("all arrive", func() bool {
			got := b.messages()
			return !slices.ContainsFunc(want, func(m string) bool { return !slices.Contains(got, m) })
		})
	})
}

// A program may return its latest messages at each call as long as they are current, as skipper does.
func TestWhatIsStillHandedOutReachesANewcomer(t *testing.T) {
	inMemoryAndOnSockets(t, func(t *testing.T, c *cluster) {
		a, b := c.two()
		slice := []byte("made once")
		a.gives(func() [][]byte { return [][]byte{slice, []byte("made anew")} })
		both := func(n *node) func() bool {
			return func() bool {
				got := n.messages()
				return slices.Contains(got, "made once") && slices.Contains(got, "made anew")
			}
		}
		c.soon("they reach who is there", both(b))
		d := c.node("d")
		c.join(a, d)
		c.soon("they reach the newcomer", both(d))
		for _, n := range []*node{b, d} {
			polls := a.polled()
			c.soon("polls", func() bool { return a.polled() >= polls+5 })
			c.same("each once", len(n.messages()) == 2, differs(t, "once", false, true))
		}
	})
}

// A program may queue received messages again, as serf and alertmanager do.
func TestRebroadcast(t *testing.T) {
	inMemoryAndOnSockets(t, func(t *testing.T, c *cluster) {
		a, b := c.node("a"), c.node("b", func(_ *memberlist.Config, app *app) {
			app.onMsg = func(m []byte) { app.broadcast(string(m)) }
		})
		c.join(a, b)
		c.soon("both know both", func() bool { return a.names() == "a b" && b.names() == "a b" })
		a.queue.RetransmitMult, b.queue.RetransmitMult = 1, 1
		a.broadcast("event")
		c.soon("it arrives and is handed out again", func() bool { return len(b.messages()) > 0 && b.queue.NumQueued() == 0 })
		b.broadcast("of b")
		want := differs(t, "rebroadcast", []string{"event", "of b"}, []string{"of b"})
		c.soon("what is new arrives", func() bool { return len(a.messages()) >= len(want) })
		got := a.messages()
		slices.Sort(got)
		c.same("messages", slices.Compact(got), want)
	})
}
