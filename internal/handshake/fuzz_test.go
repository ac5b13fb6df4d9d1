package handshake

import (
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/nodeid"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// FuzzEndpoint feeds arbitrary datagrams to an Endpoint with a handshake in progress in each direction. None may
// cause a panic, a session with the node itself, a timer in the past or long-lived state. The input is a list of
// datagrams, each after two bytes of length. Time passes between them.
func FuzzEndpoint(f *testing.F) {
	cheap := func(_ int, c *Config) { c.Agreement = nodeid.NoAgreement }
	w, a, b := pair(f, 1, cheap)
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
	hello := w.log[0].bytes // of node 0, to an unknown node
	cfg := b.cfg
	f.Fuzz(func(t *testing.T, in []byte) {
		now := epoch
		cfg.Rand = newSeeded(1)
		e := &idle{Endpoint: New(cfg), peers: make(map[wire.NodeID]bool)}
		e.initiate(now, wire.Path{Remote: address(3)}, wire.NodeID{}, now.Add(4*time.Second))
		feed(e, now, hello)
		for len(in) >= 2 {
			size := min(int(in[0])<<8|int(in[1]), len(in)-2)
			feed(e, now, in[2:2+size])
			in = in[2+size:]
			now = now.Add(time.Duration(size) * time.Millisecond)
			advance(t, e, now)
		}
		if e.peers[cfg.Node] {
			t.Error("a session with oneself")
		}
		advance(t, e, now.Add(15*time.Second))
		switch bound, legacy := e.HalfOpen(); {
		case bound+legacy != 0:
			t.Errorf("bound+legacy is %v, want 0", bound+legacy)
		case !e.NextTimeout().IsZero():
			t.Errorf("the next timeout is at %v, want zero", e.NextTimeout())
		case len(e.pending)+len(e.attempts) != 0:
			t.Errorf("%v Hellos and attempts are left, want 0", len(e.pending)+len(e.attempts))
		}
	})
}

// feed passes one datagram to the Endpoint.
func feed(e *idle, now time.Time, b []byte) {
	var p wire.Packet
	if wire.ParsePacket(&p, append([]byte(nil), b...)) == nil {
		e.handle(now, wire.Path{Remote: address(3)}, &p)
	}
}

// advance runs every timeout up to now.
func advance(t *testing.T, e *idle, now time.Time) {
	for at := e.NextTimeout(); !at.IsZero() && !at.After(now); at = e.NextTimeout() {
		if e.timeout(at); !e.NextTimeout().IsZero() && !e.NextTimeout().After(at) {
			t.Fatal("after HandleTimeout, NextTimeout is not later")
		}
	}
}

func framed(b, datagram []byte) []byte {
	return append(append(b, byte(len(datagram)>>8), byte(len(datagram))), datagram...)
}

// FuzzBlock parses any message as a block, encodes the result and requires that it parses to the same block.
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
