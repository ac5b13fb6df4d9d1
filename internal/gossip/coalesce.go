package gossip

import (
	"encoding/binary"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// Small messages of one turn of the loop that go to one peer share datagrams. No message waits for another: all
// that a turn sends leaves at its end, when the owner calls Seal for each peer with an open datagram. Messages that
// have to wait for the pacing share datagrams when they are sent.

// openDatagram is a datagram of small messages that is not sealed yet.
type openDatagram struct {
	list   []stored
	size   int       // bytes of plaintext
	sealed time.Time // when the last one was sealed
}

// stored is where a message lies in the arena.
type stored struct {
	off  uint64
	size uint32
}

// storedSize is the bytes of a stored in an index: see gather.
const storedSize = 12

// HasOpen reports whether a datagram is open, so that Seal is to be called at the end of the turn.
func (p *packets) HasOpen() bool { return len(p.open.list) > 0 }

// SealedAt is when the last datagram of small messages was sealed.
func (p *packets) SealedAt() time.Time { return p.open.sealed }

// enclose puts a small message into the open datagram, if the pacing lets it go.
func (p *packets) enclose(now time.Time, s stored) bool {
	n := int(s.size)
	if p.open.size+n > p.Room() {
		p.Widen(now)
		p.Seal(now)
	}
	if !p.maySendSmall(now, p.open.size, n) {
		return false
	}
	p.open.list = append(p.open.list, s)
	p.open.size += n
	return true
}

// Seal sends the open datagram, if there is one.
func (p *packets) Seal(now time.Time) {
	e := p.endpoint
	switch {
	case len(p.open.list) == 0:
		return
	case p.open.size > p.Room(): // the path carries less than it did a moment ago
		for _, s := range p.open.list {
			p.queue.addUrgent(now, s)
		}
		p.open.list, p.open.size = p.open.list[:0], 0
		p.PumpSoon(now)
		return
	}
	if ch := p.Channel(now); ch == nil {
		e.stats.UnknownSession += uint64(len(p.open.list))
	} else if plain, what := e.gather(now, p.open.list); len(plain) > 0 {
		ch.transmit(now, p.sessions.Path(), plain, what)
	}
	p.open.list, p.open.size = p.open.list[:0], 0
	p.open.sealed = now
}

// gather makes one plaintext of messages in the arena, and says what is to be remembered of it. The plaintext is valid
// until the next call of gather or the next message that is put into the arena. Messages that lie side by side, as those
// of one turn often do, are not copied, and are remembered as one. For others an index is put into the arena.
func (e *endpoint) gather(now time.Time, list []stored) (plain []byte, what content) {
	run := list[0]
	for _, s := range list[1:] {
		if s.off != run.off+uint64(run.size) || !e.arena.together(run.off, s) {
			return e.gatherApart(now, list)
		}
		run.size += s.size
	}
	return e.arena.get(run.off, int(run.size)), content{off: run.off, size: run.size}
}

func (e *endpoint) gatherApart(now time.Time, list []stored) (plain []byte, what content) {
	plain, index := e.joined[:0], e.index[:0]
	for _, s := range list {
		b := e.arena.get(s.off, int(s.size))
		if b == nil {
			e.stats.Forgotten++
			continue
		}
		plain = append(plain, b...)
		index = binary.BigEndian.AppendUint64(index, s.off)
		index = binary.BigEndian.AppendUint32(index, s.size)
	}
	e.joined, e.index = plain, index
	return plain, content{off: e.arena.put(now, index), size: uint32(len(index)), index: true}
}

// Spare notes that the peer has a broadcast: a copy in the open datagram or in the queue need not be sent. Under load
// the peer has most of them, and sending the copies would cause the load.
func (p *packets) Spare(id wire.MessageID) {
	for i, s := range p.open.list {
		if b := p.endpoint.arena.get(s.off, int(s.size)); b != nil && startsWith(b, &id) {
			p.open.list = append(p.open.list[:i], p.open.list[i+1:]...)
			p.open.size -= int(s.size)
			return
		}
	}
	p.queue.spare(id)
}

// sendQueued sends the next datagram of queued small messages, with as many as it holds. It reports whether one could
// go. It returns the first message instead if that does not fit into a datagram; the message stays in the queue.
func (p *packets) sendQueued(now time.Time, ch *channel) (went bool, unfit []byte) {
	e, room := p.endpoint, p.Room()
	for ; p.queue.len() > 0; p.queue.drop(1) {
		q := p.queue.at(0)
		if p.stale(now, q.at) {
			e.stats.QueueOld++
			continue
		}
		if int(q.size) <= room {
			break
		}
		if plain := e.arena.get(q.off, int(q.size)); plain == nil {
			e.stats.Forgotten++
		} else if !p.queue.needless(plain) {
			return false, plain
		}
	}
	list, size, taken := e.going[:0], 0, 0
	for ; taken < p.queue.len(); taken++ {
		s := p.queue.at(taken).stored
		if plain := e.arena.get(s.off, int(s.size)); plain != nil && p.queue.needless(plain) {
			continue
		}
		if size+int(s.size) > room {
			break
		}
		list = append(list, s)
		size += int(s.size)
	}
	e.going = list
	if size > 0 {
		if !p.maySendSmall(now, 0, size) {
			return false, nil
		}
		if plain, what := e.gather(now, list); len(plain) > 0 {
			ch.transmit(now, p.sessions.Path(), plain, what)
		}
	}
	p.queue.drop(taken)
	return size > 0, nil
}
