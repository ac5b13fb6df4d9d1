package gossip

import (
	"fmt"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/nodeid"
	"github.com/gwyh-go/gwyh/internal/simnet"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// TestMemberTakesAtMost360Bytes checks the memory of a core for each member that it knows, not counting the name and
// the metadata.
func TestMemberTakesAtMost360Bytes(t *testing.T) {
	const members, bound = 20_000, 360
	c := newCluster(t, 1, simnet.Link{})
	c.add(1)
	core, now := c.nodes[0].Core, c.net.Now()
	before := heap()
	names := 0
	for i := range members {
		name := fmt.Sprintf("member-%05d", i)
		names += len(name)
		id, _, err := nodeid.New(c.net.Reader(uint64(i+1)), nodeid.NoAgreement)
		if err != nil {
			t.Fatal(err)
		}
		core.membership.apply(now, &wire.Member{State: wire.StateAlive, ID: id, Incarnation: uint64(now.UnixMilli()), Name: []byte(name),
			Addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)}), 6969), ZoneName: []byte("z"), HasZone: true}, nil, byComparison)
		core.Events()
	}
	per := (heap() - before - names) / members
	t.Logf("%d bytes for each member", per)
	if live := core.members.Count(); live != members+1 {
		t.Fatalf("%d members, want %d", live, members+1)
	}
	if per > bound {
		t.Errorf("%d bytes for each member, want at most %d", per, bound)
	}
	runtime.KeepAlive(core)
}

// TestCoreAtRestTakesAtMost212KiB checks the memory of a core in a cluster of 100 nodes without messages, a minute after
// the nodes have joined. It counts what the simulation keeps for the core too.
func TestCoreAtRestTakesAtMost212KiB(t *testing.T) {
	const nodes, bound = 100, 212 << 10
	before := heap()
	c := newCluster(t, 1, lan())
	c.add(nodes)
	c.form(5 * time.Second)
	c.net.RunFor(time.Minute)
	sessions := 0
	for _, n := range c.nodes {
		sessions += n.Holdings().Sessions
		*n = node{Core: n.Core}
	}
	per := (heap() - before) / nodes
	t.Logf("%d bytes for each core, with %d sessions in the mean", per, sessions/nodes)
	if per > bound {
		t.Errorf("%d bytes for each core, want at most %d", per, bound)
	}
	runtime.KeepAlive(c)
}

// heap returns the number of bytes in use.
func heap() int {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}
