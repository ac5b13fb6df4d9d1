package gossip

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/delivery"
	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/pmtu"
	"github.com/gwyh-go/gwyh/internal/stats"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// transports are the ways in which nodes may send: over sockets, which measure their paths, or over an application's
// own transport, which cannot prevent the fragmentation of a datagram.
var transports = []struct {
	name string
	most int // Config.DatagramMax
}{{"sockets", DatagramProbed}, {"foreign transport", 0}}

// overPaths returns a cluster whose paths silently drop datagrams of more than mtu bytes.
func overPaths(t *testing.T, nodes, most, mtu int) *cluster {
	t.Helper()
	link := gigabit()
	link.MTU = mtu
	c := newCluster(t, 1, link)
	c.tweak = func(_ int, cfg *Config) { cfg.DatagramMax = most }
	c.add(nodes)
	c.form(30 * time.Second)
	return c
}

// A message is quiet if nothing else is sent whose arrival would reveal the loss of the message.
func TestFirstQuietBroadcastOnANarrowPathArrives(t *testing.T) {
	for _, x := range transports {
		for _, size := range []int{1100, 1180, 1250, 1288} {
			for _, after := range []time.Duration{0, 700 * time.Millisecond, 5 * time.Second} {
				t.Run(fmt.Sprint(x.name, " ", size, " bytes after ", after), func(t *testing.T) {
					c := overPaths(t, 4, x.most, 1250)
					c.net.RunFor(after)
					for i := range 3 {
						if took := c.broadcast(0, payload(size, byte(i)), 2*time.Second); took > 200*time.Millisecond {
							t.Errorf("message %d took %v", i, took)
						}
					}
				})
			}
		}
	}
}

// narrowed returns a cluster whose paths have become narrower while they were idle.
func narrowed(t *testing.T, nodes, most, before, after int) *cluster {
	t.Helper()
	c := overPaths(t, nodes, most, before)
	c.net.RunFor(30 * time.Second)
	for i := range c.nodes { // the nodes learn what the paths carry
		c.broadcast(i, payload(1288, byte(200+i)), time.Second)
	}
	c.net.RunFor(30 * time.Second)
	c.setMTU(after)
	return c
}

func TestQuietBroadcastArrivesWhenItsPathHasBecomeNarrower(t *testing.T) {
	for _, x := range transports {
		for _, after := range []int{1250, 1472} {
			for _, size := range []int{1180, 1288, 2000, 20_000} {
				t.Run(fmt.Sprint(x.name, " ", size, " bytes on ", after), func(t *testing.T) {
					c := narrowed(t, 4, x.most, 65_507, after)
					if took := c.broadcast(0, payload(size, 1), 5*time.Second); took > time.Second {
						t.Errorf("took %v", took)
					}
				})
			}
		}
	}
}

// The sender may have seen datagrams of this size arrive just before its path became narrower. The next heartbeat,
// which reveals the loss, may be a whole interval away.
func TestQuietBroadcastArrivesWheneverItsPathBecomesNarrower(t *testing.T) {
	for _, x := range transports {
		for since := time.Duration(0); since < 2500*time.Millisecond; since += 50 * time.Millisecond {
			t.Run(fmt.Sprint(x.name, " ", since, " after a message"), func(t *testing.T) {
				t.Parallel()
				c := overPaths(t, 3, x.most, 65_507)
				c.net.RunFor(since)
				for i, size := range []int{1180, 1215, 1250, 1288} {
					c.broadcast(0, payload(size, byte(i)), 25*time.Millisecond)
				}
				c.do(0, func(now time.Time) {
					if err := c.nodes[0].SetMeta(now, make([]byte, 500)); err != nil {
						t.Fatal(err)
					}
				})
				c.net.RunFor(20 * time.Millisecond)
				c.setMTU(1252)
				c.broadcast(0, payload(1180, 9), 5*time.Second)
			})
		}
	}
}

// The sender has just seen datagrams of this size arrive, so it assumes that they pass, and only its next heartbeat
// reveals the loss. The retransmit must not wait for another heartbeat.
func TestQuietMessageArrivesWithTheNextHeartbeatWheneverItsPathBecomesNarrower(t *testing.T) {
	for _, x := range transports {
		for _, kind := range []string{"broadcast", "direct message"} {
			for _, beat := range []time.Duration{time.Second, 5 * time.Second} {
				for since := time.Duration(0); since < beat; since += beat / 25 {
					t.Run(fmt.Sprint(x.name, " ", kind, " beat ", beat, " after ", since), func(t *testing.T) {
						t.Parallel()
						c := beating(t, 2, x.most, beat)
						c.net.RunFor(since)
						if took := c.narrowAndSend(kind == "broadcast", 3*beat); took > beat*11/10+200*time.Millisecond {
							t.Errorf("took %v", took)
						}
					})
				}
			}
		}
	}
}

// narrowAndSend sends a few messages, makes all paths narrower, and sends another message. It returns how long that
// message took.
func (c *cluster) narrowAndSend(broadcast bool, within time.Duration) (took time.Duration) {
	c.t.Helper()
	for i, size := range []int{1180, 1215, 1250, 1288} {
		c.broadcast(0, payload(size, byte(i)), 25*time.Millisecond)
	}
	c.setMTU(1252)
	begin, msg := c.net.Now(), payload(1180, 9)
	if broadcast {
		c.broadcast(0, msg, within)
	} else {
		c.sendTo(0, 1, msg, false, within)
	}
	return c.nodes[1].at[key(msg)].Sub(begin)
}

// beating returns a cluster of wide paths with the given heartbeat interval.
func beating(t *testing.T, nodes, most int, beat time.Duration) *cluster {
	t.Helper()
	return beatingOf(t, 1, nodes, most, beat)
}

// beatingOf is beating for a seed.
func beatingOf(t *testing.T, seed uint64, nodes, most int, beat time.Duration) *cluster {
	t.Helper()
	link := gigabit()
	link.MTU = 65_507
	c := newCluster(t, seed, link)
	c.tweak = func(_ int, cfg *Config) { cfg.DatagramMax, cfg.Heartbeat = most, beat }
	c.add(nodes)
	c.form(30 * time.Second)
	c.net.RunFor(2 * beat)
	return c
}

func TestBurstArrivesWhenItsPathHasBecomeNarrower(t *testing.T) {
	for _, x := range transports {
		c := narrowed(t, 4, x.most, 65_507, 1250)
		var messages [][]byte
		c.do(0, func(now time.Time) {
			for i := range 200 {
				messages = append(messages, []byte(payload(200+5*i, byte(i))))
				if err := c.nodes[0].Broadcast(now, messages[i]); err != nil {
					t.Fatal(err)
				}
			}
		})
		c.net.RunFor(5 * time.Second)
		for _, msg := range messages {
			c.exactlyOnce(0, msg)
		}
	}
}

// sendTo sends a message to one node, which must receive it once within the given time.
func (c *cluster) sendTo(from, to int, msg string, reliable bool, within time.Duration) {
	c.t.Helper()
	n := c.nodes[from]
	c.do(from, func(now time.Time) {
		if _, err := n.Send(now, c.nodes[to].addr, []byte(msg), reliable, now.Add(20*time.Second)); err != nil {
			c.t.Fatal(err)
		}
	})
	c.net.RunFor(within)
	if got := c.nodes[to].got[key(msg)]; got != 1 {
		c.t.Errorf("the message came %d times within %v", got, within)
	}
	if reliable && (len(n.sent) != 1 || n.sent[0].Err != nil) {
		c.t.Errorf("the sender was told %v", n.sent)
	}
}

func TestMessageToOneNodeArrivesOnANarrowPath(t *testing.T) {
	for _, x := range transports {
		for _, reliable := range []bool{false, true} {
			for _, size := range []int{1180, 1280, 5000} {
				t.Run(fmt.Sprint(x.name, " reliable ", reliable, " ", size, " bytes"), func(t *testing.T) {
					c := overPaths(t, 2, x.most, 1250)
					c.sendTo(0, 1, payload(size, 1), reliable, 500*time.Millisecond)
				})
				t.Run(fmt.Sprint(x.name, " reliable ", reliable, " ", size, " bytes on a path that was wider"), func(t *testing.T) {
					c := narrowed(t, 2, x.most, 65_507, 1250)
					c.sendTo(0, 1, payload(size, 1), reliable, time.Second)
				})
				t.Run(fmt.Sprint(x.name, " reliable ", reliable, " ", size, " bytes to a node without a link"), func(t *testing.T) {
					c := overPaths(t, 30, x.most, 1250)
					to := c.stranger(0)
					c.sendTo(0, to, payload(size, 1), reliable, time.Second)
				})
			}
		}
	}
}

// stranger returns a node with which node i has no link.
func (c *cluster) stranger(i int) int {
	for to, n := range c.nodes {
		if p := c.nodes[i].peers[n.cfg.ID]; to != i && (p == nil || !p.Linked) {
			return to
		}
	}
	c.t.Fatal("all are linked")
	return 0
}

// Member entries are retransmitted in pieces at once, and not only when tables are compared (PROTOCOL.md Z4).
func TestMembersThatWereSentArriveWhenTheirPathHasBecomeNarrower(t *testing.T) {
	for _, x := range transports {
		for _, kind := range []string{"news", "answer of a comparison"} {
			t.Run(x.name+" "+kind, func(t *testing.T) {
				c := narrowed(t, 2, x.most, 65_507, 1250)
				n, o := c.nodes[0], c.nodes[1]
				c.do(0, func(now time.Time) {
					w := n.entries.News(&n.links[0].Peer)
					if kind != "news" {
						w = n.entries.Answers(&n.links[0].Peer)
					}
					for i := range 12 {
						w.Add(now, someMember(now, i))
					}
					w.Flush(now)
					if w.Sent != 1 {
						t.Fatalf("sent in %d datagrams", w.Sent)
					}
				})
				c.net.RunFor(300 * time.Millisecond)
				if got := o.members.Count(); got != 14 {
					t.Errorf("the other node knows %d members, want 14", got)
				}
			})
		}
	}
}

// someMember returns an invented member.
func someMember(now time.Time, i int) *members.Entry {
	incarnation := uint64(now.UnixMilli())
	m := members.NewEntry(wire.NodeID{6: 0x80, 8: 0x80, 15: byte(i + 1)})
	m.Name, m.State, m.Addr = fmt.Sprint("other-", i), wire.StateAlive, testAddr(1000+i)
	m.Incarnation, m.Named, m.Meta = incarnation, incarnation, bytes.Repeat([]byte{1}, 24)
	return m
}

// An insider may send control in pieces, but no more than any datagram can contain, and not nested (PROTOCOL.md U7).
func TestControlInPiecesIsBounded(t *testing.T) {
	ping := func(n int) []byte {
		return wire.AppendPing(nil, wire.KindPing, wire.MessageID{1}, wire.Ping{Seq: 1, Payload: make([]byte, n)})
	}
	nested := wire.AppendDirect(nil, wire.MessageID{2}, wire.Direct{Use: wire.UseControl, Total: uint32(len(ping(0))), Data: ping(0)})
	for _, x := range []struct {
		name  string
		plain []byte
		acks  uint64
	}{
		{"a Ping", ping(2000), 1},
		{"a Ping within", nested, 0},
		{"too much", append(ping(0), make([]byte, delivery.ControlMax)...), 0},
	} {
		t.Run(x.name, func(t *testing.T) {
			c := pair(t)
			a, b := c.nodes[0], c.nodes[1]
			before := a.stats.SentDatagrams
			direct := wire.Direct{Use: wire.UseControl, Total: uint32(len(x.plain)), Data: x.plain}
			c.do(0, func(now time.Time) {
				var m wire.Message
				if _, err := wire.ParseMessage(&m, wire.AppendDirect(nil, wire.MessageID{3}, direct)); err != nil {
					t.Fatal(err)
				}
				p := a.peers[b.cfg.ID]
				a.hs.handleMessage(now, received{peer: p, channel: p.Packets.Channel(now), from: wire.Path{Remote: b.addr}}, &m)
			})
			if got := a.stats.SentDatagrams - before; got != x.acks {
				t.Errorf("it drew %d datagrams, want %d", got, x.acks)
			}
			if got := len(b.got); got != 0 {
				t.Errorf("%d messages came to the application", got)
			}
		})
	}
}

func TestSystemThatRefusesADatagramMakesThoseToItsNodeSmaller(t *testing.T) {
	for _, linked := range []bool{true, false} {
		c := overPaths(t, 30, 0, 65_507)
		n, to := c.nodes[0], c.nodes[c.stranger(0)]
		if linked {
			to = c.nodes[slices.IndexFunc(c.nodes, func(o *node) bool { return n.links[0].ID == o.cfg.ID })]
		}
		c.do(0, func(now time.Time) {
			if _, err := n.Send(now, to.addr, []byte(payload(1200, 1)), true, now.Add(time.Second)); err != nil {
				t.Fatal(err)
			}
		})
		c.net.RunFor(time.Second)
		p := n.peers[to.cfg.ID]
		if got := p.Packets.Path().Usable(); got != 1400 {
			t.Fatalf("linked %v: datagrams of up to %d bytes", linked, got)
		}
		c.do(0, func(now time.Time) { n.Refused(now, p.Sessions.Path(), 1400, true) })
		c.net.RunFor(time.Millisecond)
		if got := p.Packets.Path().Usable(); got != pmtu.Min {
			t.Errorf("linked %v: datagrams of up to %d bytes after one was refused", linked, got)
		}
	}
}

// A node that sends nothing large causes neither probes nor empty Frames.
func TestNodesThatSendSmallMessagesOnlyProbeNoPaths(t *testing.T) {
	c := overPaths(t, 10, 0, 65_507)
	c.net.RunFor(5 * time.Second)
	before := c.sum(func(s *stats.Stats) uint64 { return s.SentBytes })
	c.broadcast(0, payload(100, 1), 50*time.Millisecond)
	c.net.RunFor(time.Minute)
	for _, n := range c.nodes {
		for _, p := range n.links {
			if p.Packets.Path().Size() > pmtu.Min { // a probe would have arrived
				t.Errorf("a path was probed")
			}
		}
	}
	t.Logf("%d bytes in a minute", c.sum(func(s *stats.Stats) uint64 { return s.SentBytes })-before)
}

func TestClusterFormsOverAForeignTransportOnANarrowPath(t *testing.T) {
	for _, mtu := range []int{1200, 1300} {
		c := overPaths(t, 50, 0, mtu)
		for i, n := range c.nodes {
			if err := joinErrors(n.joined); err != nil {
				t.Errorf("a path of %d bytes: node %d: %v", mtu, i, err)
			}
		}
	}
}

// The identity box and the alive entry of such a node do not fit into 1,200 bytes (PROTOCOL.md P5).
func TestNodeWithTheLongestNamesAndMuchMetadataJoinsOnANarrowPath(t *testing.T) {
	for _, x := range transports {
		for _, meta := range []int{512, 4000} {
			t.Run(fmt.Sprint(x.name, " ", meta, " bytes of metadata"), func(t *testing.T) {
				link := gigabit()
				link.MTU = 1200
				c := newCluster(t, 1, link)
				c.tweak = func(i int, cfg *Config) {
					cfg.DatagramMax = x.most
					cfg.DatagramSize, cfg.MetaMax = max(1400, meta+1400), meta
					cfg.Name = strings.Repeat(string(rune('a'+i)), 255)
					cfg.Zone = wire.Zone{Name: strings.Repeat("z", 255), Valid: true}
					cfg.Meta = bytes.Repeat([]byte{byte(i)}, meta)
				}
				c.add(4)
				took := c.form(10 * time.Second)
				t.Logf("whole after %v", took)
				if took > time.Second {
					t.Errorf("whole after %v", took)
				}
				for i, n := range c.nodes {
					if err := joinErrors(n.joined); err != nil {
						t.Errorf("node %d: %v", i, err)
					}
				}
			})
		}
	}
}
