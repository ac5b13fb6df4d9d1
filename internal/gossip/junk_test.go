package gossip

import (
	"bytes"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// junk returns a packet of each kind that an outsider may send at any rate, in the form that a busy node refuses.
func junk(now time.Time) map[string][]byte {
	sender := wire.NodeID{0: 9, 6: 0x80}
	hmacs := func(n, size int, magic string) (list []wire.Hmac) {
		for range n {
			m := make([]byte, size)
			for i := range m {
				m[i] = byte(i * 37)
			}
			copy(m, magic)
			list = append(list, wire.Hmac{Message: m})
		}
		return list
	}
	falseCookie := make([]byte, 96) // the block of a Hello with a cookie
	copy(falseCookie, "gwyh-ext\x01\x01\x00\x53")
	copy(falseCookie[64:], []byte{4, 0, wire.CookieSize, 1, 2, 3})
	nils := bytes.Repeat([]byte{0xc0}, 1000)
	byName := slices.Concat([]byte("\x83\xa4body\x81\xa1H\xdc\x03\xe8"), nils, []byte("\xa1s\x01\xa2id\xc4\x10"), sender[:])
	packet := func(h wire.Handshake) []byte { return wire.AppendHandshake(nil, 1, sender, &h) }
	var nonce [24]byte
	box, _, _ := wire.ReserveBox(nil, 1, sender, &nonce, 500)
	return map[string][]byte{
		"Hello":                   packet(wire.Handshake{Step: wire.StepHello, Timestamp: now, Hmacs: hmacs(1, 96, "gwyh-ext")}),
		"Hello, four Hmacs":       packet(wire.Handshake{Step: wire.StepHello, Timestamp: now, Hmacs: hmacs(4, 96, "gwyh-ext")}),
		"Hello, long":             packet(wire.Handshake{Step: wire.StepHello, Timestamp: now, Hmacs: hmacs(4, 1024, "gwyh-ext")}),
		"Hello without a block":   packet(wire.Handshake{Step: wire.StepHello, Timestamp: now, Hmacs: hmacs(4, 419, "")}),
		"Hello, false cookie":     packet(wire.Handshake{Step: wire.StepHello, Timestamp: now, Hmacs: []wire.Hmac{{Message: falseCookie}}}),
		"packet as a map":         byName,
		"box of arrays":           wire.AppendBoxArrays(nil, 1, sender, &nonce, new([16]byte), hmacs(1, 1024, "")[0].Message),
		"Ohai of no Hello":        packet(wire.Handshake{Step: wire.StepOhai, Hmacs: hmacs(1, 96, "gwyh-ext")}),
		"OkBoss of no handshake":  packet(wire.Handshake{Step: wire.StepOkBoss, Responses: make([][64]byte, 8)}),
		"GoTeam of no handshake":  packet(wire.Handshake{Step: wire.StepGoTeam}),
		"Cookie of no Hello":      packet(wire.Handshake{Step: wire.StepCookie}),
		"box of no session":       box,
		"garbage":                 []byte("GET / HTTP/1.1\r\nHost: 10.0.0.1\r\n\r\n"),
		"an array without an end": append([]byte{0x93, 1, 0xc4, 16}, make([]byte, 1200)...),
	}
}

// junkNode returns a function that gives packets to a node, which has had so much junk in this second that it uses cookies.
func junkNode(t testing.TB) (take func(packet []byte)) {
	cluster := newCluster(t, 1, lan())
	cluster.add(1)
	core, now := cluster.nodes[0].Core, cluster.net.Now()
	var buf []byte
	from := wire.Path{Remote: netip.MustParseAddrPort("192.0.2.1:7000")}
	take = func(packet []byte) {
		buf = append(buf[:0], packet...)
		core.HandleDatagram(now, from, buf)
		core.Drain(now, func(wire.Path, []byte) {})
	}
	kinds := junk(now)
	for range 3000 { // more than the token buckets of Hellos contain
		take(kinds["Hello, four Hmacs"])
		take(kinds["Hello without a block"])
	}
	return take
}

func TestJunkIsRefusedWithoutAllocating(t *testing.T) {
	take := junkNode(t)
	for name, packet := range junk(time.Time{}) {
		if n := testing.AllocsPerRun(100, func() { take(packet) }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

// PROTOCOL.md W10, E10.
func TestPacketsBehindARefusedHandshakeAreNotLookedAt(t *testing.T) {
	cluster := newCluster(t, 1, lan())
	cluster.add(1)
	core, now := cluster.nodes[0].Core, cluster.net.Now()
	from := wire.Path{Remote: netip.MustParseAddrPort("192.0.2.1:7000")}
	for _, name := range []string{"Ohai of no Hello", "OkBoss of no handshake", "GoTeam of no handshake", "Cookie of no Hello", "Hello without a block"} {
		before := core.Stats().HandshakesRejected
		core.HandleDatagram(now, from, bytes.Repeat(junk(now)[name], wire.PacketsMax))
		if got := core.Stats().HandshakesRejected - before; got != 1 {
			t.Errorf("%s: %d of %d packets were refused one by one", name, got, wire.PacketsMax)
		}
	}
}

func BenchmarkJunk(b *testing.B) {
	for name, packet := range junk(time.Time{}) {
		b.Run(name, func(b *testing.B) {
			take := junkNode(b)
			b.ReportAllocs()
			for b.Loop() {
				take(packet)
			}
		})
	}
}
