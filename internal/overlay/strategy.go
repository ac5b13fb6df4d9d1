package overlay

import (
	"encoding/binary"
	"maps"
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
	// HubAndSpoke takes one member of each other zone, within limits, and the rest, but at least two, from the node's
	// own zone.
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

// Limits of the members of other zones that a node takes with HubAndSpoke, because a node can have any zone.
const (
	hubsPer      = 2 // in all, for each of the node's subscriptions
	hubsOfSource = 2 // of one source
)

// ChosenMost returns the maximum number of members that a node with so many subscriptions chooses.
func ChosenMost(subscriptions int) int { return hubsPer*subscriptions + hubLocalMin + 1 } // 1: the preferred one

// A candidate is a member that may be subscribed to. Its key is its rank divided by its weight; the lowest keys are
// chosen.
type candidate struct {
	id       wire.NodeID
	zone     wire.Zone
	source   source
	key      float64
	distance time.Duration // for Nearest
}

func (a candidate) before(b candidate) bool {
	if a.key != b.key {
		return a.key < b.key
	}
	return slices.Compare(a.id[:], b.id[:]) < 0
}

// A chooser finds the best of the candidates that it is offered, in one pass, with one of each source if there are
// enough sources. It implements weighted rendezvous hashing (Thaler and Ravishankar 1998): the result does not depend
// on the order of the offers, and changes little when members come and go.
type chooser struct {
	zone     wire.Zone
	strategy Strategy
	count    int                     // members to choose, including those that are kept
	kept     int                     // members that are chosen anyway, and are no candidates
	taken    []source                // their sources
	limit    float64                 // no candidate of a higher rank can be chosen any more
	best     []candidate             // the best of each other source, at most local(), best first; with HubAndSpoke, of the node's own zone
	spare    []candidate             // the best of all sources, likewise
	hubsMost int                     // with HubAndSpoke, the maximum number of members of other zones
	hubs     map[wire.Zone]candidate // with HubAndSpoke, the best of each other zone
}

// consider considers a candidate.
func (c *chooser) consider(o candidate) {
	if c.strategy == HubAndSpoke && o.zone != c.zone {
		c.considerHub(o)
		return
	}
	c.spare = insert(c.spare, o, c.local(0))
	if slices.Contains(c.taken, o.source) {
		return
	}
	if i := slices.IndexFunc(c.best, func(x candidate) bool { return x.source == o.source }); i >= 0 {
		if !o.before(c.best[i]) {
			return
		}
		c.best = slices.Delete(c.best, i, i+1)
	}
	c.best = insert(c.best, o, c.local(0))
	if n := len(c.best); n > 0 && n == c.local(0) && c.strategy != HubAndSpoke {
		c.limit = c.best[n-1].key * maxWeight
	}
}

// insert inserts a candidate into a sorted list, of which it keeps so many.
func insert(list []candidate, o candidate, most int) []candidate {
	i := len(list)
	for i > 0 && o.before(list[i-1]) {
		i--
	}
	if i >= most {
		return list
	}
	list = slices.Insert(list, i, o)
	return list[:min(len(list), most)]
}

// local returns the number of candidates to choose besides so many hubs.
func (c *chooser) local(hubs int) int {
	count := c.count - hubs
	if c.strategy == HubAndSpoke {
		count = max(count, hubLocalMin)
	}
	return max(count-c.kept, 0)
}

func (c *chooser) considerHub(o candidate) {
	if best, ok := c.hubs[o.zone]; ok && !o.before(best) {
		return
	}
	if c.hubs == nil {
		c.hubs = make(map[wire.Zone]candidate)
	}
	c.hubs[o.zone] = o
}

// chosen returns the choice. With HubAndSpoke it may have more than count members: those of other zones, and at least
// two of the node's own zone.
func (c *chooser) chosen() []candidate {
	hubs := c.chosenHubs()
	count := c.local(len(hubs))
	return append(fill(c.best[:min(count, len(c.best))], c.spare, count), hubs...)
}

// fill appends candidates that are not in the list yet until it has so many.
func fill(list, from []candidate, most int) []candidate {
	for _, x := range from {
		if len(list) < most && !slices.Contains(list, x) {
			list = append(list, x)
		}
	}
	return list
}

// chosenHubs returns the best hub of each other zone, best first, within the limits.
func (c *chooser) chosenHubs() (chosen []candidate) {
	sorted := slices.SortedFunc(maps.Values(c.hubs), func(a, b candidate) int {
		if a.before(b) {
			return -1
		}
		return 1
	})
	of := make(map[source]int)
	for _, x := range sorted {
		if of[x.source]++; of[x.source] <= hubsOfSource && len(chosen) < c.hubsMost {
			chosen = append(chosen, x)
		}
	}
	return chosen
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
