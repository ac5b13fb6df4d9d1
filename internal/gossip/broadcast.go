package gossip

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// Bounds of the messages that are kept while there is no link (docs/DESIGN.md, "Broadcast").
const (
	heldMax   = 1024
	heldBytes = 1 << 20
	heldAge   = 30 * time.Second
)

// held is a message of our own that waits for the first link.
type held struct {
	id   wire.MessageID
	data []byte
	at   time.Time
}

// TooLargeError says that a message does not fit into what carries it.
type TooLargeError struct{ Size, Max int }

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("message of %d bytes is larger than %d", e.Size, e.Max)
}

// BroadcastMax is the largest message in bytes that travels in one datagram of the configured size; a
// larger one is cut.
func (c *Core) BroadcastMax() int {
	return c.cfg.DatagramSize - wire.BoxOverhead - wire.BroadcastOverhead
}

// Broadcast sends data to every member. Without a link it is kept for a while; data is not retained
// otherwise. A *TooLargeError or ErrQueueFull says that nothing was sent.
func (c *Core) Broadcast(now time.Time, data []byte) error {
	switch {
	case len(data) > MessageMax:
		return &TooLargeError{Size: len(data), Max: MessageMax}
	case len(c.links) > 0 && len(data) > legacyMessage && !slices.ContainsFunc(c.links, func(p *peer) bool { return !p.legacy }):
		return &TooLargeError{Size: len(data), Max: legacyMessage}
	case c.congested(now, len(data) > c.BroadcastMax()), len(data) > c.BroadcastMax() && c.store.crowded(now):
		return ErrQueueFull
	}
	id := c.ids.Broadcast()
	c.seen.First(now, &id)
	if len(c.links) == 0 {
		c.hold(now, id, data)
	} else if err := c.send(now, id, data); err != nil {
		return err
	}
	c.stats.BroadcastsSent++
	if len(data) > legacyMessage && c.members.CountLegacy() > 0 {
		c.warnLegacySize(now, len(data))
	}
	return nil
}

func (c *Core) send(now time.Time, id wire.MessageID, data []byte) error {
	if len(data) > c.BroadcastMax() {
		return c.broadcastLarge(now, id, data)
	}
	c.flood(now, id, data, nil)
	return nil
}

// slowShare is what part of the rate of the fastest link another has to have to hold up messages of our own.
const slowShare = 1. / 32

// congested reports whether a message of our own is not to be taken now: when one of the links that it would go along
// in full takes no further one, for the peer behind it would fall back and lose messages. Those are the links whose peers
// want it, and others where these are few. A peer that is silent, and may be dead, holds up nothing, nor does
// one that is slower by far than others.
func (c *Core) congested(now time.Time, large bool) bool {
	fastest := 0.
	for _, p := range c.links {
		fastest = max(fastest, p.packets.Pace().Rate())
	}
	more, others, open := ownLinks, 0, 0 // links whose peers do not want it, and those of them that take one
	for _, p := range c.links {
		switch full := p.packets.Full(large) || !large && p.packets.Pace().Held(now); {
		case !p.legacy && p.swim.Silent(now), p.packets.Pace().Rate() < slowShare*fastest:
		case p.wanted && full:
			return true
		case p.wanted:
			more--
		default:
			others++
			if !full {
				open++
			}
		}
	}
	return open < min(more, others)
}

// backlog is how many bytes of small messages wait for the peer that wants them and is furthest behind.
func (c *Core) backlog(now time.Time) (most int) {
	for _, p := range c.links {
		if p.wanted && p.packets.Backlog() > most && !p.swim.Silent(now) {
			most = p.packets.Backlog()
		}
	}
	return most
}

// handleBroadcast delivers the first copy of a message and passes it on; the first copy took the
// quickest path. Others are counted.
func (c *Core) handleBroadcast(now time.Time, p *peer, m *wire.Message) {
	if p.zone != c.cfg.Zone {
		c.stats.BroadcastsCrossZone++
	}
	if !c.seen.First(now, &m.ID) {
		c.stats.BroadcastsDuplicate++
		p.packets.Spare(m.ID)
		c.again(now, p)
		return
	}
	c.stats.BroadcastsDelivered++
	c.first(now, p, &m.ID)
	if a := c.store.byID[m.ID]; a != nil {
		a.met = true
	}
	c.flood(now, m.ID, m.Data, p)
	c.events = append(c.events, Event{Kind: EventMessage, Data: bytes.Clone(m.Data)})
}

// flood sends a message along every link but the one that it came by. On links that are busy it is only
// announced to peers that do not want it in full; one of our own goes in full along a few at least.
func (c *Core) flood(now time.Time, id wire.MessageID, data []byte, from *peer) {
	c.plain = wire.AppendBroadcast(c.plain[:0], wire.Bin, id, data)
	m := c.newSmall(now, c.plain)
	c.lately.put(now, &id, m.stored())
	var large *assembly
	more := 0 // links on which it goes in full although the peer does not want it
	if from == nil {
		more = ownLinks - c.wanting()
	}
	for _, p := range c.links {
		switch {
		case p == from:
		case p.legacy:
			c.sendLegacyBroadcast(now, p, id, data)
		case len(m.plain) > p.packets.Room():
			large = c.cutFor(now, p, large, id, data, p.wanted || more > 0)
			if !p.wanted {
				more--
			}
			p.packets.Widen(now)
			c.pump(now, p)
		case (p.note(now) || p.packets.Waiting() > 0) && !p.wanted && (more <= 0 || p.packets.Full(false)), p.packets.Backlog() >= smallLazy:
			c.tellLater(now, p, m, &id)
		default:
			if !p.wanted {
				more--
			}
			c.stats.BroadcastsForwarded++
			c.sendSmall(now, p, m)
		}
	}
}

func (c *Core) hold(now time.Time, id wire.MessageID, data []byte) {
	size := len(data)
	for _, h := range c.held {
		size += len(h.data)
	}
	for len(c.held) > 0 && (len(c.held) >= heldMax || size > heldBytes) {
		size -= len(c.held[0].data)
		c.held[0] = held{}
		c.held = c.held[1:]
		c.drop(DropHeldOld)
	}
	c.stats.BroadcastsHeld++
	c.held = append(c.held, held{id: id, data: bytes.Clone(data), at: now})
	c.sweepLater(now)
}

// sweepHeld drops what waited too long for a link.
func (c *Core) sweepHeld(now time.Time) {
	for len(c.held) > 0 && now.Sub(c.held[0].at) > heldAge {
		c.held[0] = held{}
		c.held = c.held[1:]
		c.drop(DropHeldOld)
	}
}

// releaseHeld sends what waited for the first link.
func (c *Core) releaseHeld(now time.Time) {
	c.sweepHeld(now)
	waiting := c.held
	c.held = nil
	for _, h := range waiting {
		if c.send(now, h.id, h.data) != nil {
			c.drop(DropStoreFull)
		}
	}
}
