package gwyh_test

import (
	"testing"
	"unsafe"

	"github.com/gwyh-go/gwyh"
	"github.com/gwyh-go/gwyh/internal/addrbook"
	"github.com/gwyh-go/gwyh/internal/assembly"
	"github.com/gwyh-go/gwyh/internal/beacon"
	"github.com/gwyh-go/gwyh/internal/broadcast"
	"github.com/gwyh-go/gwyh/internal/delivery"
	"github.com/gwyh-go/gwyh/internal/direct"
	"github.com/gwyh-go/gwyh/internal/dispatch"
	"github.com/gwyh-go/gwyh/internal/gossip"
	"github.com/gwyh-go/gwyh/internal/handshake"
	"github.com/gwyh-go/gwyh/internal/intake"
	"github.com/gwyh-go/gwyh/internal/legacy"
	table "github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/memory"
	"github.com/gwyh-go/gwyh/internal/node"
	"github.com/gwyh-go/gwyh/internal/overlay"
	"github.com/gwyh-go/gwyh/internal/peers"
	"github.com/gwyh-go/gwyh/internal/pushpull"
	"github.com/gwyh-go/gwyh/internal/swim"
)

// fixedBounds returns the bounds in bytes of all stores of a node that do not depend on Config.MemoryLimit.
func fixedBounds(c *gwyh.Config) map[string]int {
	links := overlay.ChosenMost(c.Subscriptions) + c.Subscriptions*overlay.SubscribersPer + legacy.LinksMax
	own := gossip.PeerBytes()
	return map[string]int{
		"large messages":                   assembly.Bound(),
		"large messages being handed over": assembly.StoreMax,
		"direct messages":                  direct.Bound(),
		"states and verdicts":              pushpull.Bound(assembly.MessageMax, c.MetaMax),
		"handshakes":                       handshake.Bound(),
		"peers and sessions":               peers.Bound(links, own),
		"dissemination":                    broadcast.Bound(links),
		"messages without a link":          delivery.HeldBound(),
		"beacons":                          beacon.Bound(),
		"failure detection":                swim.Bound(table.Max),
		"queue for the application":        dispatch.Bound[*gwyh.Node](table.Max),
		"what readers see":                 node.SnapshotBound[*gwyh.Node](table.Max, int(unsafe.Sizeof(gwyh.Node{}))),
		"intake":                           intake.Bound,
		"names of addresses":               addrbook.Bound(table.Max),
	}
}

// The memory of a node whose queues and tables are all full stays within Config.MemoryLimit (docs/LIMITS.md).
func TestSumOfAllBoundsStaysWithinTheMemoryLimit(t *testing.T) {
	for _, subscriptions := range []int{1, 5, 20, 64} {
		c := gwyh.DefaultLANConfig()
		c.Subscriptions = subscriptions
		sum := int64(0)
		for name, bound := range fixedBounds(c) {
			t.Logf("%-34s %6.1f MiB", name, float64(bound)/(1<<20))
			sum += int64(bound)
		}
		more := memory.Links(subscriptions)
		if sum > memory.Reserve+more {
			t.Errorf("%d subscriptions: %d MiB are reserved for %d MiB", subscriptions, (memory.Reserve+more)>>20, sum>>20)
		}
		for _, limit := range []int64{memory.Min + more, memory.Default + more, memory.Max} {
			if all := sum + memory.Divide(limit, subscriptions).Sum(); all > limit {
				t.Errorf("%d subscriptions: the limit is %d, the sum of all bounds %d", subscriptions, limit, all)
			}
		}
	}
}
