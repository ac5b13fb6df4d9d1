// Package beacon measures how long broadcasts take to this node. Nodes send beacons, which are broadcasts without
// content: they take the same paths, wait in the same queues and are repaired in the same way. A beacon says when it was
// made. Each node that passes it on converts that time to its own clock, so the clocks of the nodes may differ
// (PROTOCOL.md, "Beacons").
//
// The package owns the estimates of the differences to the clocks of neighbors, and the propagation times by zone and the
// last beacon by origin. It sends nothing and does not know links.
//
// Reading order: beacon.go (making and receiving beacons), message.go (their content), clock.go (the clocks of neighbors), zones.go (the figures).
package beacon

import (
	"encoding/binary"
	"math/rand/v2"
	"time"

	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/quota"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// Bounds and times of beacons.
const (
	// ShareMax is the number of members up to which each node sends a beacon in every interval. In a larger cluster the
	// pauses grow, so that all nodes together send that many.
	ShareMax = 64

	activeFor   = 10 * time.Minute       // how long clocks are compared after a beacon
	retry       = 100 * time.Millisecond // pause after a beacon that found the links full
	tookMax     = time.Minute            // longer propagation times are not believed
	tookMin     = -time.Second           // nor are those below
	intervalMin = time.Second            // what an origin may say about its interval
	intervalMax = 7 * 24 * time.Hour
)

// Config configures Beacons.
type Config struct {
	Self     wire.NodeID
	Interval time.Duration // between beacons of this node; zero: it sends none
	Members  *members.Table
}

// Stats counts beacons.
type Stats struct {
	Sent       uint64 // made by this node
	Received   uint64 // first copies
	Unmeasured uint64 // received, but the time at which they were made is not known here
	Malformed  uint64 // of beacons and Clock messages
	Unexpected uint64 // Clock messages and beacons with impossible times
}

// Beacons are the beacons of a node and what it knows from those of others. It is not safe for concurrent use.
type Beacons struct {
	Stats Stats

	cfg    Config
	start  time.Time
	epoch  uint64    // this node's clock at start
	active time.Time // until then clocks are compared
	since  uint64    // when this node first knew the clock of a neighbor; 0 before
	due    time.Time // when the next beacon is due
	late   time.Time // since when a beacon waits for room; zero if none does

	zones   []*Zone // by name
	others  Zone    // the zones that have no room
	origins quota.Map[wire.NodeID, Origin]
}

// New returns Beacons of a node. Its clock runs evenly from the id on, because it is compared with those of others only.
func New(now time.Time, cfg Config) *Beacons {
	b := &Beacons{cfg: cfg, start: now, epoch: 1 + uint64(binary.BigEndian.Uint32(cfg.Self[:]))<<20, others: Zone{Name: OtherZones},
		origins: quota.NewMap[wire.NodeID, Origin](OriginsMax)}
	if cfg.Interval > 0 {
		b.active = now.Add(activeFor)
	}
	return b
}

// reading returns the time of this node's clock in microseconds. It is never 0.
func (b *Beacons) reading(now time.Time) uint64 {
	return b.epoch + uint64(max(now.Sub(b.start), 0)/time.Microsecond)
}

// Next returns the data of a beacon if one is due, otherwise nil, and when to call Next again. The zero time means
// never. linked says that the node has links, full that they take no message now: a beacon then waits, and counts that
// as part of its time.
func (b *Beacons) Next(now time.Time, linked, full bool, rng *rand.Rand) (data []byte, next time.Time) {
	switch {
	case b.cfg.Interval <= 0:
		return nil, time.Time{}
	case b.due.IsZero():
		b.due = now.Add(time.Duration(rng.Int64N(int64(b.cfg.Interval)) + 1))
		return nil, b.due
	case now.Before(b.due):
		return nil, b.due
	case linked && full && (b.late.IsZero() || now.Sub(b.late) < tookMax):
		if b.late.IsZero() {
			b.late = now
		}
		return nil, now.Add(retry)
	}
	made := now
	if !b.late.IsZero() {
		made, b.late = b.late, time.Time{}
	}
	pause := b.pause()
	b.due = now.Add(pause - pause/10 + time.Duration(rng.Int64N(int64(pause/5)+1)))
	if !linked || full {
		return nil, b.due
	}
	b.Stats.Sent++
	b.active = now.Add(activeFor)
	m := Message{Origin: b.cfg.Self, Made: b.reading(made), Interval: uint32(min(pause, intervalMax) / time.Millisecond)}
	return m.Data(), b.due
}

// pause returns the mean time between two beacons of this node.
func (b *Beacons) pause() time.Duration {
	if n := b.cfg.Members.CountGo(); n > ShareMax {
		return time.Duration(float64(b.cfg.Interval) * float64(n) / ShareMax)
	}
	return b.cfg.Interval
}

// Active reports whether Clock messages are to be sent to neighbors: beacons pass through this node.
func (b *Beacons) Active(now time.Time) bool { return now.Before(b.active) }

// ClockFor returns the Clock message to send to a neighbor now.
func (b *Beacons) ClockFor(now time.Time, neighbor *Clock) wire.Clock {
	return neighbor.message(b.reading(now))
}

// HandleClock takes the Data of a Clock message of a neighbor.
func (b *Beacons) HandleClock(now time.Time, neighbor *Clock, data []byte) {
	m, err := wire.ParseClock(data)
	here := b.reading(now)
	switch {
	case err != nil:
		b.Stats.Malformed++
	case !neighbor.handle(here, &m):
		b.Stats.Unexpected++
	case b.since == 0 && neighbor.count > 0:
		b.since = here
	}
}

// Receive takes the data of the first copy of a beacon, which came from a neighbor. delay is its accumulated delay. It
// returns the data to pass on, or nil if the beacon is malformed. PROTOCOL.md O3.
func (b *Beacons) Receive(now time.Time, neighbor *Clock, delay wire.Delay, data []byte) []byte {
	m, err := Parse(data)
	if err != nil {
		b.Stats.Malformed++
		return nil
	}
	b.Stats.Received++
	b.active = now.Add(activeFor)
	here := b.reading(now)
	if ahead, ok := neighbor.ahead(here); m.Made != 0 && ok {
		m.Made = max(m.Made+uint64(ahead), 1)
	} else {
		m.Made = 0
	}
	b.measure(now, here, &m, delay.Duration())
	return m.Data()
}

// measure records a beacon, whose time has been converted to this node's clock. PROTOCOL.md O4.
func (b *Beacons) measure(now time.Time, here uint64, m *Message, margin time.Duration) {
	from := b.cfg.Members.Get(m.Origin)
	if from == nil || !from.Live() {
		b.Stats.Unmeasured++
		return
	}
	o, _ := b.origins.Get(m.Origin)
	o.ID, o.Heard = m.Origin, now
	o.Interval = min(max(time.Duration(m.Interval)*time.Millisecond, intervalMin), intervalMax)
	defer func() { b.origins.Set(m.Origin, o) }()
	if m.Made == 0 || b.since == 0 || int64(m.Made-b.since) < 0 {
		b.Stats.Unmeasured++
		return
	}
	took := int64(here - m.Made)
	if took < int64(tookMin/time.Microsecond) || took > int64(tookMax/time.Microsecond) {
		b.Stats.Unexpected++
		return
	}
	o.Took, o.Measured = max(time.Duration(took)*time.Microsecond, 0), true
	b.zone(now, from.Zone.Name).add(now, o.Took, margin)
}
