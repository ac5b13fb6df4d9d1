package gossip

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/blake2b"

	"github.com/gwyh-go/gwyh/internal/handshake"
	"github.com/gwyh-go/gwyh/internal/nodeid"
	"github.com/gwyh-go/gwyh/internal/simnet"
	"github.com/gwyh-go/gwyh/internal/stats"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// outsider adds one node that differs from a cluster of three by tweak, and makes it join. It expects that no node ever
// has it as a member, and that a node logs a line with the reason.
func outsider(t *testing.T, wantLog string, tweak func(cfg *Config), setup func(c *cluster)) {
	t.Helper()
	c := newCluster(t, 1, lan())
	c.add(3)
	c.form(time.Second)
	c.tweak = func(_ int, cfg *Config) { tweak(cfg) }
	c.add(1)
	if setup != nil {
		setup(c)
	}
	c.join(3, 0)
	c.do(0, func(now time.Time) { c.nodes[0].Join(now, c.nodes[3].addr, now.Add(10*time.Second)) })
	c.net.RunFor(15 * time.Second)
	lines := 0
	for i, n := range c.nodes {
		want := 3
		if i == 3 {
			want = 1
		}
		if n.members.Count() != want {
			t.Errorf("node %d has %d members, want %d", i, n.members.Count(), want)
		}
		for _, l := range n.logs {
			if strings.Contains(l, wantLog) {
				lines++
			}
		}
	}
	if lines == 0 || lines > 12 {
		t.Errorf("%d log lines about %q, want a few; logs: %v, %v", lines, wantLog, c.nodes[0].logs, c.nodes[3].logs)
	}
	if j := c.nodes[3].joined; len(j) != 1 || j[0].Err == nil {
		t.Errorf("the outsider's Join: %+v", j)
	}
}

func TestNodeWithAnotherKeyNeverBecomesAMember(t *testing.T) {
	outsider(t, "key", func(cfg *Config) { cfg.Keys = []handshake.Key{handshake.NewKey([]byte("another"), "")} }, nil)
}

func TestNodeWithAnotherLabelNeverBecomesAMember(t *testing.T) {
	outsider(t, "key", func(cfg *Config) {
		cfg.Keys, cfg.Labeled = []handshake.Key{handshake.NewKey([]byte("insecure"), "blue")}, true
	}, nil)
}

func TestNodeWithAClockTwoMinutesOffNeverBecomesAMember(t *testing.T) {
	outsider(t, "time", func(*Config) {}, func(c *cluster) { c.net.SetClockOffset(c.nodes[3].addr, 2*time.Minute) })
}

// A Hello in the form of gwyh 0.1, without a block, has an id that only Go nodes have.
func TestGoIDWithoutABlockNeverBecomesAMember(t *testing.T) {
	c := newCluster(t, 1, lan())
	c.add(2)
	c.form(time.Second)
	random := c.net.Reader(99)
	id, _, err := nodeid.New(random, nodeid.NoAgreement)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		c.net.Inject(testAddr(9), c.nodes[0].addr, legacyHello(id, c.net.HostNow(c.nodes[0].addr), byte(i)))
		c.net.RunFor(10 * time.Millisecond)
	}
	n := c.nodes[0]
	if got := n.hs.Stats().Rejected[handshake.Unbound]; got != 20 {
		t.Errorf("%d handshakes were refused, want 20", got)
	}
	if len(n.peers) != 1 || n.members.Count() != 2 {
		t.Errorf("%d peers and %d members, want 1 and 2", len(n.peers), n.members.Count())
	}
}

// legacyHello returns a Hello that verifies under the default key and has no extension block.
func legacyHello(id wire.NodeID, now time.Time, salt byte) []byte {
	h := wire.Handshake{ID: wire.HandshakeID{1, salt}, Step: wire.StepHello, PublicKey: [32]byte{9, salt}, Timestamp: now.UTC()}
	message := make([]byte, 69)
	message[0] = salt
	h.Hmacs = []wire.Hmac{{Sum: testHmac("insecure", message, h.Timestamp), Message: message}}
	return wire.AppendHandshake(nil, 1, id, &h)
}

// PROTOCOL.md W9.
func TestGarbageIsCountedByReasonAndChangesNothing(t *testing.T) {
	c := newCluster(t, 1, lan())
	c.add(2)
	c.form(time.Second)
	n := c.nodes[0]
	c.net.RunFor(3 * time.Second)
	before, version, peers := n.Stats(), n.Version(), len(n.peers)
	rng := rand.New(rand.NewPCG(1, 2))
	sizes := []int{0, 1, 2, 20, 100, 1400, 65_507}
	for i := range 700 {
		b := make([]byte, sizes[i%len(sizes)])
		for k := range b {
			b[k] = byte(rng.Uint32())
		}
		c.net.Inject(testAddr(200+i%3), n.addr, b)
	}
	c.net.RunFor(100 * time.Millisecond)
	after := n.Stats()
	if got := after.Dropped[stats.DropMalformed] - before.Dropped[stats.DropMalformed]; got != 700 {
		t.Errorf("%d of 700 counted as malformed", got)
	}
	if n.Version() != version {
		t.Error("garbage changed the members")
	}
	if len(n.peers) != peers {
		t.Errorf("%d peers after the garbage, %d before", len(n.peers), peers)
	}
	if got := after.HandshakesRejected - before.HandshakesRejected; got != 0 {
		t.Errorf("%d pieces of garbage were taken for handshakes", got)
	}
}

func TestForgedAndReplayedBoxesAreCountedAndChangeNothing(t *testing.T) {
	c := newCluster(t, 1, lan())
	c.add(2)
	c.form(time.Second)
	var box []byte
	c.do(1, func(now time.Time) {
		n := c.nodes[1]
		n.HandleTimeout(now)
		n.Core.sender.Ping(now, &n.peers[c.nodes[0].cfg.ID].Peer)
		n.Drain(now, func(_ wire.Path, b []byte) { box = append(box, b...) }) // not delivered yet
	})
	n := c.nodes[0]
	before := n.Stats()
	forged := append([]byte(nil), box...)
	forged[len(forged)-30] ^= 1
	for _, b := range [][]byte{forged, box, box} {
		c.net.Inject(c.nodes[1].addr, n.addr, b)
	}
	c.net.RunFor(50 * time.Millisecond)
	after := n.Stats()
	if after.Dropped[stats.DropReplay] != before.Dropped[stats.DropReplay]+1 || after.Dropped[stats.DropForged] != before.Dropped[stats.DropForged]+1 {
		t.Errorf("dropped before %v, after %v", before.Dropped, after.Dropped)
	}
}

// 10,000 forged Hellos per second, each with four Hmacs, arrive from all addresses of one /24, while a node from
// another network joins.
func TestHonestNodeJoinsDuringAFloodOfForgedHellos(t *testing.T) {
	c := newCluster(t, 1, lan())
	c.add(2)
	victim := c.nodes[0]
	rng := rand.New(rand.NewPCG(3, 4))
	id, _, _ := nodeid.New(c.net.Reader(7), nodeid.NoAgreement)
	var flood func()
	flood = func() {
		h := wire.Handshake{ID: wire.HandshakeID{byte(rng.Uint32()), byte(rng.Uint32())}, Step: wire.StepHello, Timestamp: c.net.HostNow(victim.addr).UTC()}
		for range 4 {
			h.Hmacs = append(h.Hmacs, wire.Hmac{Message: make([]byte, 96)})
		}
		from := netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 168, 7, byte(rng.Uint32())}), 4000)
		c.net.Inject(from, victim.addr, wire.AppendHandshake(nil, 1, id, &h))
		c.net.After(100*time.Microsecond, flood)
	}
	flood()
	c.net.RunFor(time.Second)
	c.join(1, 0)
	if !c.net.RunUntil(time.Second, c.whole) {
		t.Errorf("not joined within 1 s: %s", c.missing())
	}
	if victim.Stats().HandshakesRejected < 10_000 {
		t.Errorf("only %d forged Hellos were refused", victim.Stats().HandshakesRejected)
	}
	if bound, legacy := victim.hs.HalfOpen(); bound+legacy > 1 {
		t.Errorf("%d handshakes half open after forgeries", bound+legacy)
	}
}

// A thousand nodes with addresses in one block start together.
func TestThousandNodesOfOneBlockShakeHandsAtOnce(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, simnet.Link{Latency: simnet.Constant(time.Millisecond)})
	c.tweak = func(i int, cfg *Config) {
		cfg.Subscriptions = 1
		cfg.Advertise = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(i % 250)}), uint16(7000+i))
	}
	c.add(thousand + 1)
	for i := 1; i < len(c.nodes); i++ {
		c.join(i, 0)
	}
	seed := c.nodes[0]
	c.net.RunUntil(4*time.Second, func() bool { return seed.hs.Stats().Accepted >= thousand })
	if got := seed.hs.Stats().Accepted; got < thousand {
		t.Errorf("%d of %d have shaken hands after 4 s", got, thousand)
	}
}

func FuzzCoreInput(f *testing.F) {
	f.Add([]byte{}, []byte{})
	f.Add(legacyHello(wire.NodeID{6: 0x40}, time.Unix(0, 0), 1), wire.AppendRequest(nil, wire.MessageID{}, wire.KindHeartbeat))
	f.Add([]byte{0x93}, wire.AppendCast(nil, wire.KindCast, wire.MessageID{6: 0x80}, 0, []byte("hello")))
	f.Add([]byte{0x93}, wire.AppendSyncRoot(nil, wire.MessageID{}, wire.SyncRoot{Root: 1, Count: 2}))
	f.Add([]byte{0x93}, wire.AppendSyncBuckets(nil, wire.MessageID{}, wire.SyncBuckets{Bits: 3, First: 1, Hashes: make([]byte, 16)}))
	f.Add([]byte{0x93}, wire.AppendSyncWant(nil, wire.MessageID{}, wire.SyncWant{Bits: 3, Buckets: make([]byte, 16)}))
	f.Add([]byte{0x93}, wire.AppendPing(nil, wire.KindPing, wire.MessageID{}, wire.Ping{Seq: 1, Payload: []byte("x")}))
	f.Add([]byte{0x93}, wire.AppendPing(nil, wire.KindAck, wire.MessageID{}, wire.Ping{Seq: 1 << 63}))
	mw := wire.BeginMembers(nil, wire.MessageID{})
	mw.Append(&wire.Member{ID: wire.NodeID{6: 0x80}, Incarnation: 5, Name: []byte("x"), Addr: testAddr(3)}, 1000)
	mw.Append(&wire.Member{State: wire.StateDead, ID: wire.NodeID{6: 0x81}, Incarnation: 5}, 1000)
	f.Add([]byte{0x93}, mw.End())
	// datagram is sent by a node outside the cluster; plain is sealed by a member.
	f.Fuzz(func(t *testing.T, datagram, plain []byte) {
		c := newCluster(t, 1, lan())
		c.add(2)
		c.join(1, 0)
		c.net.RunFor(100 * time.Millisecond)
		n := c.nodes[0]
		c.net.Inject(testAddr(50), n.addr, datagram)
		c.do(1, func(now time.Time) {
			if p := c.nodes[1].peers[n.cfg.ID]; p != nil {
				c.nodes[1].sender.SendPlain(now, &p.Peer, plain)
			}
		})
		c.net.RunFor(3 * time.Second)
		if n.NextTimeout().Before(c.net.Now()) {
			t.Error("the core stands still")
		}
	})
}

// testHmac returns the Hmac of PROTOCOL.md 1 over message and the decimal timestamp.
func testHmac(psk string, message []byte, at time.Time) (sum [64]byte) {
	k := blake2b.Sum512([]byte(psk))
	h, err := blake2b.New512(k[:])
	if err != nil {
		panic(err)
	}
	h.Write(message)
	fmt.Fprintf(h, "%d", at.UnixNano())
	h.Sum(sum[:0])
	return sum
}

func TestMemberOutsideTheAllowedNetworksIsNoMember(t *testing.T) {
	c := newCluster(t, 1, lan())
	outside := testAddr(3).Addr()
	c.tweak = func(_ int, cfg *Config) { cfg.Allow = func(a netip.Addr) bool { return a != outside } }
	c.add(4)
	for i := 1; i < 4; i++ {
		c.join(i, 0)
	}
	c.net.RunFor(5 * time.Second)
	for i, n := range c.nodes[:3] {
		if n.members.Count() != 3 || n.members.Named("node-3") != nil {
			t.Errorf("node %d has %d members", i, n.members.Count())
		}
	}
	if c.nodes[0].Stats().Dropped[stats.DropAddress] == 0 {
		t.Error("not counted")
	}
}
