package gossip

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/handshake"
	"github.com/gwyh-go/gwyh/internal/logbook"
	"github.com/gwyh-go/gwyh/internal/session"
	"github.com/gwyh-go/gwyh/internal/stats"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// old is a gwyh 0.1 node that has just completed a handshake with a core: the other end of its session.
type old struct {
	t    *testing.T
	core *node
	path wire.Path
	id   wire.NodeID
	s    *session.Session
	seq  uint32
}

// withOld returns a cluster of two Go nodes, the first of which has a session with a gwyh 0.1 node.
func withOld(t *testing.T) (*cluster, *old) {
	t.Helper()
	c := newCluster(t, 1, lan())
	c.add(2)
	c.form(time.Second)
	o := &old{t: t, core: c.nodes[0], path: wire.Path{Remote: netip.MustParseAddrPort("10.9.9.9:9")}, id: wire.NodeID{6: 0x40, 15: 1}}
	key, id := [32]byte{1}, wire.HandshakeID{1}
	c.do(0, func(now time.Time) {
		o.core.hs.established(now, &handshake.Established{Peer: o.id, Handshake: id, Legacy: true,
			SendKey: key, RecvKey: key, Path: o.path, Timestamp: now})
		o.s = session.New(now, session.Params{Self: o.id, Peer: o.core.cfg.ID, Handshake: id, Initiator: true, Legacy: true,
			SendKey: key, RecvKey: key, Suite: session.Null, Rand: c.net.Reader(99)})
	})
	return c, o
}

// says sends a plaintext to the core and returns the core's answers.
func (o *old) says(c *cluster, plain []byte) (answers []wire.Message) {
	o.t.Helper()
	c.do(0, func(now time.Time) {
		o.seq++
		o.core.HandleDatagram(now, o.path, o.s.SealLegacy(now, nil, o.seq, plain))
		answers = o.hears(now)
	})
	return answers
}

// hears handles what the core sends: it opens packets to the gwyh 0.1 node, and drops the rest.
func (o *old) hears(now time.Time) (got []wire.Message) {
	o.t.Helper()
	o.core.Core.Drain(now, func(to wire.Path, b []byte) {
		if to.Remote != o.path.Remote {
			return
		}
		var p wire.Packet
		b = bytes.Clone(b)
		if err := wire.ParsePacket(&p, b); err != nil || p.Kind != wire.PacketBox || p.Box.Encoding != wire.Arrays {
			o.t.Fatalf("%v, %+v", err, p)
		}
		plain, err := o.s.Open(now, &p)
		if err != nil {
			o.t.Fatal(err)
		}
		var m wire.Message
		if rest, err := wire.ParseMessage(&m, plain); err != nil || len(rest) > 0 {
			o.t.Fatal(err, rest)
		}
		got = append(got, m)
	})
	return got
}

func kinds(ms []wire.Message) string {
	var names []string
	for _, m := range ms {
		names = append(names, m.Kind.String())
	}
	return strings.Join(names, " ")
}

// PROTOCOL.md L11.
func TestLegacyPeerTakesNoPartInWhatGoNodesSay(t *testing.T) {
	c, o := withOld(t)
	stranger := &wire.Member{ID: wire.NodeID{6: 0x80, 15: 7}, Incarnation: uint64(c.net.Now().UnixMilli()),
		Name: []byte("stranger"), Addr: netip.MustParseAddrPort("10.1.1.1:1")}
	dead := &wire.Member{ID: c.nodes[1].cfg.ID, State: wire.StateDead, Incarnation: c.nodes[1].members.Self().Incarnation}
	members := func(m *wire.Member) []byte {
		w := wire.BeginMembers(nil, wire.MessageID{1})
		w.Append(m, 1000)
		return w.End()
	}
	for name, plain := range map[string][]byte{
		"alive":       members(stranger),
		"dead":        members(dead),
		"Identity":    wire.AppendIdentity(nil, wire.MessageID{2}, stranger),
		"SyncBuckets": wire.AppendSyncBuckets(nil, wire.MessageID{3}, wire.SyncBuckets{Hashes: make([]byte, 8)}),
		"SyncWant":    wire.AppendSyncWant(nil, wire.MessageID{4}, wire.SyncWant{Buckets: make([]byte, 4)}),
		"SyncRoot":    wire.AppendSyncRoot(nil, wire.MessageID{5}, wire.SyncRoot{}),
		"Ping":        wire.AppendPing(nil, wire.KindPing, wire.MessageID{6}, wire.Ping{Seq: 1}),
	} {
		before := o.core.Stats().Dropped[stats.DropUnexpected]
		answers := kinds(o.says(c, plain))
		answers = strings.TrimSpace(strings.ReplaceAll(answers, "PeerRequest", ""))
		if strings.Contains(answers, "Members") || strings.Contains(answers, "Sync") || strings.Contains(answers, "Ack") {
			t.Errorf("%s: answered by %q", name, answers)
		}
		if got := o.core.Stats().Dropped[stats.DropUnexpected] - before; got != 1 || o.core.members.Count() != 3 {
			t.Errorf("%s: %d dropped, %d members", name, got, o.core.members.Count())
		}
	}
}

func TestSubscriptionOfALegacyPeerIsAnsweredAndItsEndIgnored(t *testing.T) {
	c, o := withOld(t)
	for range 2 {
		if got := kinds(o.says(c, wire.AppendRequest(nil, wire.MessageID{1}, wire.KindStartSubscription))); !strings.Contains(got, "SubscriptionStarted") {
			t.Errorf("answered by %q", got)
		}
	}
	links := len(o.core.links)
	for _, k := range []wire.Kind{wire.KindEndSubscription, wire.KindPeerList, wire.KindHeartbeat} {
		if got := kinds(o.says(c, wire.AppendRequest(nil, wire.MessageID{2}, k))); got != "" {
			t.Errorf("%s: answered by %q", k, got)
		}
	}
	if got := kinds(o.says(c, wire.AppendNak(nil, wire.MessageID{3}, 1, 2))); got != "" {
		t.Errorf("a Nak is answered by %q", got)
	}
	if len(o.core.links) != links {
		t.Errorf("%d links, want %d", len(o.core.links), links)
	}
}

// PROTOCOL.md L7.
func TestBroadcastsPassToAndFromALegacyPeerUpToWhatItTakes(t *testing.T) {
	c, o := withOld(t)
	o.says(c, wire.AppendRequest(nil, wire.MessageID{1}, wire.KindStartSubscription))

	forwarded := o.core.stats.BroadcastsForwarded
	for range 2 { // the second is a duplicate
		if got := kinds(o.says(c, wire.AppendBroadcast(nil, wire.Arrays, wire.MessageID{6: 0x40, 15: 9}, []byte("from old")))); got != "" {
			t.Errorf("answered by %q", got)
		}
	}
	if o.core.got["from old"] != 1 || o.core.stats.BroadcastsForwarded != forwarded+1 {
		t.Errorf("delivered %d times, forwarded %d times", o.core.got["from old"], o.core.stats.BroadcastsForwarded-forwarded)
	}

	o.core.cfg.DatagramSize = 60_000
	for _, size := range []int{1000, 21_000, 21_001} {
		c.do(0, func(now time.Time) {
			if err := o.core.Broadcast(now, make([]byte, size)); err != nil {
				t.Fatal(err)
			}
			got := o.hears(now)
			if ok := len(got) == 1 && got[0].Kind == wire.KindBroadcast && len(got[0].Data) == size; ok != (size <= 21_000) {
				t.Errorf("of %d bytes came %q", size, kinds(got))
			}
		})
	}
}

func TestBroadcastThatLegacyMembersCannotTakeIsCountedUnderAReasonOfItsOwn(t *testing.T) {
	c, _, _ := aged(t, 2)
	for _, size := range []int{21_000, 21_001, 60_000} {
		c.broadcast(0, strings.Repeat("x", size), time.Second)
	}
	if got := c.nodes[0].Stats().Dropped; got[stats.DropLegacySize] != 4 || got[stats.DropOversize] != 0 {
		t.Errorf("%d counted for two messages and two members, %d as oversize", got[stats.DropLegacySize], got[stats.DropOversize])
	}
}

func TestBroadcastThatLegacyMembersCannotTakeIsWarnedOfOnceInTenSeconds(t *testing.T) {
	c, _, _ := aged(t, 2)
	for i, who := range []string{"a node with a link to them", "a node without"} {
		t.Run(who, func(t *testing.T) {
			for range 3 {
				c.broadcast(i, strings.Repeat("x", 21_001+c.arrived), time.Second)
			}
			if got := c.nodes[i].warned("gwyh 0.1 members"); got != 1 {
				t.Errorf("%d warnings: %q", got, c.nodes[i].logs)
			}
			c.net.RunFor(logbook.Interval)
			c.broadcast(i, strings.Repeat("x", 21_001+c.arrived), time.Second)
			if got := c.nodes[i].warned("gwyh 0.1 members"); got != 2 {
				t.Errorf("%d warnings after ten seconds: %q", got, c.nodes[i].logs)
			}
		})
	}
}

// warned counts the warnings that contain text.
func (n *node) warned(text string) (count int) {
	for _, l := range n.logs {
		if strings.HasPrefix(l, "[WARN]") && strings.Contains(l, text) {
			count++
		}
	}
	return count
}
