package gossip

import (
	"encoding/binary"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// Small messages of one turn of the loop that go along one link share datagrams. A message waits for no
// other: all that a turn sends leaves at its end, in Drain, and there the datagrams are sealed that are
// not full. What has to wait for the pacing shares datagrams when it goes.

// stored is where a message lies in the arena.
type stored struct {
	off  uint64
	size uint32
}

// storedSize is the bytes of a stored in an index: see gather.
const storedSize = 12

// enclose puts a small message into the datagram for p that is still open, if the pacing lets it go.
func (c *Core) enclose(now time.Time, p *peer, m *smallMessage) bool {
	n := len(m.plain)
	if p.openSize+n > c.room(p) {
		c.widen(now, p)
		c.sealOpen(now, p)
	}
	if !c.maySendSmall(now, p, p.openSize, n) {
		return false
	}
	c.list(p)
	p.open = append(p.open, m.stored())
	p.openSize += n
	return true
}

// sealOpen seals the datagram that is open for p, if there is one.
func (c *Core) sealOpen(now time.Time, p *peer) {
	switch {
	case len(p.open) == 0:
		return
	case p.openSize > c.room(p): // the path carries less than it did a moment ago
		for _, s := range p.open {
			p.queueUrgent(now, s)
		}
		p.open, p.openSize = p.open[:0], 0
		c.pumpSoon(now, p)
		return
	}
	if ch := p.channel(now); ch == nil {
		c.stats.Dropped[DropUnknownSession] += uint64(len(p.open))
	} else if plain, what := c.gather(now, p.open); len(plain) > 0 {
		c.transmit(now, ch, p.set.Path(), plain, what)
	}
	p.open, p.openSize = p.open[:0], 0
	p.sealed = now
}

// gather makes one plaintext of messages in the arena, valid until the next call or use of the arena, and what is to be remembered of it. Messages that lie side by side, as those of one turn often
// do, need no copy and are remembered as one; of others an index is put into the arena.
func (c *Core) gather(now time.Time, list []stored) (plain []byte, what sent) {
	run := list[0]
	for _, s := range list[1:] {
		if s.off != run.off+uint64(run.size) || !c.arena.together(run.off, s) {
			return c.gatherApart(now, list)
		}
		run.size += s.size
	}
	return c.arena.get(run.off, int(run.size)), sent{off: run.off, size: run.size}
}

func (c *Core) gatherApart(now time.Time, list []stored) (plain []byte, what sent) {
	plain, index := c.joined[:0], c.index[:0]
	for _, s := range list {
		b := c.arena.get(s.off, int(s.size))
		if b == nil {
			c.drop(DropForgotten)
			continue
		}
		plain = append(plain, b...)
		index = binary.BigEndian.AppendUint64(index, s.off)
		index = binary.BigEndian.AppendUint32(index, s.size)
	}
	c.joined, c.index = plain, index
	return plain, sent{off: c.arena.put(now, index), size: uint32(len(index)), index: true}
}

// spare notes that p has a broadcast: a copy for it that is about to go, or waits, need not be sent.
// Under load that holds of most, and sending them would make the load.
func (c *Core) spare(p *peer, id wire.MessageID) {
	for i, s := range p.open {
		if b := c.arena.get(s.off, int(s.size)); b != nil && startsWith(b, &id) {
			p.open = append(p.open[:i], p.open[i+1:]...)
			p.openSize -= int(s.size)
			return
		}
	}
	p.egress.spare(id)
}

// messageIDAt is where the id of a message stands in its encoding, after the heads of array and bin.
const messageIDAt = 3

// startsWith reports whether a message has an id.
func startsWith(message []byte, id *wire.MessageID) bool {
	return wire.MessageID(message[messageIDAt:]) == *id
}

// pumpSmall sends the next datagram of small messages that waited: as many as it holds. It reports
// whether one could go.
func (c *Core) pumpSmall(now time.Time, p *peer, ch *channel) bool {
	room := c.room(p)
	for ; p.waits() > 0; p.dropSmall(1) {
		if q := p.nextSmall(0); p.stale(now, q.at) {
			c.drop(DropQueueOld)
		} else if int(q.size) > room {
			c.recutStored(now, p, q.stored)
		} else {
			break
		}
	}
	list, size, taken := c.going[:0], 0, 0
	for ; taken < p.waits(); taken++ {
		s := p.nextSmall(taken).stored
		if plain := c.arena.get(s.off, int(s.size)); plain != nil && p.needless(plain) {
			continue
		}
		if size+int(s.size) > room {
			break
		}
		list = append(list, s)
		size += int(s.size)
	}
	c.going = list
	if size > 0 {
		if !c.maySendSmall(now, p, 0, size) {
			return false
		}
		if plain, what := c.gather(now, list); len(plain) > 0 {
			c.transmit(now, ch, p.set.Path(), plain, what)
		}
	}
	p.dropSmall(taken)
	return size > 0
}

// resendSmall puts the messages of a datagram back among what waits for p, each for itself.
func (c *Core) resendSmall(now time.Time, p *peer, w *sent) {
	kept := c.arena.get(w.off, int(w.size))
	switch {
	case kept == nil:
		c.drop(DropForgotten)
	case p.bytes >= smallMax:
		c.drop(DropQueueFull)
	case !w.index:
		c.queueAgain(now, p, w.off, kept)
	default:
		for ; len(kept) >= storedSize; kept = kept[storedSize:] {
			off, size := binary.BigEndian.Uint64(kept), binary.BigEndian.Uint32(kept[8:])
			if b := c.arena.get(off, int(size)); b != nil {
				c.queueAgain(now, p, off, b)
			} else {
				c.drop(DropForgotten)
			}
		}
	}
}

// queueAgain queues each of the messages of a plaintext that lies at off in the arena.
func (c *Core) queueAgain(now time.Time, p *peer, off uint64, plain []byte) {
	var m wire.Message
	for len(plain) > 0 {
		after, err := wire.ParseMessage(&m, plain)
		if err != nil { // not of what we have written ourselves
			return
		}
		c.stats.Resent++
		n := len(plain) - len(after)
		if n > c.room(p) { // the path carries less than it did
			c.recut(now, p, plain[:n])
		} else {
			p.queueUrgent(now, stored{off, uint32(n)})
		}
		off, plain = off+uint64(n), after
	}
}
