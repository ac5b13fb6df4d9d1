package gwyh01

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/nodeid"
	"github.com/gwyh-go/gwyh/internal/session"
	"github.com/gwyh-go/gwyh/internal/simnet"
	"github.com/gwyh-go/gwyh/internal/wire"
)

func testAddr(i int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 1, 0, byte(i)}), 6969)
}

// cluster returns models on a simulated LAN that have the first one as their seed. Each starts when the earlier ones
// are subscribed to each other. Nodes that start together never learn of each other: nothing subscribes to the news.
func cluster(t *testing.T, count int, change func(i int, c *Config)) (*simnet.Network, []*Node) {
	t.Helper()
	net := simnet.New(simnet.Config{Seed: 1, Link: simnet.Link{Latency: simnet.Constant(time.Millisecond)}})
	var nodes []*Node
	for i := range count {
		c := Config{Addr: testAddr(i), Keys: []string{"insecure"}, Seeds: []netip.AddrPort{testAddr(0)},
			Suite: session.Null, Agreement: nodeid.NoAgreement, Rand: net.Reader(uint64(i))}
		if change != nil {
			change(i, &c)
		}
		n := New(net.Now(), c)
		nodes = append(nodes, n)
		net.Add(simnet.HostConfig{Addr: n.Addr(), Name: fmt.Sprintf("model-%d", i)}, n)
		net.RunFor(10 * time.Second)
	}
	return net, nodes
}

func TestModelsFormAClusterAndHearEachOther(t *testing.T) {
	net, nodes := cluster(t, 5, nil)
	for i, n := range nodes {
		if !n.Stats().Ready || n.Sources() == 0 || n.Subscribers() == 0 {
			t.Errorf("model %d: %d sources, %d subscribers", i, n.Sources(), n.Subscribers())
		}
		net.Do(n.Addr(), func(time.Time) { n.Broadcast([]byte{byte(i)}) })
	}
	net.RunFor(time.Second)
	for i, n := range nodes {
		if got := n.Heard(); len(got) != len(nodes)-1 {
			t.Errorf("model %d heard %d broadcasts", i, len(got))
		}
	}
}

func TestTwoModelsAtRestBounceNaksAsFastAsWasMeasured(t *testing.T) {
	net, nodes := cluster(t, 2, nil)
	net.RunFor(time.Minute)
	sent := func() (sum uint64) {
		for _, n := range nodes {
			sum += net.HostStats(n.Addr()).Sent
		}
		return sum
	}
	before := sent()
	net.RunFor(10 * time.Second)
	if got := (sent() - before) / 10; got < 700 || got > 800 {
		t.Errorf("%d packets a second", got)
	}
}

// Naks lengthen the pause between handshake packets so much that a node that restarts at its address never completes
// a handshake with the others again.
func TestModelThatIsStartedAnewIsNotGreetedByThoseThatKnewItsAddress(t *testing.T) {
	net, nodes := cluster(t, 2, nil)
	net.RunFor(time.Minute)
	addr := nodes[1].Addr()
	net.Crash(addr)
	again := New(net.Now(), Config{Addr: addr, Keys: []string{"insecure"}, Seeds: []netip.AddrPort{nodes[0].Addr()},
		Suite: session.Null, Agreement: nodeid.NoAgreement, Rand: net.Reader(9)})
	net.Restart(addr, again)
	net.RunFor(10 * time.Minute)
	if again.Stats().Ready {
		t.Error("it was")
	}
}

// One graceful shutdown disconnects a cluster of three, as measured: each of the other two takes the EndSubscription
// that the other one forwards for the other's own, and stops its heartbeats to it.
func TestShutdownOfOneModelOfThreeTakesTheOthersApart(t *testing.T) {
	net, nodes := cluster(t, 3, nil)
	net.Do(nodes[0].Addr(), func(time.Time) { nodes[0].Shutdown() })
	net.RunFor(25 * time.Second)
	for i, n := range nodes[1:] {
		if n.Subscribers() != 0 || n.Sources() != 0 {
			t.Errorf("model %d still has %d sources and %d subscribers", i+1, n.Sources(), n.Subscribers())
		}
	}
	sent := net.HostStats(nodes[0].Addr()).Sent
	net.RunFor(time.Minute)
	if more := net.HostStats(nodes[0].Addr()).Sent; more != sent {
		t.Errorf("the model that was shut down sent %d datagrams", more-sent)
	}
}

func TestCrashOfAModelIsFloodedByItsSubscribersAfterFifteenSeconds(t *testing.T) {
	net, nodes := cluster(t, 3, nil)
	net.RunFor(tick + time.Second)
	gone := nodes[2].ID()
	net.Crash(nodes[2].Addr())
	net.RunFor(8 * time.Second)
	if !nodes[0].Knows(gone) || !nodes[1].Knows(gone) {
		t.Error("forgotten early")
	}
	net.RunFor(8 * time.Second)
	if nodes[0].Knows(gone) || nodes[1].Knows(gone) {
		t.Error("not forgotten")
	}
}

// A stranger completes handshakes with a model and sends it Naks.
type stranger struct {
	t     *testing.T
	model *Node
	from  netip.AddrPort
	now   time.Time
	key   key
	seq   uint32
}

// shakes returns the key of a handshake if the model answers a Hello in time, otherwise nil.
func (s *stranger) shakes(within time.Duration) *[32]byte {
	secret, public := nodeid.NoAgreement(&[32]byte{1, 2, 3})
	h := wire.Handshake{ID: wire.HandshakeID{byte(s.seq), 1}, Step: wire.StepHello, PublicKey: public, Timestamp: s.now}
	h.Hmacs = []wire.Hmac{{Sum: s.key.hmac(make([]byte, 69), s.now), Message: make([]byte, 69)}}
	s.send(&h)
	var box *[32]byte
	for end := s.now.Add(within); ; {
		s.model.Drain(s.now, func(_ wire.Path, b []byte) {
			var p wire.Packet
			var o wire.Handshake
			if wire.ParsePacket(&p, b) != nil || p.Kind != wire.PacketHandshake || p.ParseHandshake(&o) != nil || o.ID != h.ID || o.Step != wire.StepOhai {
				return
			}
			shared, _ := secret.Agree(&o.PublicKey)
			k := boxKey(&shared)
			box = &k
			s.send(&wire.Handshake{ID: h.ID, Step: wire.StepOkBoss, Responses: [][64]byte{s.key.response(&o.Challenge, &o.PublicKey, o.ID)}})
		})
		next := s.model.NextTimeout()
		if next.IsZero() || next.After(end) {
			s.now = end
			return box
		}
		s.now = next
		s.model.HandleTimeout(s.now)
	}
}

func (s *stranger) send(h *wire.Handshake) {
	s.seq++
	s.model.HandleDatagram(s.now, wire.Path{Remote: s.from}, wire.AppendHandshake(nil, s.seq, wire.NodeID{6: 0x80, 15: 1}, h))
}

func (s *stranger) nak(box *[32]byte) { s.says(box, wire.AppendNak(nil, wire.MessageID{1}, 1, 1)) }

func (s *stranger) says(box *[32]byte, plain []byte) {
	var nonce [24]byte
	var tag [16]byte
	var subkey [32]byte
	s.seq++
	nonce[0] = byte(s.seq)
	session.Null.Subkey(&subkey, box, (*[16]byte)(nonce[:16]))
	session.Null.Seal(&subkey, (*[8]byte)(nonce[16:]), &tag, plain, plain)
	s.model.HandleDatagram(s.now, wire.Path{Remote: s.from}, wire.AppendBoxArrays(nil, s.seq, wire.NodeID{6: 0x80, 15: 1}, &nonce, &tag, plain))
}

func TestNaksKeepAModelFromShakingHands(t *testing.T) {
	for _, x := range []struct {
		naks   int
		within time.Duration
	}{{12, window}, {24, 3 * time.Hour}} {
		t.Run(fmt.Sprintf("%d Naks, %v", x.naks, x.within), func(t *testing.T) {
			now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
			model := New(now, Config{Addr: testAddr(0), Keys: []string{"insecure"}, Suite: session.Null, Agreement: nodeid.NoAgreement, Rand: &counter{}})
			s := &stranger{t: t, model: model, from: testAddr(9), now: now, key: newKey("insecure")}
			box := s.shakes(time.Second)
			if box == nil {
				t.Fatal("no answer to the first Hello")
			}
			if s.shakes(5*time.Millisecond) != nil {
				t.Error("the second Hello was answered at once")
			}
			for range x.naks {
				s.nak(box)
			}
			if got := model.Stats().NaksReceived; got != x.naks {
				t.Fatalf("%d Naks came", got)
			}
			if s.shakes(x.within) != nil {
				t.Error("shakes hands")
			}
		})
	}
}

// hellosTo lets time pass until end and returns when the model greeted an address.
func (s *stranger) hellosTo(to netip.AddrPort, end time.Time) (at []time.Time) {
	for ; !s.now.After(end); s.now = s.model.NextTimeout() {
		s.model.HandleTimeout(s.now)
		s.model.Drain(s.now, func(path wire.Path, b []byte) {
			if path.Remote == to {
				at = append(at, s.now)
			}
		})
	}
	s.now = end
	return at
}

func TestModelGreetsNewNodesWhenTheNewsHasStopped(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	const pause = 2 * time.Second
	model := New(now, Config{Addr: testAddr(0), Keys: []string{"insecure"}, Suite: session.Null, Agreement: nodeid.NoAgreement, Rand: &counter{},
		ChooseAfter: func(wire.NodeID) time.Duration { return pause }})
	s := &stranger{t: t, model: model, from: testAddr(9), now: now, key: newKey("insecure")}
	box := s.shakes(100 * time.Millisecond)
	var last time.Time
	for i := range byte(3) {
		last = s.now
		s.says(box, wire.AppendPeerStatus(nil, wire.MessageID{2, i}, wire.Peer{ID: wire.NodeID{3, i}, Addr: testAddr(20 + int(i))}, true))
		if early := s.hellosTo(testAddr(20), s.now.Add(pause*3/4)); len(early) > 0 {
			t.Fatalf("greeted at %v, told at %v", early, last)
		}
	}
	if at := s.hellosTo(testAddr(20), s.now.Add(pause)); len(at) != 1 || at[0].Sub(last) != pause {
		t.Errorf("greeted at %v, told last at %v", at, last)
	}
}

func TestModelLosesALargeBroadcastWithoutAWord(t *testing.T) {
	net, nodes := cluster(t, 2, func(_ int, c *Config) { c.Suite = session.NaCl })
	for _, size := range []int{21_000, 44_000} {
		net.Do(nodes[0].Addr(), func(time.Time) { nodes[0].Broadcast(make([]byte, size)) })
		net.RunFor(time.Second)
		switch got := len(nodes[1].Heard()); {
		case got != 1 && size == 21_000:
			t.Errorf("%d bytes came %d times", size, got)
		case got != 0 && size == 44_000:
			t.Errorf("%d bytes came %d times", size, got)
		}
	}
	if nodes[0].Stats().TooLarge == 0 {
		t.Error("nothing was too large")
	}
}
