package overlay

import (
	"encoding/binary"
	"math"
	"slices"
	"time"

	"golang.org/x/crypto/blake2b"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// A Strategy determines how a node chooses the members that it subscribes to.
type Strategy uint8

const (
	// Uniform gives all members the same probability. It is the default.
	Uniform Strategy = iota
	// HubAndSpoke takes one member of each other zone, and the rest, but at least two, from the node's own zone.
	HubAndSpoke
	// PreferLocal gives members of the node's own zone twice the weight of others.
	PreferLocal
	// PreferRemote gives members of other zones twice the weight of members of the node's own zone.
	PreferRemote
	// Nearest takes two members at random and the others by the shortest round-trip times. It takes at least one
	// member of another zone.
	Nearest
)

// hubLocalMin is the number of members of its own zone that a node takes with HubAndSpoke, regardless of the number of
// zones. With fewer than two, the members of a zone would not all be connected.
const hubLocalMin = 2

// A candidate is a member that may be subscribed to. Its key is its rank divided by its weight; the lowest keys are
// chosen.
type candidate struct {
	id       wire.NodeID
	zone     wire.Zone
	key      float64
	distance time.Duration // for Nearest
}

func (a candidate) before(b candidate) bool {
	if a.key != b.key {
		return a.key < b.key
	}
	return slices.Compare(a.id[:], b.id[:]) < 0
}

// A chooser finds the best of the candidates that it is offered, in one pass. It implements weighted rendezvous
// hashing (Thaler and Ravishankar 1998): the result does not depend on the order of the offers, and changes little
// when members come and go.
type chooser struct {
	zone     wire.Zone
	strategy Strategy
	count    int
	limit    float64     // no candidate of a higher rank can be chosen any more
	best     []candidate // at most keep(), best first; with HubAndSpoke, of the node's own zone
	hubs     []candidate // with HubAndSpoke, the best of each other zone
}

// consider considers a candidate.
func (c *chooser) consider(o candidate) {
	if c.strategy == HubAndSpoke && o.zone != c.zone {
		c.considerHub(o)
		return
	}
	i := len(c.best)
	for i > 0 && o.before(c.best[i-1]) {
		i--
	}
	if i >= c.keep() {
		return
	}
	c.best = slices.Insert(c.best, i, o)
	c.best = c.best[:min(len(c.best), c.keep())]
	if len(c.best) == c.keep() && c.strategy != HubAndSpoke {
		c.limit = c.best[len(c.best)-1].key * maxWeight
	}
}

// keep returns the maximum number of candidates of best that may be part of the choice.
func (c *chooser) keep() int {
	if c.strategy == HubAndSpoke {
		return max(c.count, hubLocalMin)
	}
	return c.count
}

func (c *chooser) considerHub(o candidate) {
	for i := range c.hubs {
		if c.hubs[i].zone == o.zone {
			if o.before(c.hubs[i]) {
				c.hubs[i] = o
			}
			return
		}
	}
	c.hubs = append(c.hubs, o)
}

// chosen returns the choice. With HubAndSpoke it may have more than count members: one of each other zone, and at
// least two of the node's own zone.
func (c *chooser) chosen() []candidate {
	if c.strategy != HubAndSpoke {
		return c.best
	}
	slices.SortFunc(c.hubs, func(a, b candidate) int {
		if a.before(b) {
			return -1
		}
		return 1
	})
	local := max(c.count-len(c.hubs), hubLocalMin)
	return append(c.best[:min(local, len(c.best))], c.hubs...)
}

// maxWeight is the highest weight. A candidate's key is not below its rank divided by it.
const maxWeight = 2

// weight returns the weight of a member. local says whether it is of the node's own zone.
func weight(s Strategy, local bool) float64 {
	switch s {
	case PreferLocal:
		if local {
			return maxWeight
		}
	case PreferRemote:
		if !local {
			return maxWeight
		}
	}
	return 1
}

// A Secret ranks the members for one node. Nodes choose their ids, so a node that knew the ranks of another node could
// make ids that take all of its links.
type Secret [16]byte

// rank returns an exponentially distributed number, fixed for a member. The probability that a candidate has the lowest
// key, which is its rank divided by its weight, is proportional to its weight (PROTOCOL.md G8).
func (s *Secret) rank(id wire.NodeID) float64 {
	var b [len(s) + len(id)]byte
	copy(b[copy(b[:], s[:]):], id[:])
	sum := blake2b.Sum256(b[:])
	u := (float64(binary.BigEndian.Uint64(sum[:])>>11) + 0.5) / (1 << 53)
	return -math.Log(u)
}
