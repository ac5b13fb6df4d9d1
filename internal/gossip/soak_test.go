package gossip

import (
	"flag"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/assembly"
	"github.com/gwyh-go/gwyh/internal/broadcast"
	"github.com/gwyh-go/gwyh/internal/digest"
	"github.com/gwyh-go/gwyh/internal/members"
	packets "github.com/gwyh-go/gwyh/internal/peer"
	"github.com/gwyh-go/gwyh/internal/pmtu"
	"github.com/gwyh-go/gwyh/internal/pushpull"
	"github.com/gwyh-go/gwyh/internal/swim"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// inputs is the number of inputs of TestNodeSurvivesMutatedInput. Ten million take a few minutes.
var inputs = flag.Int("inputs", 100_000, "mutated datagrams and plaintexts to throw at a node")

// specimens returns plaintexts of every kind, to be mutated.
func specimens() [][]byte {
	id := wire.MessageID{1, 6: 0x80}
	mw := wire.BeginMembers(nil, id)
	for i := range 3 {
		mw.Append(&wire.Member{State: wire.State(i), ID: wire.NodeID{byte(i), 6: 0x80}, Incarnation: 1 << 40, Name: []byte("specimen"),
			Addr: testAddr(77), ZoneName: []byte("zone"), HasZone: true, Meta: []byte("meta")}, 1400)
	}
	sw := wire.BeginSyncMembers(nil, id)
	sw.Append(&wire.Member{State: wire.StateLeft, ID: wire.NodeID{9, 6: 0x80}, Incarnation: 1 << 40}, 1400)
	s := [][]byte{mw.End(), sw.End(),
		wire.AppendCast(nil, wire.KindCast, id, 0, []byte("hello")), wire.AppendBroadcast(nil, wire.Arrays, id, []byte("hello")),
		wire.AppendFrame(nil, wire.Bin, id, 100_000, 65_000, make([]byte, 900)), wire.AppendNak(nil, id, 3, 9),
		wire.AppendPeers(nil, id, []wire.Peer{{Addr: testAddr(3)}}), wire.AppendPeerStatus(nil, id, wire.Peer{Addr: testAddr(3)}, true),
		wire.AppendSyncRoot(nil, id, wire.SyncRoot{Root: 1, Count: 2}),
		wire.AppendSyncBuckets(nil, id, wire.SyncBuckets{Bits: 2, Hashes: make([]byte, 32)}),
		wire.AppendSyncWant(nil, id, wire.SyncWant{Bits: 2, Buckets: make([]byte, 8)}),
		wire.AppendPing(nil, wire.KindPing, id, wire.Ping{Seq: 5}), wire.AppendPing(nil, wire.KindAck, id, wire.Ping{Seq: 5}),
		wire.AppendDirect(nil, id, wire.Direct{Use: wire.UseReliable, Total: 5, Data: []byte("hello")}),
		wire.AppendDirect(nil, id, wire.Direct{Total: 1 << 24, Offset: 1 << 20, Data: []byte("hello")}),
		wire.AppendDirectAck(nil, id, wire.DirectAck{ID: id, Upto: 5}),
		wire.AppendProbeFor(nil, id, wire.ProbeFor{Seq: 1, Target: wire.NodeID{9, 6: 0x80}, Addr: testAddr(77)}),
		wire.AppendProbeResult(nil, id, wire.ProbeResult{Seq: 1, Answered: true}),
		wire.AppendReport(nil, id, wire.Report{Highest: 9, Lowest: 3, Bytes: 5000, Delay: 7}),
	}
	roll := wire.AppendMemberList(nil, &wire.Member{State: wire.StateLeft, ID: wire.NodeID{8, 6: 0x80}, Name: []byte("rolled"), Addr: testAddr(78)})
	for use := wire.UsePush; use.Known(); use++ {
		data := []byte("state")
		if use >= wire.UseMemberList {
			data = roll
		}
		s = append(s, wire.AppendDirect(nil, id, wire.Direct{Use: use, Total: uint32(len(data)), Data: data}),
			wire.AppendDirect(nil, id, wire.Direct{Use: use, Total: 1 << 20, Offset: 1 << 10, Data: data}))
	}
	s = append(s, wire.AppendStateRefused(nil, id, id), wire.AppendDirect(nil, id, wire.Direct{Use: wire.UseVeto, Total: 2, Data: []byte("no")}))
	broadcast := wire.MessageID{2, 6: 0x80, 15: 1}
	var have digest.List
	have.Add(&digest.Digest{Origin: broadcast.Origin(), Top: 9, Below: 8, Lazy: true, Holes: []digest.Hole{{Below: 1, N: 2}}})
	have.Add(&digest.Digest{Origin: broadcast.Origin() + 1, Top: 9, Below: 5})
	var steer wire.Steer
	steer.Add(broadcast.Origin(), true)
	var want wire.Want
	want.Add(&id, 65_000, 65_900)
	want.Add(&broadcast, 0, 40)
	s = append(s, wire.AppendList(nil, wire.KindHave, id, have.Bytes()), wire.AppendList(nil, wire.KindWant, id, want.Bytes()), wire.AppendList(nil, wire.KindPrune, id, steer.Bytes()), wire.AppendList(nil, wire.KindGraft, id, steer.Bytes()), wire.AppendStop(nil, id, id),
		wire.AppendSettled(nil, id, wire.Settled{Start: 1, End: 9}), wire.AppendPing(nil, wire.KindAck, id, wire.Ping{Seq: pmtu.SeqBit | 1}), wire.AppendPing(nil, wire.KindPing, id, wire.Ping{Seq: 1, Payload: make([]byte, 1000)}),
		wire.AppendCast(nil, wire.KindCast, broadcast, 0, []byte("announced")), wire.AppendPeerStatus(nil, id, wire.Peer{Addr: testAddr(3), ID: wire.NodeID{6: 0x40}}, false),
		wire.AppendIdentity(nil, id, &wire.Member{ID: wire.NodeID{9, 6: 0x80}, Incarnation: 1 << 40, Name: []byte("specimen"), Addr: testAddr(77), Versions: [6]byte{1, 5, 2, 1, 3, 2}}))
	for _, k := range []wire.Kind{wire.KindPeerList, wire.KindStartSubscription, wire.KindSubscriptionStarted, wire.KindEndSubscription, wire.KindHeartbeat} {
		s = append(s, wire.AppendRequest(nil, id, k))
	}
	return s
}

// mutate changes, truncates, repeats or joins bytes.
func mutate(rng *rand.Rand, b []byte, others [][]byte) []byte {
	b = append([]byte(nil), b...)
	for range 1 + rng.IntN(4) {
		switch i := rng.IntN(len(b) + 1); rng.IntN(6) {
		case 0:
			b = b[:i]
		case 1:
			b = append(b, others[rng.IntN(len(others))]...)
		case 2:
			b = append(b[:i:i], append([]byte{byte(rng.Uint32())}, b[i:]...)...)
		default:
			if i < len(b) {
				b[i] = byte(rng.Uint32())
			}
		}
	}
	return b[:min(len(b), 1400)]
}

// TestNodeSurvivesMutatedInput sends a node changed datagrams of an outsider, and changed plaintexts sealed by a
// member. The node must continue and stay within its limits.
func TestNodeSurvivesMutatedInput(t *testing.T) {
	c := newCluster(t, 1, lan())
	c.add(2)
	c.form(time.Second)
	n, peer := c.nodes[0], c.nodes[1]
	asks := &n.push.Config
	asks.State, asks.AskMerge, asks.AskAlive = true, true, true
	n.cfg.AskAlive, n.cfg.DatagramMax = true, DatagramProbed
	now, path := c.net.Now(), wire.Path{Remote: peer.addr}
	seal := peer.peers[n.cfg.ID].Sessions.Current(now)
	plains := specimens()
	for _, of := range []wire.NodeID{n.cfg.ID, peer.cfg.ID} { // accusations of live nodes
		for _, state := range []wire.State{wire.StateSuspect, wire.StateDead} {
			w := wire.BeginMembers(nil, wire.MessageID{})
			w.Append(&wire.Member{State: state, ID: of, Incarnation: uint64(now.UnixMilli()), From: wire.NodeID{9, 6: 0x80}}, 1400)
			plains = append(plains, w.End())
		}
		plains = append(plains, wire.AppendProbeFor(nil, wire.MessageID{}, wire.ProbeFor{Seq: 2, Target: of, Addr: testAddr(1)}))
	}
	datagrams := append([][]byte{legacyHello(wire.NodeID{6: 0x40}, now, 1)}, plains...)
	rng := newTestRand(9)
	var packet []byte
	for i := range brief(*inputs, *inputs/5) {
		now = now.Add(50 * time.Microsecond)
		if i%2 == 0 {
			packet = append(packet[:0], mutate(rng, datagrams[rng.IntN(len(datagrams))], plains)...)
		} else {
			packet = seal.Seal(now, packet[:0], mutate(rng, plains[rng.IntN(len(plains))], plains))
		}
		n.Core.HandleDatagram(now, path, packet)
		if due := n.NextTimeout(); !due.IsZero() && !due.After(now) {
			n.Core.HandleTimeout(now)
			if due := n.NextTimeout(); !due.IsZero() && !due.After(now) {
				t.Fatalf("input %d: the next timeout is not later than now", i)
			}
		}
		for _, e := range n.Events() {
			if i%3 > 0 { // the application is sometimes slow
				n.app.answer(now, n.Core, e)
			}
		}
		n.Drain(now, func(wire.Path, []byte) {})
		if p := n.peers[peer.cfg.ID]; i%1000 == 0 && p != nil && p.Linked { // load, and messages that may be requested
			for range 40 {
				_ = n.Broadcast(now, []byte("own"))
			}
		}
	}
	for _, p := range n.peers {
		switch {
		case p.Neighbor.Expected() > broadcast.AnnouncedMax:
			t.Errorf("%v announced messages are expected, want at most %v", p.Neighbor.Expected(), broadcast.AnnouncedMax)
		case p.Packets.Backlog() > packets.SmallMax+1<<16:
			t.Errorf("%v bytes wait, want at most %v", p.Packets.Backlog(), packets.SmallMax+1<<16)
		case len(p.Packets.Transfers()) > assembly.StoreCount:
			t.Errorf("%v transfers are left, want at most %v", len(p.Packets.Transfers()), assembly.StoreCount)
		case p.Packets.Path().Size() < pmtu.Min:
			t.Errorf("datagrams have %v bytes, want at least %v", p.Packets.Path().Size(), pmtu.Min)
		}
	}
	switch {
	case n.broadcast.Disseminator.Requests() > broadcast.MissingMax:
		t.Errorf("%v requests are kept, want at most %v", n.broadcast.Disseminator.Requests(), broadcast.MissingMax)
	case n.broadcast.Disseminator.Remembered() > 1<<16:
		t.Errorf("%v recent messages are kept, want at most %v", n.broadcast.Disseminator.Remembered(), 1<<16)
	case n.members.CountReserved() > n.members.CountTombstones():
		t.Errorf("%v names are reserved, want at most %v", n.members.CountReserved(), n.members.CountTombstones())
	case n.swim.Requested() > swim.RequestedMax:
		t.Errorf("%v probes for others are kept, want at most %v", n.swim.Requested(), swim.RequestedMax)
	}
	l := n.push.Load()
	if l.Theirs > pushpull.TheirsMax {
		t.Errorf("%d exchanges of others, at most %d", l.Theirs, pushpull.TheirsMax)
	}
	if l.Declared > pushpull.TheirsSize*MessageMax {
		t.Errorf("they declare %d bytes, at most %d", l.Declared, pushpull.TheirsSize*MessageMax)
	}
	if l.Votes > pushpull.VotesMax+pushpull.TheirsMax {
		t.Errorf("%d questions, at most %d", l.Votes, pushpull.VotesMax+pushpull.TheirsMax)
	}
	if n.Stats().StatesReceived == 0 {
		t.Error("no state came")
	}
	if got := n.broadcast.Store.Size(); got > assembly.StoreMax {
		t.Errorf("%d bytes of large messages, at most %d", got, assembly.StoreMax)
	}
	if got := n.members.Count() + n.members.CountTombstones(); got > members.Max+members.TombstonesMax {
		t.Errorf("%d members and tombstones, at most %d", got, members.Max+members.TombstonesMax)
	}
	if len(n.peers) > 2 {
		t.Errorf("%d peers, at most 2", len(n.peers))
	}
}
