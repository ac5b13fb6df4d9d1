package gossip

import (
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/broadcast"
	"github.com/gwyh-go/gwyh/internal/rangeset"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// Bounds of large messages (docs/PROTOCOL.md, "Frames").
const (
	MessageMax      = broadcast.MessageMax    // bytes of one message
	storeMax        = 64 << 20                // bytes of all that a node holds, complete or not
	storeCount      = 8192                    // messages it holds
	ownMax          = storeMax / 2            // bytes of reliable messages of our own
	incompleteTotal = 4 * MessageMax          // declared bytes of what one peer may have begun and not ended
	incompleteCount = 256                     // such messages
	incompleteSize  = 8 << 20                 // bytes of them here beyond which it may begin no further one
	chunkSize       = 64 << 10                // memory grows by so much as a message arrives
	stallGrace      = time.Second             // a message without progress for so long gives way to another
	assemblyAge     = 30 * time.Second        // and without progress for so long is given up
	completeKeep    = 10 * time.Second        // how long a complete one is kept once all links have had it, if there is room
	announcedKeep   = broadcast.AnnouncedKeep // and up to so long while an announcement of it, by or to a link, is open
	wantedLately    = 500 * time.Millisecond  // after it was last sent on, a node that knows of it by name may still ask for it
	rangesMax       = 2048                    // separate runs of bytes of one message; more is no honest loss
	sweepInterval   = time.Second
)

// assembly is a large message as far as it has come, in chunks that are allocated when their first
// byte arrives. Links that pass it on read from it.
type assembly struct {
	id       wire.MessageID
	total    uint32
	chunks   [][]byte // nil once it was forgotten
	bytes    int      // of the chunks there are
	have     rangeset.Set
	progress time.Time        // when bytes last came, or were last sent
	began    time.Time        // when the first byte came
	large    *broadcast.Large // what dissemination knows of it; nil for a direct message
	pending  int              // links that it is on its way along, and whoever else needs it
	passed   bool             // it was put on all links
	met      bool             // it is the application's already
	direct   bool             // for one node alone: not in the map by id
	use      wire.Use         // of a direct message of this node
	ours     bool             // a broadcast of this node
	own      bool             // somebody waits for its acknowledgement: not forgotten before its end
}

func (a *assembly) complete() bool { return a.have.Covers(0, a.total) }

// piece is the bytes [from, to), of which to is brought down to the end of their chunk.
func (a *assembly) piece(from, to uint32) []byte {
	chunk := a.chunks[from/chunkSize]
	begin := from % chunkSize
	end := min(begin+to-from, uint32(len(chunk)))
	return chunk[begin:end]
}

// copy is the whole message, the caller's to keep.
func (a *assembly) copy() []byte {
	b := make([]byte, 0, a.total)
	for _, c := range a.chunks {
		b = append(b, c...)
	}
	return b
}

// largeExpected reports whether a neighbor that may still request the message is one that messages are held up for: a
// silent peer is not.
func (c *Core) largeExpected(now time.Time, a *assembly) bool {
	for n := range a.large.Awaiting {
		if p := c.peers[n.ID]; p != nil && !p.swim.Silent(now) {
			return true
		}
	}
	return false
}

// budget is what messages that were begun and are not whole take of what a peer may begin.
type budget struct {
	count, size int
	declared    uint64
}

// take adds a message of which size bytes are there.
func (g *budget) take(total, size uint32) {
	g.count++
	g.size += int(size)
	g.declared += uint64(total)
}

// allows reports whether one more may be begun while the others have less than size bytes.
func (g *budget) allows(total uint32, size int) bool {
	return g.count < incompleteCount && g.size < size && g.declared+uint64(total) <= incompleteTotal
}

// admit decides whether p may begin one more message, and which of those that stand still give way.
func (p *peer) admit(now time.Time, total uint32) (evicted []*assembly, ok bool) {
	var used budget
	p.receiving = slices.DeleteFunc(p.receiving, func(a *assembly) bool {
		over := a.chunks == nil || a.complete()
		if !over {
			used.take(a.total, uint32(a.bytes))
		}
		return over
	})
	if used.allows(total, incompleteSize) {
		return nil, true
	}
	used = budget{}
	for _, a := range p.receiving {
		if now.Sub(a.progress) > stallGrace {
			evicted = append(evicted, a)
		} else {
			used.take(a.total, uint32(a.bytes))
		}
	}
	return evicted, used.allows(total, incompleteSize)
}

// assemblies holds the large messages of a node.
type assemblies struct {
	byID map[wire.MessageID]*assembly // those to be passed on
	all  []*assembly                  // in the order they were begun
	size int                          // bytes of chunks
}

// begin makes an empty message.
func (s *assemblies) begin(now time.Time, id wire.MessageID, total uint32, direct bool) *assembly {
	a := &assembly{id: id, total: total, began: now, progress: now, direct: direct,
		chunks: make([][]byte, (total+chunkSize-1)/chunkSize)}
	s.all = append(s.all, a)
	if !direct {
		if s.byID == nil {
			s.byID = make(map[wire.MessageID]*assembly)
		}
		s.byID[id] = a
	}
	return a
}

// add takes in a whole message; nil when there is no room.
func (s *assemblies) add(now time.Time, id wire.MessageID, data []byte, direct bool) *assembly {
	if len(s.all) >= storeCount && !s.makePlace() {
		return nil
	}
	a := s.begin(now, id, uint32(len(data)), direct)
	a.met = true
	if _, ok := s.write(now, a, 0, data); !ok {
		s.remove(a)
		return nil
	}
	return a
}

// write takes in bytes at an offset. ok is false when there is no room for them.
func (s *assemblies) write(now time.Time, a *assembly, offset uint32, b []byte) (fresh, ok bool) {
	end := offset + uint32(len(b))
	switch {
	case a.chunks == nil || len(a.have) > rangesMax:
		return false, false
	case a.have.Covers(offset, end):
		return false, true
	}
	for i := offset / chunkSize; i <= (end-1)/chunkSize; i++ {
		if !s.allocate(now, a, int(i)) {
			return false, false
		}
	}
	for at := offset; at < end; {
		n := copy(a.chunks[at/chunkSize][at%chunkSize:], b)
		b = b[n:]
		at += uint32(n)
	}
	a.progress = now
	return a.have.Add(offset, end), true
}

func (s *assemblies) allocate(now time.Time, a *assembly, i int) bool {
	if a.chunks[i] != nil {
		return true
	}
	size := int(min(chunkSize, a.total-uint32(i)*chunkSize))
	if s.size+size > storeMax && !s.makeRoom(now, a, size) {
		return false
	}
	a.chunks[i] = make([]byte, size)
	a.bytes += size
	s.size += size
	return true
}

// makeRoom forgets what is needed least until n bytes fit, oldest first: complete messages that all links have had; then
// those that a link was only told of; then those that only repair or a slow link still wants and those that stand still;
// and of these last the ones that nobody else has.
func (s *assemblies) makeRoom(now time.Time, but *assembly, n int) bool {
	for need := range needs {
		for _, a := range slices.Clone(s.all) {
			if s.size+n <= storeMax {
				return true
			}
			if a != but && !a.own && a.need(now) <= need {
				s.remove(a)
			}
		}
	}
	return s.size+n <= storeMax
}

// needs is how many degrees of need there are.
const needs = 4

// need is how much a message is needed; needs if it cannot be forgotten.
func (a *assembly) need(now time.Time) int {
	switch stalled := now.Sub(a.progress) > stallGrace; {
	case a.complete() && a.pending == 0 && !a.large.Awaited():
		return 0
	case a.complete() && a.pending == 0:
		return 1
	case a.ours && !a.large.Owned():
		return 3
	case a.complete() || stalled:
		return 2
	}
	return needs
}

// crowded reports whether half of the room is taken by messages that others may still want: those that are not
// whole, not sent to all, or were sent just now.
func (c *Core) crowded(now time.Time) bool { return c.largeWanted(now) >= storeMax/2 }

// largeWanted is the bytes of large messages that others may still want, or less than half of the room.
func (c *Core) largeWanted(now time.Time) (size int) {
	s := &c.store
	if s.size < storeMax/2 {
		return s.size
	}
	for _, a := range s.all {
		idle := now.Sub(a.progress)
		if !a.complete() || a.pending > 0 || idle < wantedLately || idle < completeKeep && c.largeExpected(now, a) {
			size += a.bytes
		}
	}
	return size
}

// makePlace forgets one message that only repair could still want.
func (s *assemblies) makePlace() bool {
	for _, a := range s.all {
		if a.complete() && a.pending == 0 {
			s.remove(a)
			return true
		}
	}
	return false
}

// remove forgets a message. Links that were to pass it on find it without bytes.
func (s *assemblies) remove(a *assembly) {
	if i := slices.Index(s.all, a); i >= 0 {
		s.all = slices.Delete(s.all, i, i+1)
		s.release(a)
	}
}

func (s *assemblies) release(a *assembly) {
	if !a.direct {
		delete(s.byID, a.id)
	}
	s.size -= a.bytes
	a.large.Release()
	a.chunks, a.have, a.bytes = nil, nil, 0
}

// sweep gives up what made no progress for long and forgets what has done its service. promised reports whether a
// link has announced a message that is not whole. It returns how many of these were given up.
func (s *assemblies) sweep(now time.Time, promised func(*assembly) bool) (lost int) {
	s.all = slices.DeleteFunc(s.all, func(a *assembly) bool {
		idle := now.Sub(a.progress)
		served := a.complete() && a.pending == 0 && idle > completeKeep && (idle > announcedKeep || !a.large.Awaited())
		stalled := !a.complete() && !a.own && idle > assemblyAge && (idle > announcedKeep || a.direct || !promised(a))
		if !served && !stalled {
			return false
		}
		if !a.complete() {
			lost++
		}
		s.release(a)
		return true
	})
	if len(s.all) == 0 {
		s.all, s.byID = nil, nil
	}
	return lost
}
