package sim

import (
	"math/rand/v2"
	"net/netip"
	"time"
)

// The times of a shell that looks for its seeds (internal/resolve.Seeds), without looking names up.
const (
	seedsEvery = 60 * time.Second
	seedsAlone = 15 * time.Second // of a node that knows nobody
)

// seeds are the addresses that a node joined. It tries them again for ever.
type seeds struct {
	list []netip.AddrPort
	due  time.Time
}

func (s *seeds) add(now time.Time, rng *rand.Rand, addrs ...netip.AddrPort) {
	s.list = append(s.list, addrs...)
	s.due = now.Add(jittered(rng, seedsAlone))
}

// seek looks for the seeds of a node if it is time.
func (n *Node) seek(now time.Time) {
	if len(n.seeds.list) == 0 || now.Before(n.seeds.due) {
		return
	}
	n.Core.Seek(now, n.seeds.list)
	every := seedsEvery
	if n.Core.NumMembers() == 1 {
		every = seedsAlone
	}
	n.seeds.due = now.Add(jittered(n.cluster.rng, every))
}

// NextTimeout is when the core, or the seeds, want to be looked after.
func (n *Node) NextTimeout() time.Time {
	next := n.Core.NextTimeout()
	if len(n.seeds.list) > 0 && (next.IsZero() || n.seeds.due.Before(next)) {
		return n.seeds.due
	}
	return next
}

// jittered is d, or up to a quarter less or more.
func jittered(rng *rand.Rand, d time.Duration) time.Duration {
	return d - d/4 + time.Duration(rng.Int64N(int64(d/2)))
}
