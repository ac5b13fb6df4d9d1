package handshake

import (
	"container/list"
	"net/netip"
	"slices"

	"github.com/gwyh-go/gwyh/internal/timer"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// PROTOCOL.md E4.
const (
	boundMax        = 4096 // bound handshakes kept
	legacyMax       = 1024 // legacy handshakes kept
	legacyPerSource = 64   // legacy handshakes kept per source network
	perPlace        = 4    // handshakes kept per node id and address
)

// A halfKey is the key by which a responder finds a handshake: the contents of its packets, never their source
// (PROTOCOL.md H4).
type halfKey struct {
	node wire.NodeID
	id   wire.HandshakeID
}

// A place is a node id and the address that its Hellos come from. A Hello does not prove its id, so handshakes of an
// insider at another address must not displace those of the node whose id it uses.
type place struct {
	node wire.NodeID
	addr netip.Prefix // an IPv4 address or a /64 of IPv6
}

// A halfOpen is a handshake that a peer began. After the OkBoss it is kept for as long again, for repetitions.
type halfOpen struct {
	key       halfKey
	m         Responder
	place     place        // of the Hello
	source    netip.Prefix // source network of the Hello
	path      wire.Path    // where the last answer was sent, except answers to repetitions
	repeats   int          // answered repetitions of the peer
	identity  []byte       // sealed; of a completed bound handshake
	goTeams   int          // number sent; of a completed legacy handshake
	confirmed bool         // a box opened
	timer     timer.Timer
	age       *list.Element // in its pool
}

// A table contains the handshakes that peers began. Bound and legacy ones are separate, because anyone on the path
// can create many legacy ones, which must not displace bound ones.
type table struct {
	all           map[halfKey]*halfOpen
	bound, legacy pool
}

func newTable() table {
	return table{
		all:    make(map[halfKey]*halfOpen),
		bound:  newPool(boundMax, boundMax),
		legacy: newPool(legacyMax, legacyPerSource),
	}
}

func (t *table) pool(x *halfOpen) *pool {
	if x.m.bound {
		return &t.bound
	}
	return &t.legacy
}

// room returns the oldest handshake that must be removed before x can be added, or nil if there is room.
func (t *table) room(x *halfOpen) *halfOpen {
	p := t.pool(x)
	if of := p.byPlace[x.place]; len(of) >= perPlace {
		return of[0]
	}
	if of := p.bySource[x.source]; len(of) >= p.perSource {
		return of[0]
	}
	if p.ages.Len() >= p.max {
		return p.ages.Front().Value.(*halfOpen)
	}
	return nil
}

func (t *table) add(x *halfOpen) {
	p := t.pool(x)
	t.all[x.key] = x
	p.byPlace[x.place] = append(p.byPlace[x.place], x)
	p.bySource[x.source] = append(p.bySource[x.source], x)
	x.age = p.ages.PushBack(x)
}

func (t *table) remove(x *halfOpen) {
	p := t.pool(x)
	delete(t.all, x.key)
	removeFrom(p.byPlace, x.place, x)
	removeFrom(p.bySource, x.source, x)
	p.ages.Remove(x.age)
	x.m.secret = nil
	clear(x.m.shared[:])
}

// A pool contains the handshakes of one kind.
type pool struct {
	max, perSource int
	ages           list.List // of *halfOpen, oldest first
	byPlace        map[place][]*halfOpen
	bySource       map[netip.Prefix][]*halfOpen
}

func newPool(max, perSource int) pool {
	return pool{
		max: max, perSource: perSource,
		byPlace:  make(map[place][]*halfOpen),
		bySource: make(map[netip.Prefix][]*halfOpen),
	}
}

func removeFrom[K comparable](m map[K][]*halfOpen, k K, x *halfOpen) {
	of := m[k]
	i := slices.Index(of, x)
	if of = slices.Delete(of, i, i+1); len(of) == 0 {
		delete(m, k)
	} else {
		m[k] = of
	}
}
