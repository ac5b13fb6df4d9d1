package gossip

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/handshake"
	"github.com/gwyh-go/gwyh/internal/wire"
)

func TestOutcomesOfANestedInputComeFirst(t *testing.T) {
	c := newCluster(t, 1, lan())
	c.add(1)
	core := c.nodes[0].Core
	failed, later := netip.MustParseAddrPort("10.9.9.8:9"), wire.Path{Remote: netip.MustParseAddrPort("10.9.9.9:9")}
	var sent []netip.AddrPort
	c.do(0, func(now time.Time) {
		if _, err := core.Send(now, failed, []byte("x"), true, now.Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		core.Drain(now, func(wire.Path, []byte) {})
		attempt := handshake.AttemptID(1)          // the first of this node
		core.hs.conclude(now, []handshake.Outcome{ // the message has time left, so another handshake begins
			{Kind: handshake.AttemptFailed, Attempt: attempt, Err: handshake.ErrNoAnswer},
			{Kind: handshake.SendPacket, To: later, Packet: []byte("later")},
		})
		core.Drain(now, func(to wire.Path, _ []byte) { sent = append(sent, to.Remote) })
	})
	if want := []netip.AddrPort{failed, later.Remote}; !slices.Equal(sent, want) {
		t.Errorf("sent to %v, want %v", sent, want)
	}
	if len(core.hs.outcomes) != 0 {
		t.Errorf("%d outcomes are left", len(core.hs.outcomes))
	}
}
