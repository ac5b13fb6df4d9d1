package gossip

import (
	"math"
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// Strategy is how a node chooses the members it subscribes to.
type Strategy uint8

const (
	// Uniform gives every member the same chance.
	Uniform Strategy = iota
	// HubAndSpoke takes one member of each other zone and the rest, two at least, from one's own.
	HubAndSpoke
	// PreferLocal gives members of one's own zone twice the chance of others.
	PreferLocal
	// PreferRemote gives members of other zones twice the chance of one's own.
	PreferRemote
	// Nearest takes all but two from the members with the shortest round trip, two at random, and at
	// least one from another zone.
	Nearest
)

// hubLocalMin is how many of its own zone HubAndSpoke takes however many zones there are: with fewer
// than two the members of a zone would not reach each other.
const hubLocalMin = 2

// candidate is a member that may be subscribed to. Its key is fixed for a pair of nodes and a
// strategy; the lowest are chosen.
type candidate struct {
	id   wire.NodeID
	zone wire.Zone
	key  float64
	away time.Duration // for Nearest
}

func (a candidate) before(b candidate) bool {
	if a.key != b.key {
		return a.key < b.key
	}
	return slices.Compare(a.id[:], b.id[:]) < 0
}

// A chooser finds the best of the candidates that it is offered, in one pass. It is rendezvous
// hashing with weights (Thaler and Ravishankar 1998): the outcome does not depend on the order of
// the offers and hardly changes when members come and go.
type chooser struct {
	zone     wire.Zone
	strategy Strategy
	count    int
	best     []candidate // the count best, best first; of one's own zone only for HubAndSpoke
	hubs     []candidate // HubAndSpoke: the best of each other zone
}

func (c *chooser) offer(o candidate) {
	if c.strategy == HubAndSpoke && o.zone != c.zone {
		c.offerHub(o)
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
}

func (c *chooser) keep() int {
	if c.strategy == HubAndSpoke {
		return max(c.count, hubLocalMin)
	}
	return c.count
}

func (c *chooser) offerHub(o candidate) {
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

// chosen returns the choice. With HubAndSpoke it may be more than count: one of each other zone and
// two at least of one's own.
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

func weight(s Strategy, local bool) float64 {
	if s == PreferLocal && local || s == PreferRemote && !local {
		return 2
	}
	return 1
}

// pairKey is an exponentially distributed number, fixed for the ordered pair of nodes, over the weight
// of the second: its minimum falls on each candidate with a chance proportional to the weight.
func pairKey(from, to wire.NodeID, weight float64) float64 {
	h := members.Mix(members.Hash(to) ^ members.Mix(members.Hash(from)+0x9e3779b97f4a7c15))
	u := (float64(h>>11) + 0.5) / (1 << 53)
	return -math.Log(u) / weight
}
