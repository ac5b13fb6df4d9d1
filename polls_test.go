package gwyh

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// poller is a Delegate whose polls return the result of give. It counts the polls.
type poller struct {
	recorder
	give  func() [][]byte // nil means the queue's
	polls int             // guarded by mu
}

func newPoller(give func() [][]byte) *poller {
	p := &poller{give: give}
	p.arrived = make(chan struct{}, 1<<20)
	p.queue.NumNodes, p.queue.RetransmitMult = func() int { return 100 }, 4
	return p
}

func (p *poller) GetBroadcasts(overhead, limit int) [][]byte {
	p.mu.Lock()
	p.polls++
	give := p.give
	p.mu.Unlock()
	if give != nil {
		return give()
	}
	return p.queue.GetBroadcasts(overhead, limit)
}

// gives sets the result of later polls.
func (p *poller) gives(give func() [][]byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.give = give
}

func (p *poller) polled() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.polls
}

// count returns how often NotifyMsg was called with msg.
func (p *poller) count(msg string) (n int) {
	for _, m := range p.messages() {
		if m == msg {
			n++
		}
	}
	return n
}

// polling is a cluster of pollers in a network in memory.
type polling struct {
	*testing.T
	network MockNetwork
	nodes   []*Memberlist
	apps    []*poller
}

// add makes a node with app, which joins the first node.
func (p *polling) add(app *poller, changes ...func(*Config)) *Memberlist {
	p.Helper()
	c := testConfig(fmt.Sprint("n", len(p.nodes)), nil)
	c.Delegate, c.Events = app, app
	c.Transport = p.network.NewTransport(c.Name)
	for _, change := range changes {
		change(c)
	}
	m := create(p, c)
	p.nodes, p.apps = append(p.nodes, m), append(p.apps, app)
	if len(p.nodes) > 1 {
		join(p, m, p.nodes[0])
	}
	return m
}

// inPolling runs f with an empty cluster and a fake clock.
func inPolling(t *testing.T, f func(t *testing.T, p *polling)) {
	synctest.Test(t, func(t *testing.T) { f(t, &polling{T: t}) })
}

// anew returns polls that each return a new message of size random bytes.
func anew(size int) func() [][]byte {
	return func() [][]byte {
		b := make([]byte, size)
		_, _ = rand.Read(b)
		return [][]byte{b}
	}
}

// memberlist polls 362 times in these 10 s.
func TestDelegateThatEncodesAnewAtEachPollIsPolledAsOftenAsByMemberlist(t *testing.T) {
	for _, c := range []struct{ size, most int }{{500, 500}, {1200, 1500}} {
		t.Run(fmt.Sprint(c.size), func(t *testing.T) {
			inPolling(t, func(t *testing.T, p *polling) {
				for range 3 {
					p.add(newPoller(anew(c.size)))
				}
				begin, polls := p.nodes[0].Stats().BytesSent, 0
				for _, a := range p.apps {
					polls -= a.polled()
				}
				time.Sleep(10 * time.Second)
				for _, a := range p.apps {
					polls += a.polled()
				}
				t.Logf("%d polls, %d bytes sent by a node", polls, p.nodes[0].Stats().BytesSent-begin)
				if polls > c.most {
					t.Errorf("%d polls in 10 s, want at most %d", polls, c.most)
				}
			})
		})
	}
}

func TestMessagesEncodedIntoOneBufferAllArrive(t *testing.T) {
	inPolling(t, func(t *testing.T, p *polling) {
		buffer, next := make([]byte, 9), 0
		p.add(newPoller(func() [][]byte {
			if next == 10 {
				return nil
			}
			copy(buffer, fmt.Sprintf("message %d", next))
			next++
			return [][]byte{buffer}
		}))
		b := newPoller(nil)
		p.add(b)
		time.Sleep(3 * time.Second)
		if got := b.messages(); len(got) != 10 {
			t.Errorf("%d of 10 messages came: %q", len(got), got)
		}
	})
}

// still returns polls that return the same slices each time.
func still(msgs ...string) func() [][]byte {
	var slices [][]byte
	for _, m := range msgs {
		slices = append(slices, []byte(m))
	}
	return func() [][]byte { return slices }
}

func TestWhatIsStillHandedOutReachesANewcomerOnce(t *testing.T) {
	large := strings.Repeat("large", 5000)
	for name, give := range map[string]func() [][]byte{
		"the same slices": still("one", "two", large),
		"slices made anew": func() [][]byte {
			return [][]byte{bytes.Clone([]byte("one")), bytes.Clone([]byte("two")), []byte(strings.Clone(large))}
		},
	} {
		t.Run(name, func(t *testing.T) {
			inPolling(t, func(t *testing.T, p *polling) {
				p.add(newPoller(give))
				p.add(newPoller(nil))
				time.Sleep(time.Minute)
				p.add(newPoller(nil))
				time.Sleep(10 * time.Second)
				for i := range 2 {
					for _, m := range []string{"one", "two", large} {
						if n := p.apps[i+1].count(m); n != 1 {
							t.Errorf("n%d got %.10q %d times", i+1, m, n)
						}
					}
				}
			})
		})
	}
}

// rebroadcaster queues each new message again, as serf and alertmanager do.
func rebroadcaster() *poller {
	p := newPoller(nil)
	var mu sync.Mutex
	had := map[string]bool{}
	p.onMsg = func(b []byte) {
		mu.Lock()
		defer mu.Unlock()
		if m := string(b); !had[m] {
			had[m] = true
			p.queue.QueueBroadcast(simple(m))
		}
	}
	return p
}

// rebroadcasters adds n of them and waits until they know each other.
func (p *polling) rebroadcasters(n int, changes ...func(*Config)) {
	p.Helper()
	p.cluster(n, rebroadcaster, changes...)
}

// cluster adds n nodes and waits until they know each other.
func (p *polling) cluster(n int, app func() *poller, changes ...func(*Config)) {
	p.Helper()
	for range n {
		p.add(app(), changes...)
	}
	time.Sleep(30 * time.Second)
	for _, m := range p.nodes {
		if m.NumMembers() != n {
			p.Fatalf("%d members", m.NumMembers())
		}
	}
}

// event queues a message at a node. It returns how often each other node delivered the message, and the average
// number of bytes that a node sent in 5 s beyond its traffic at rest.
func (p *polling) event(from int, msg string) (calls []int, bytes int) {
	sent := func() (n int) {
		for _, m := range p.nodes {
			n += int(m.Stats().BytesSent)
		}
		return n / len(p.nodes)
	}
	before := sent()
	time.Sleep(5 * time.Second)
	rest := sent() - before
	before = sent()
	p.apps[from].queue.QueueBroadcast(simple(msg))
	time.Sleep(5 * time.Second)
	bytes = sent() - before - rest
	for i, a := range p.apps {
		if i != from {
			calls = append(calls, a.count(msg))
		}
	}
	return calls, bytes
}

// Sixty programs queue each event again when it arrives. That costs no more than if they did not.
func TestRebroadcastEventCostsEachNodeOneCallAndTheBytesOfOneBroadcast(t *testing.T) {
	nodes, events := 60, 5
	if testing.Short() {
		nodes = 20
	}
	cost := func(app func() *poller) (bytes int) {
		inPolling(t, func(t *testing.T, p *polling) {
			p.cluster(nodes, app)
			for i := range events {
				calls, sent := p.event(i*nodes/events, fmt.Sprint(i, strings.Repeat("e", 110)))
				bytes += sent
				if slices.Max(calls) > 2 || slices.Min(calls) < 1 {
					t.Errorf("calls of NotifyMsg: %v, want 1 to 2", calls)
				}
			}
		})
		return bytes / events
	}
	again, once := cost(rebroadcaster), cost(func() *poller { return newPoller(nil) })
	t.Logf("%d bytes sent by each node, %d where nobody queues the event anew", again, once)
	if again > once+once/4 {
		t.Errorf("%d bytes sent by each node, want about %d", again, once)
	}
}

func TestRebroadcastIsSentWhereTheConfigSwitchesTheWindowOff(t *testing.T) {
	inPolling(t, func(t *testing.T, p *polling) {
		p.rebroadcasters(5, func(c *Config) { c.RebroadcastWindow = -1 })
		if calls, _ := p.event(0, "event"); slices.Min(calls) < 2 {
			t.Errorf("calls of NotifyMsg: %v, want each of the others' rebroadcasts", calls)
		}
	})
}

func TestRebroadcastsAreCounted(t *testing.T) {
	inPolling(t, func(t *testing.T, p *polling) {
		p.rebroadcasters(3)
		p.event(0, "event")
		for i, want := range []uint64{0, 1, 1} {
			if n := p.nodes[i].Stats().BroadcastsSuppressed; n != want {
				t.Errorf("n%d counts %d rebroadcasts, want %d", i, n, want)
			}
		}
	})
}

func TestBytesThatWereJustDeliveredAreSent(t *testing.T) {
	for name, c := range map[string]struct {
		send  func(from, to *Memberlist) error       // sends the bytes to a node
		again func(m *Memberlist, app *poller) error // sends them on from there
		pause time.Duration
	}{
		"by Broadcast": {
			func(from, _ *Memberlist) error { return from.Broadcast([]byte("event")) },
			func(m *Memberlist, _ *poller) error { return m.Broadcast([]byte("event")) }, 0},
		"by GetBroadcasts after a message to one node": {
			func(from, to *Memberlist) error { return from.SendReliable(to.LocalNode(), []byte("event")) },
			queueEvent, 0},
		"by GetBroadcasts after the window": {
			func(from, _ *Memberlist) error { return from.Broadcast([]byte("event")) },
			queueEvent, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			inPolling(t, func(t *testing.T, p *polling) {
				for range 3 {
					p.add(newPoller(nil))
				}
				time.Sleep(5 * time.Second)
				if err := c.send(p.nodes[0], p.nodes[1]); err != nil {
					t.Fatal(err)
				}
				time.Sleep(100*time.Millisecond + c.pause)
				before := p.apps[2].count("event")
				if err := c.again(p.nodes[1], p.apps[1]); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Second)
				if n := p.apps[2].count("event") - before; n != 1 {
					t.Errorf("%d messages came", n)
				}
			})
		})
	}
}

func queueEvent(_ *Memberlist, app *poller) error {
	app.queue.QueueBroadcast(simple("event"))
	return nil
}

// All nodes return the same event at every poll, because they queue the messages that they receive.
func TestRebroadcastThatIsStillHandedOutReachesANewcomerOnceFromFewNodes(t *testing.T) {
	inPolling(t, func(t *testing.T, p *polling) {
		p.rebroadcasters(20)
		for _, a := range p.apps {
			a.queue.RetransmitMult = 1 << 20
		}
		p.event(0, "event")
		time.Sleep(time.Minute)
		p.apps[0].gives(func() [][]byte { return nil }) // not even the first node returns it
		p.add(rebroadcaster())
		p.add(rebroadcaster())
		time.Sleep(10 * time.Second)
		for i, a := range p.apps[1:] {
			if n := a.count("event"); n != 1 {
				t.Errorf("n%d got the event %d times", i+1, n)
			}
		}
		repeated := uint64(0)
		for _, m := range p.nodes {
			repeated += m.Stats().BroadcastsRepeated
		}
		if repeated > 8 {
			t.Errorf("%d repeats were sent to two newcomers", repeated)
		}
	})
}

// Each node returns its own messages at every poll, as skipper does.
func TestManyNodesHandTheirMessagesToManyNewcomersOnce(t *testing.T) {
	const old, late, each = 20, 10, 3
	inPolling(t, func(t *testing.T, p *polling) {
		add := func() {
			var own []string
			for i := range each {
				own = append(own, fmt.Sprintf("message %d of n%d", i, len(p.nodes)))
			}
			p.add(newPoller(still(own...)))
		}
		for range old {
			add()
		}
		time.Sleep(time.Minute)
		for range late {
			add()
		}
		time.Sleep(30 * time.Second)
		for i, a := range p.apps {
			got := a.messages()
			slices.Sort(got)
			if n := len(slices.Compact(slices.Clone(got))); n != (old+late-1)*each || len(got) != n {
				t.Errorf("n%d got %d different messages in %d calls, want %d", i, n, len(got), (old+late-1)*each)
			}
		}
	})
}

func TestDefaultOfRebroadcastWindowFollowsGossipInterval(t *testing.T) {
	for _, c := range []struct{ interval, window, want time.Duration }{
		{20 * time.Millisecond, 0, time.Second}, {50 * time.Millisecond, 0, 2500 * time.Millisecond}, {time.Millisecond, 0, 250 * time.Millisecond},
		{time.Second, 0, 5 * time.Second}, {20 * time.Millisecond, 3 * time.Second, 3 * time.Second}, {20 * time.Millisecond, -1, 0},
	} {
		if got := (&Config{GossipInterval: c.interval, RebroadcastWindow: c.window}).rebroadcastWindow(); got != c.want {
			t.Errorf("GossipInterval %v, RebroadcastWindow %v: %v, want %v", c.interval, c.window, got, c.want)
		}
	}
}
