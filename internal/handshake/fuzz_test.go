package handshake

import (
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// FuzzEndpoint feeds an Endpoint, in the midst of handshakes both ways, with whatever: none of it may panic,
// make a session or be remembered. Input is a list of datagrams, each after two bytes of length; between
// them time passes.
func FuzzEndpoint(f *testing.F) {
	w, a, b := pair(f, 1, nil)
	g := newGwyh01(w, 2, "secret")
	w.keep = true
	a.join(b.addr, time.Second)
	a.join(g.addr, time.Second)
	g.initiate(b.addr)
	w.run(2 * time.Second)
	var all []byte
	for _, d := range w.log {
		f.Add(framed(nil, d.bytes))
		all = framed(all, d.bytes)
	}
	f.Add(all)
	f.Fuzz(func(t *testing.T, in []byte) {
		w := newWorld(t, 1)
		n := newNode(w, 1, nil)
		other := newNode(w, 9, func(c *Config) { c.Keys = []Key{NewKey([]byte("another"), "")} })
		stranger := newGwyh01(w, 8, "another")
		n.join(other.addr, time.Minute)
		stranger.initiate(n.addr)
		for len(in) >= 2 {
			size := min(int(in[0])<<8|int(in[1]), len(in)-2)
			n.receive(datagram{w.now, address(3), n.addr, append([]byte(nil), in[2:2+size]...)})
			in = in[2+size:]
			w.run(time.Duration(size) * time.Millisecond)
		}
		for _, s := range n.sessions {
			if s.Peer == n.id() {
				t.Error("a session with oneself")
			}
		}
		w.run(3 * time.Minute)
		if bound, legacy := n.ep.HalfOpen(); bound+legacy != 0 || !n.ep.NextTimeout().IsZero() || len(n.ep.pending) != 0 {
			t.Error("something is left after its time")
		}
	})
}

func framed(b, datagram []byte) []byte {
	return append(append(b, byte(len(datagram)>>8), byte(len(datagram))), datagram...)
}

// FuzzBlock reads any message as a block, and writes what it read to one that reads the same.
func FuzzBlock(f *testing.F) {
	f.Add((&Block{Name: "name", Heartbeat: time.Second}).append(nil, roleHello))
	f.Add(append((&Block{}).append(nil, roleHello), "padding"...))
	f.Fuzz(func(t *testing.T, message []byte) {
		var one, two Block
		if !hasBlock(message) {
			return
		}
		block, ok := parseBlock(&one, message, roleHello)
		if !ok {
			return
		}
		helloBinding(wire.NodeID{}, &wire.Handshake{}, block)
		if _, ok := parseBlock(&two, one.append(nil, roleHello), roleHello); !ok || one != two {
			t.Errorf("%+v became %+v", one, two)
		}
	})
}
