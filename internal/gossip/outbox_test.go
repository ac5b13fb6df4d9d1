package gossip

import (
	"bytes"
	"net/netip"
	"testing"

	"github.com/gwyh-go/gwyh/internal/simnet"
	"github.com/gwyh-go/gwyh/internal/wire"
)

func TestRunsAreOfOnePeerAndOneSizeButTheLast(t *testing.T) {
	sim := newCluster(t, 1, simnet.Link{})
	c := sim.make(0).Core
	to := func(host byte) wire.Path {
		return wire.Path{Remote: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, host}), 1)}
	}
	fill := func() {
		for i, d := range []struct {
			host  byte
			size  int
			probe bool
		}{{1, 100, false}, {1, 100, false}, {1, 50, false}, {1, 50, false}, {1, 60, false}, {2, 60, false}, {2, 60, true}, {2, 60, false},
			{3, 40_000, false}, {3, 40_000, false}} {
			c.out.add(to(d.host), append(c.out.buf, bytes.Repeat([]byte{byte(i)}, d.size)...))
			c.out.list[i].probe = d.probe
		}
	}
	fill()
	type run struct {
		host        byte
		bytes, size int
	}
	var got []run
	var all []byte
	c.DrainRuns(sim.net.Now(), func(to wire.Path, b []byte, size int) {
		got = append(got, run{to.Remote.Addr().As4()[3], len(b), size})
		all = append(all, b...)
	})
	want := []run{{1, 250, 100}, {1, 50, 50}, {1, 60, 60}, {2, 60, 60}, {2, 60, 60}, {2, 60, 60}, {3, 40_000, 40_000}, {3, 40_000, 40_000}}
	if len(got) != len(want) {
		t.Fatalf("runs %v, want %v", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("run %d: %v, want %v", i, got[i], want[i])
		}
	}
	fill()
	var single []byte
	n := 0
	c.Drain(sim.net.Now(), func(_ wire.Path, b []byte) { single = append(single, b...); n++ })
	if !bytes.Equal(all, single) || n != 10 || c.stats.SentDatagrams != 20 || c.stats.SentBytes != uint64(2*len(all)) {
		t.Errorf("%d datagrams one by one, counted %d with %d bytes", n, c.stats.SentDatagrams, c.stats.SentBytes)
	}
	for range runMax + 5 {
		c.out.add(to(1), append(c.out.buf, 1))
	}
	c.DrainRuns(sim.net.Now(), func(_ wire.Path, b []byte, size int) {
		if size != 1 || len(b) != runMax && len(b) != 5 {
			t.Errorf("a run of %d", len(b))
		}
	})
}
