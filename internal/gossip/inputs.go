package gossip

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"time"

	"github.com/gwyh-go/gwyh/internal/antientropy"
	"github.com/gwyh-go/gwyh/internal/delivery"
	"github.com/gwyh-go/gwyh/internal/entries"
	"github.com/gwyh-go/gwyh/internal/event"
	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/outbox"
	"github.com/gwyh-go/gwyh/internal/report"
	"github.com/gwyh-go/gwyh/internal/stats"
	"github.com/gwyh-go/gwyh/internal/timer"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// New returns a new core. The core sends nothing before its first Join.
func New(now time.Time, cfg Config) (*Core, error) {
	var seed [72]byte
	if _, err := io.ReadFull(cfg.Rand, seed[:]); err != nil {
		return nil, fmt.Errorf("draw a seed: %w", err)
	}
	cfg.Detection.Heartbeat, cfg.Detection.Subscriptions = cfg.Heartbeat, cfg.Subscriptions
	cfg.Detection.Fill()
	secret := rand.New(rand.NewChaCha8([32]byte(seed[24:56]))) // choices that no other node may predict
	c := &Core{
		cfg:     cfg,
		rng:     rand.New(rand.NewPCG(binary.LittleEndian.Uint64(seed[8:]), binary.LittleEndian.Uint64(seed[16:]))),
		members: members.NewTable(now, members.Config{Self: selfOf(&cfg), Secret: cfg.Secret, NameHold: cmp.Or(cfg.DeadNodeReclaimTime, cfg.GossipToTheDeadTime, nameHold), MetaMax: cfg.MetaMax, Budget: cfg.Memory.Members, Allow: cfg.Allow, Base: cfg.Base, Rand: secret}),
		peers:   make(map[wire.NodeID]*peer),
		ids:     wire.NewIDs([8]byte(seed[:8])),
	}
	c.report = report.New(report.Config{Members: &c.members, Events: &c.events, Timers: &c.timers, Trace: cfg.Trace, Debug: cfg.Debug})
	c.membership.core, c.sync = c, newComparisons(c)
	if err := c.members.Fits(c.membership.entryRoom()); err != nil {
		return nil, err
	}
	c.delivery = delivery.New(now, delivery.Config{Self: cfg.ID, Beacon: cfg.Beacon, Zone: cfg.Zone, Heartbeat: cfg.Heartbeat,
		DatagramSize: cfg.DatagramSize, DatagramMax: cfg.DatagramMax, Refused: c.refused, Pings: cfg.Pings, ProbeInterval: cfg.Detection.ProbeInterval,
		Members: &c.members, IDs: &c.ids, RNG: c.rng, Timers: &c.timers, Out: &c.out, Events: &c.events, Report: c.report, Stats: &c.stats, Memory: cfg.Memory})
	c.sender, c.broadcast = &c.delivery.Sender, &c.delivery.Broadcasts
	c.joins, c.heal, c.leaving = newJoins(c), newHealing(c), newLeaving(c)
	c.swim, c.overlay = newDetection(now, c), newOverlaying(now, c, [16]byte(seed[56:]))
	c.entries = entries.New(entries.Config{Delivery: c.delivery, Members: &c.members, Detector: c.swim.Detector, Comparer: antientropy.New(c.rng),
		IDs: &c.ids, Timers: &c.timers, Events: &c.events, Report: c.report, Stats: &c.stats})
	c.direct, c.pings, c.push = newDirects(c), &c.delivery.Pings, newExchanges(c)
	c.gateway, c.hs = newGateway(c), newHandshakes(c)
	c.delivery.SetSessions(c.hs.Table)
	c.swim.messages, c.gateway.bridge = newMessenger(c), newBridge(c)
	c.start(now)
	return c, nil
}

// start does the work that precedes the first input.
func (c *Core) start(now time.Time) {
	c.overlay.conclude(now, nil)
	c.pings.WantPayload(now)
	c.push.Start(now, &c.members)
	c.push.conclude(now, c.push.outcomes)
	if c.cfg.Base != nil {
		c.overlay.WantChoice(now)
		c.overlay.conclude(now, nil)
	}
}

// enter begins an input. Everything that was due at the previous input was done then. So if work is overdue by a long
// time, this node did not run.
func (c *Core) enter(now time.Time) {
	due := timer.Soonest(c.timers.Next(), c.swim.NextTimeout())
	if due.Before(c.entered) {
		due = c.entered
	}
	c.entered = now
	late := now.Sub(due)
	if late <= c.cfg.Heartbeat/2 {
		return
	}
	c.swim.HandlePause(now, late)
	if late >= c.heal.asleepFor() {
		c.heal.wakeUp(now)
	}
}

// Resume handles a jump of the clock: this node was suspended, or it is a copy of a node that continues to run.
func (c *Core) Resume(now time.Time) { c.heal.wakeUp(now) }

// HandleDatagram handles one datagram. The core may overwrite b during the call.
func (c *Core) HandleDatagram(now time.Time, from wire.Path, b []byte) {
	c.enter(now)
	c.stats.ReceivedDatagrams++
	c.stats.ReceivedBytes += uint64(len(b))
	c.report.Received(now, from, b)
	for range wire.PacketsMax {
		if b = c.handlePacket(now, from, b); len(b) == 0 {
			return
		}
	}
	c.drop(stats.DropOversize)
}

// handlePacket handles the first packet of a datagram, and returns the packets that follow it. Only a Go node may send
// several packets in one datagram (PROTOCOL.md W10).
func (c *Core) handlePacket(now time.Time, from wire.Path, b []byte) (rest []byte) {
	p := &c.hs.packet
	if wire.NextPacket(p, b) != nil {
		c.drop(stats.DropMalformed)
		return nil
	}
	size := len(b) - len(p.Rest)
	switch {
	case p.Kind == wire.PacketHandshake:
		c.report.Handshake(now, from, p)
		c.hs.conclude(now, c.hs.HandlePacket(c.hs.outcomes, now, from, p))
	case p.Sender == c.cfg.ID:
		c.drop(stats.DropSelf)
	default:
		c.hs.handleBox(now, from, p, size)
	}
	if !p.Sender.IsGo() {
		return nil
	}
	return p.Rest
}

// Events returns the events since the last call. The slice is valid until the next input.
func (c *Core) Events() []event.Event {
	e := c.events.Take()
	c.report.Events(e)
	return e
}

// HandleTimeout does all work that is due. Afterwards NextTimeout is later than now.
func (c *Core) HandleTimeout(now time.Time) {
	c.enter(now)
	c.report.Enter(now)
	for timer.Due(c.hs.NextTimeout(), now) {
		c.hs.conclude(now, c.hs.Endpoint.HandleTimeout(c.hs.outcomes, now))
	}
	for c.runNext(now) {
	}
}

// runNext does the first work that is due at now, and reports whether there was any.
func (c *Core) runNext(now time.Time) bool {
	if c.timers.Len() > 0 && !c.swim.IsBefore(&c.timers) {
		return c.timers.RunNext(now)
	}
	if c.swim.NextTimeout().After(now) {
		return false
	}
	c.swim.detect(now, c.swim.HandleTimeout(c.swim.outcomes, now, c.overlay.Started() >= c.cfg.Subscriptions))
	return true
}

// NextTimeout returns when HandleTimeout must be called, or zero for never.
func (c *Core) NextTimeout() time.Time {
	return timer.Soonest(timer.Soonest(c.timers.Next(), c.swim.NextTimeout()), c.hs.NextTimeout())
}

// Stats returns the counters and gauges.
func (c *Core) Stats() stats.Stats {
	s := c.stats
	s.AddBroadcast(c.broadcast.Disseminator)
	s.AddHeld(c.broadcast.Held.Count, c.broadcast.Held.Dropped)
	s.AddBeacons(&c.broadcast.Beacons.Stats)
	s.AddPackets(c.delivery.Endpoint.Stats())
	s.AddPushPull(&c.push.Stats)
	s.AddLegacy(&c.gateway.Stats)
	s.AddDetection(&c.swim.Stats)
	s.Dropped[stats.DropOversize] += c.members.Rationed
	s.AddDirect(&c.direct.Sender.Stats, c.direct.ReceiverStats())
	s.AddHandshakes(c.hs.Stats())
	s.Members, s.Links, s.Sessions, s.Health = c.members.Count(), len(c.links), c.hs.Sessions(), c.swim.Health()
	s.Known = c.members.CountStates()
	s.DatagramsLost += c.hs.Lost()
	for _, p := range c.links {
		s.Queued += p.Packets.Waiting() + len(p.Packets.Transfers())
	}
	return s
}

// SetDebug sets whether lines at DEBUG are wanted.
func (c *Core) SetDebug(wanted bool) { c.report.SetDebug(wanted) }

// Members calls yield with each live member, including this node, in no particular order.
func (c *Core) Members(yield func(*Member)) {
	for m := range c.members.Each {
		yield(&m.Member)
	}
}

// Self returns the entry of this node as other nodes know it.
func (c *Core) Self() Member { return c.members.Self().Member }

// Links returns the number of peers with which messages are exchanged.
func (c *Core) Links() int { return len(c.links) }

// Started returns the number of confirmed subscriptions of this node.
func (c *Core) Started() int { return c.overlay.Started() }

// Flush seals all open datagrams.
func (c *Core) Flush(now time.Time) { c.sender.SealDue(now, true) }

// BroadcastMax returns the size in bytes of the largest message that fits in one datagram of the configured size. A
// larger message is cut into frames.
func (c *Core) BroadcastMax() int { return c.broadcast.SmallMax() }

// Broadcast sends data to every member. Without a link, a copy is kept until there is one or it expires; otherwise data
// is not retained. If Broadcast returns a *TooLargeError or ErrQueueFull, nothing was sent.
func (c *Core) Broadcast(now time.Time, data []byte) error { return c.broadcast.Broadcast(now, data) }

// Has reports whether this node has all of a broadcast, or is its origin. It reports true for broadcasts long past.
func (c *Core) Has(id wire.MessageID) bool { return c.broadcast.Has(id) }

// LastBroadcast returns the id of the last broadcast of this node.
func (c *Core) LastBroadcast() wire.MessageID { return c.ids.Last() }

// Drain passes every queued datagram to send, in order. now is the time of the last input. The bytes are valid for the call.
func (c *Core) Drain(now time.Time, send func(to wire.Path, b []byte)) {
	c.drain(now, 1, func(r outbox.Run) { send(r.To, r.Bytes) })
}

// DrainRuns is like Drain, but passes consecutive datagrams of equal size to the same peer together.
func (c *Core) DrainRuns(now time.Time, send func(outbox.Run)) {
	c.drain(now, outbox.RunMax, send)
}

func (c *Core) drain(now time.Time, limit int, send func(outbox.Run)) {
	c.sender.SealDue(now, false)
	c.out.Drain(limit, func(r outbox.Run) {
		c.stats.SentDatagrams += uint64(r.Count)
		c.stats.SentBytes += uint64(len(r.Bytes))
		c.report.Sent(now, &r)
		send(r)
	})
}
