package gossip

import (
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/gwyh-go/gwyh/internal/antientropy"
	"github.com/gwyh-go/gwyh/internal/digest"
	"github.com/gwyh-go/gwyh/internal/event"
	"github.com/gwyh-go/gwyh/internal/members"
	packets "github.com/gwyh-go/gwyh/internal/peer"
	"github.com/gwyh-go/gwyh/internal/pushpull"
	"github.com/gwyh-go/gwyh/internal/stats"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// say makes node i send node k any plaintext, as a node with the key can, and delivers it.
func (c *cluster) say(i, k int, plain []byte) {
	c.t.Helper()
	c.do(i, func(now time.Time) {
		n := c.nodes[i]
		p := n.peers[c.nodes[k].cfg.ID]
		if p == nil {
			c.t.Fatal("no session")
		}
		n.sender.SendPlain(now, &p.Peer, plain)
	})
	c.net.RunFor(5 * time.Millisecond)
}

// duo returns two nodes with a link. Node 1 attacks node 0.
func duo(t *testing.T) *cluster {
	t.Helper()
	c := newCluster(t, 1, lan())
	c.add(2)
	c.form(2 * time.Second)
	c.net.RunFor(3 * time.Second)
	return c
}

// Requests on a link must not delay messages for subscriptions, nor accusations.
func TestWantsAndPrunesPutOffNeitherSubscriptionsNorAccusations(t *testing.T) {
	c := duo(t)
	n := c.nodes[0]
	c.do(0, func(now time.Time) {
		p := n.peers[c.nodes[1].cfg.ID]
		asked := p.overlay.RequestedAt()
		have := digest.List{}
		id := wire.MessageID{6: 0x80}
		have.Add(&digest.Digest{Origin: id.Origin(), Top: 9})
		var m wire.Message
		_, _ = wire.ParseMessage(&m, wire.AppendList(nil, wire.KindHave, n.newID(), have.Bytes()))
		n.broadcast.ReceiveHave(now, &p.Peer, m.Data)
		n.broadcast.HandleTimeout(now.Add(time.Second))
		if n.Stats().Wanted == 0 {
			t.Error("nothing of what was announced was requested")
		}
		if at := p.overlay.RequestedAt(); at != asked {
			t.Errorf("the subscription was asked for at %v, and before at %v", at, asked)
		}
		if !n.swim.MayNotify(now, &p.Swim) {
			t.Error("the notice of an accusation has to wait")
		}
	})
}

// A node that fails and returns under another name leaves nothing of the first name.
func TestNamesOfTheDeadThatCameBackUnderOthersAreForgotten(t *testing.T) {
	c := duo(t)
	n := c.nodes[0]
	at := uint64(c.net.Now().UnixMilli())
	id := wire.NodeID{7, 6: 0x80, 8: 0x80}
	for i := range 40 {
		at += 2
		w := wire.BeginMembers(nil, wire.MessageID{})
		w.Append(&wire.Member{ID: id, Incarnation: at, Name: []byte{'a' + byte(i%26), 'a' + byte(i/26)}, Addr: testAddr(9), Named: at, Refuted: at - 1}, 1400)
		w.Append(&wire.Member{State: wire.StateDead, ID: id, Incarnation: at}, 1400)
		c.say(1, 0, w.End())
		if c.net.RunFor(3 * time.Second); n.isLive(id) {
			t.Fatal("it is still a member")
		}
		at++
	}
	if held := n.members.CountReserved(); held != 1 {
		t.Errorf("%d names are held for one dead node", held)
	}
	c.do(0, func(now time.Time) {
		if m, count := n.members.DrawReserved(now, n.rng); m == nil || m.ID != id || count != 1 {
			t.Errorf("the dead that are looked for: %v, %d", m, count)
		}
	})
}

// Entries with ever new versions are compared with all members at a bounded rate.
func TestEntriesOfEverNewVersionsCostABoundedNumberOfWalks(t *testing.T) {
	c := duo(t)
	n := c.nodes[0]
	before := n.Stats().Dropped[stats.DropVersions]
	v := n.members.Self().Versions
	w := wire.BeginMembers(nil, wire.MessageID{})
	const kinds = 400
	for i := range kinds {
		v[1], v[4] = 255-byte(i%100), 255-byte(i/100)
		w.Append(&wire.Member{ID: wire.NodeID{7, byte(i), byte(i >> 8), 6: 0x80, 8: 0x80}, Incarnation: 5, Name: fmt.Append(nil, "n", i), Addr: testAddr(20 + i), Versions: v}, 60_000)
	}
	c.say(1, 0, w.End())
	if dropped := n.Stats().Dropped[stats.DropVersions] - before; dropped < uint64(kinds-2*pushpull.SearchRate.Burst) || n.members.Count() < pushpull.SearchRate.Burst {
		t.Errorf("%d of %d left for later, %d members", dropped, kinds, n.members.Count())
	}
}

// A push is counted with the size that it declares first.
func TestPushMayNotGrowBeyondWhatItDeclaredFirst(t *testing.T) {
	c := duo(t)
	n := c.nodes[0]
	n.push.Config.State = true
	c.do(0, func(now time.Time) {
		p, id := n.peers[c.nodes[1].cfg.ID], wire.MessageID{6: 0x40, 15: 7}
		d := wire.Direct{Use: wire.UsePush, Total: 10, Data: []byte("x")}
		for range 2 {
			if !n.push.expects(now, p, id, d) {
				t.Error("refused")
			}
		}
		if d.Total = MessageMax; n.push.expects(now, p, id, d) {
			t.Errorf("%d bytes are taken of a push that declared 10", MessageMax)
		}
	})
}

// A node that did not run for long has released its arena while a datagram of two messages is open.
func TestOpenDatagramWhoseArenaIsGoneIsDropped(t *testing.T) {
	c := duo(t)
	n := c.nodes[0]
	c.do(0, func(now time.Time) {
		p := n.peers[c.nodes[1].cfg.ID]
		for range 2 {
			m := n.sender.NewSmall(now, wire.AppendCast(nil, wire.KindCast, n.ids.Broadcast(), 0, []byte("hello")))
			p.Packets.Send(now, m.Ref)
		}
		n.sender.Arena.Rest(now.Add(time.Hour))
		p.Packets.Seal(now)
		if got := n.Stats().Dropped[stats.DropForgotten]; got != 2 || p.Packets.HasOpen() {
			t.Errorf("%d dropped, open %v", got, p.Packets.HasOpen())
		}
	})
}

// One datagram causes no more answers than a correct node requests (PROTOCOL.md P8).
func TestOneDatagramDrawsFewAnswers(t *testing.T) {
	seen := func(n *node) [2]wire.MessageID { // two messages that node 0 has received
		var ids [2]wire.MessageID
		for i := range ids {
			ids[i] = wire.MessageID{9, 6: 0x80, 15: byte(i + 1)}
			n.broadcast.Disseminator.Seen.First(n.entered, &ids[i], nil)
		}
		return ids
	}
	for _, s := range []struct {
		name string
		most uint64
		make func(n *node, i int, b []byte) []byte
	}{
		{"Pings", packets.AcksMax, func(n *node, i int, b []byte) []byte {
			return wire.AppendPing(b, wire.KindPing, wire.MessageID{}, wire.Ping{Seq: uint64(i)})
		}},
		{"empty announcements", 1, func(n *node, i int, b []byte) []byte {
			return wire.AppendList(b, wire.KindHave, wire.MessageID{}, nil)
		}},
		{"pieces of messages it has", 16, func(n *node, i int, b []byte) []byte {
			return wire.AppendFrame(b, wire.Bin, seen(n)[i%2], 100, 0, []byte("x"))
		}},
		{"stale entries", antientropy.AnswersMax, func(n *node, i int, b []byte) []byte {
			w := wire.BeginSyncMembers(b, wire.MessageID{})
			for range 500 {
				w.Append(&wire.Member{State: wire.StateLeft, ID: n.links[0].ID, Incarnation: 1}, 60_000)
			}
			return w.End()
		}},
	} {
		c := newCluster(t, 1, lan())
		c.tweak = func(_ int, cfg *Config) { cfg.Meta = make([]byte, 400) }
		c.add(2)
		c.form(2 * time.Second)
		c.net.RunFor(3 * time.Second)
		n := c.nodes[0]
		var plain []byte
		count := 500
		if s.name == "stale entries" {
			count = 1
		}
		for i := range count {
			plain = s.make(n, i, plain)
		}
		before := n.Stats().SentDatagrams
		c.say(1, 0, plain)
		if sent := n.Stats().SentDatagrams - before; sent > s.most+4 {
			t.Errorf("%s: one datagram drew %d", s.name, sent)
		}
	}
}

// An entry that claims to refute accusations that cannot exist yet would keep its node alive indefinitely.
func TestEntryThatRefutesAccusationsOfItsOwnIncarnationIsNotTakenIn(t *testing.T) {
	for _, ahead := range []uint64{0, 1, 1 << 40} {
		c := duo(t)
		n := c.nodes[0]
		at := uint64(c.net.Now().UnixMilli())
		id := wire.NodeID{7, 6: 0x80, 8: 0x80}
		w := wire.BeginMembers(nil, wire.MessageID{})
		w.Append(&wire.Member{ID: id, Incarnation: at, Refuted: at + ahead, Name: []byte("x"), Addr: testAddr(9), Named: at}, 1400)
		c.say(1, 0, w.End())
		if n.isLive(id) {
			t.Errorf("taken in with refuted %d ahead of its incarnation", ahead)
		}
	}
}

// Text that a member chooses, such as a name or a reason, adds no line to the log and no escape sequence.
func TestNoLineOfTheLogIsForgedByAName(t *testing.T) {
	const forged = "x\n[ERR] gwyh: forged\x1b[2J\u009b2J\xff"
	c := newCluster(t, 1, lan())
	c.tweak = func(i int, cfg *Config) {
		if cfg.Debug = true; i == 2 { // its handshakes contain this name
			cfg.Name, cfg.Zone = forged, wire.Zone{Name: "z\n", Valid: true}
		}
	}
	c.add(3)
	c.join(1, 0)
	c.join(2, 0)
	c.net.RunFor(3 * time.Second)
	w := wire.BeginMembers(nil, wire.MessageID{})
	for i, name := range []string{forged, "node-1\r", "\x00"} {
		w.Append(&wire.Member{ID: wire.NodeID{7, byte(i), 6: 0x80, 8: 0x80}, Incarnation: 5, Name: []byte(name), Addr: testAddr(9 + i)}, 1400)
	}
	c.say(2, 0, w.End())
	c.net.RunFor(20 * time.Second)
	for _, n := range c.nodes[:2] {
		if n.members.Count() != 2 {
			t.Errorf("%s has %d members, want those whose names can be printed", n.cfg.Name, n.members.Count())
		}
		for _, line := range n.logs {
			if !utf8.ValidString(line) || strings.ContainsFunc(line, unicode.IsControl) {
				t.Errorf("%s wrote %q", n.cfg.Name, line)
			}
		}
	}
	if len(c.nodes[0].logs) == 0 {
		t.Error("nothing was logged")
	}
}

// entry returns the alive entry of node i about itself, after a change.
func (c *cluster) entry(i int, change func(e *wire.Member)) wire.Member {
	var e wire.Member
	c.nodes[i].members.Self().Fill(&e)
	change(&e)
	return e
}

// contact gives all nodes of a cluster sessions with node i, as an insider has.
func (c *cluster) meet(i int) {
	c.t.Helper()
	c.do(i, func(now time.Time) {
		for _, n := range c.without(i) {
			c.nodes[i].hs.dialMember(now, wire.Path{Remote: n.addr}, n.cfg.ID, time.Second)
		}
	})
	c.net.RunFor(500 * time.Millisecond)
}

// claim makes node i send node k invented entries. They arrive when the network runs.
func (c *cluster) claim(i, k int, entries ...wire.Member) {
	c.t.Helper()
	c.do(i, func(now time.Time) {
		w := wire.BeginMembers(nil, wire.MessageID{})
		for j := range entries {
			w.Append(&entries[j], 60_000)
		}
		p := c.nodes[i].peers[c.nodes[k].cfg.ID]
		if p == nil {
			c.t.Fatal("no session")
		}
		c.nodes[i].sender.SendPlain(now, &p.Peer, w.End())
	})
}

// A live node refutes any false entry about itself. The false entry may even have the next incarnation of the node: the
// one that the node takes because it has just received another false entry.
func TestFalseEntriesOfALiveNodeAreOutdone(t *testing.T) {
	const victim, insider = 0, 7
	const ahead = uint64(5000) // above the clock: the victim takes an incarnation above it, instead of the time
	for _, x := range []struct {
		name      string
		poison    func(own, now uint64) uint64
		decoy     uint64 // above the clock, sent to the victim only; 0 for none
		slowClock bool   // the clock of the victim is slow
	}{
		{"its own incarnation", func(own, _ uint64) uint64 { return own }, 0, false},
		{"the next one", func(own, _ uint64) uint64 { return own + 1 }, 0, false},
		{"the one after a decoy", func(_, now uint64) uint64 { return now + ahead + 1 }, ahead, false},
		{"one at the bound", func(_, now uint64) uint64 { return now + uint64(24*time.Hour/time.Millisecond) }, 0, false},
		{"one at the bound, to a slow clock", func(_, now uint64) uint64 { return now + uint64(24*time.Hour/time.Millisecond) }, 0, true},
	} {
		c := newCluster(t, 1, lan())
		c.add(8)
		if x.slowClock {
			c.net.SetClockOffset(c.nodes[victim].addr, -50*time.Second)
		}
		c.form(3 * time.Second)
		c.net.RunFor(time.Minute)
		c.meet(insider)
		now := uint64(c.net.Now().UnixMilli())
		poison := c.entry(victim, func(e *wire.Member) {
			e.Incarnation, e.Meta, e.Addr = x.poison(e.Incarnation, now), []byte("poison"), testAddr(99)
		})
		for k := range insider {
			if k != victim {
				c.claim(insider, k, poison)
			}
		}
		if x.decoy > 0 {
			c.claim(insider, victim, c.entry(victim, func(e *wire.Member) { e.Incarnation = now + x.decoy }))
		}
		c.net.RunFor(15 * time.Second)
		if x.slowClock {
			c.net.RunFor(time.Minute)
		}
		for k, n := range c.nodes {
			m := n.members.Get(c.nodes[victim].cfg.ID)
			if m.Addr != testAddr(victim) || len(m.Meta) != 0 {
				t.Errorf("%s: node %d has the victim at %v with metadata %q", x.name, k, m.Addr, m.Meta)
			}
			if root := c.nodes[victim].members.Root(0); n.members.Root(0) != root {
				t.Errorf("%s: the tables of node %d and the victim differ", x.name, k)
			}
		}
	}
}

// undisturbed fails the test if a node was told that a member joined, left or failed.
func (c *cluster) undisturbed(what string, nodes []*node) {
	c.t.Helper()
	for _, n := range nodes {
		for _, e := range n.events {
			if e.Kind == event.Join || e.Kind == event.Leave {
				c.t.Errorf("%s: %s was told %v of %s", what, n.cfg.Name, e.Kind, e.Member.Name)
			}
		}
	}
}

// An insider says that a live node has failed, or has left. Nobody believes it, because the node refutes it.
func TestForgedDeathOrDepartureTakesNobodyOut(t *testing.T) {
	const victim, insider, size = 0, 7, 8
	for _, x := range []struct {
		name string
		back bool // the victim has left and come back before
		lie  func(c *cluster, e *wire.Member)
	}{
		{"dead", false, func(c *cluster, e *wire.Member) { e.State, e.From = wire.StateDead, c.nodes[insider].cfg.ID }},
		{"dead, as the receiver found", false, func(c *cluster, e *wire.Member) { e.State, e.From = wire.StateDead, c.nodes[1].cfg.ID }},
		{"dead, of the next incarnation", false, func(_ *cluster, e *wire.Member) { e.State, e.Incarnation = wire.StateDead, e.Incarnation+1 }},
		{"left", false, func(_ *cluster, e *wire.Member) { e.State, e.Proof = wire.StateLeft, wire.Proof{} }},
		{"left, with its id as the proof", false, func(_ *cluster, e *wire.Member) {
			e.State, e.Proof = wire.StateLeft, wire.Proof(append(e.ID[:], e.ID[:]...))
		}},
		{"left, with the proof of its departure before", true, func(_ *cluster, e *wire.Member) { e.State = wire.StateLeft }},
	} {
		c := newCluster(t, 1, lan())
		c.add(size)
		c.form(3 * time.Second)
		c.net.RunFor(10 * time.Second)
		if x.back {
			c.do(victim, c.nodes[victim].Leave)
			c.net.RunFor(3 * time.Second)
			c.join(victim, 1)
			c.net.RunFor(5 * time.Second)
		}
		c.meet(insider)
		for _, n := range c.nodes {
			n.events = nil
		}
		lie := c.entry(victim, func(e *wire.Member) { x.lie(c, e) })
		for k := range insider {
			if k != victim {
				c.claim(insider, k, lie)
			}
		}
		c.net.RunFor(20 * time.Second)
		c.undisturbed(x.name, c.nodes[:insider])
		if refuted := c.nodes[victim].members.Self().Refuted; refuted < lie.Incarnation {
			t.Errorf("%s: the victim refuted %d, not %d", x.name, refuted, lie.Incarnation)
		}
		if !c.whole() {
			t.Errorf("%s: %s", x.name, c.missing())
		}
	}
}

// A departure is known to all nodes at once, also the second one of a node, and to nodes that joined in between.
func TestDepartureIsKnownAtOnceWhoeverPassesItOn(t *testing.T) {
	c := newCluster(t, 1, lan())
	c.add(20)
	c.form(3 * time.Second)
	c.net.RunFor(10 * time.Second)
	for round := range 3 {
		c.do(5, c.nodes[5].Leave)
		c.net.RunFor(200 * time.Millisecond)
		for i, n := range c.nodes {
			if told := n.leaves("node-5"); told[wire.StateLeft] == 0 || len(told) != 1 {
				t.Errorf("round %d: node %d was told %v", round, i, told)
			}
			n.events = nil
		}
		c.join(5, 0)
		c.net.RunFor(2 * time.Second)
		c.add(1)
		c.join(len(c.nodes)-1, 0)
		c.net.RunFor(3 * time.Second)
		if !c.whole() {
			t.Fatalf("round %d: %s", round, c.missing())
		}
	}
}

// Two nodes suspect the same member, and one of them sends the other its entry in answer to a comparison. They do not go
// on to send it to each other (PROTOCOL.md Y8).
func TestNodesThatSuspectTheSameMemberDoNotSendItToEachOtherWithoutEnd(t *testing.T) {
	c := newCluster(t, 1, lan())
	c.add(3)
	c.form(2 * time.Second)
	c.net.RunFor(3 * time.Second)
	accused := c.nodes[2]
	c.net.Crash(accused.addr)
	for _, n := range c.nodes[:2] {
		m := n.members.Get(accused.cfg.ID)
		n.swim.detect(c.net.Now(), n.swim.Accuse(n.swim.outcomes, c.net.Now(), m, m.Incarnation, n.cfg.ID, nil))
	}
	c.net.RunFor(100 * time.Millisecond)
	before := c.nodes[0].Stats().SentDatagrams
	c.do(1, func(now time.Time) {
		n := c.nodes[1]
		n.entries.SendEntries(now, &n.peers[c.nodes[0].cfg.ID].Peer, []*members.Entry{n.members.Get(accused.cfg.ID)}, antientropy.AnswersMax)
	})
	c.net.RunFor(500 * time.Millisecond)
	if sent := c.nodes[0].Stats().SentDatagrams - before; sent > 20 {
		t.Errorf("%d datagrams were sent in half a second", sent)
	}
}
