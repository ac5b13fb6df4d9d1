package gossip

import (
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// Bounds of large messages (docs/PROTOCOL.md, "Frames").
const (
	MessageMax     = 16 << 20         // bytes of one message
	storeMax       = 64 << 20         // bytes of all that a node holds, complete or not
	incompleteMax  = 4                // messages that one peer may have begun and not ended
	incompleteSize = 8 << 20          // bytes of them beyond which it may begin no further one
	chunkSize      = 64 << 10         // memory grows by so much as a message arrives
	stallGrace     = time.Second      // a message without progress for so long gives way to another
	assemblyAge    = 30 * time.Second // and without progress for so long is given up
	completeKeep   = 5 * time.Second  // how long a complete one is kept for repair once all links had it
	spansMax       = 2048             // separate runs of bytes of one message; more is no honest loss
	sweepInterval  = time.Second
)

// assembly is a large message as far as it has come, in chunks that are allocated when their first
// byte arrives. Links that pass it on read from it.
type assembly struct {
	id       wire.MessageID
	total    uint32
	chunks   [][]byte
	have     spans
	from     *peer     // who is charged for it while it is incomplete; nil for our own
	progress time.Time // when bytes last came, or were last sent
	pending  int       // links that still have something of it to send
	direct   bool      // for one node alone: not in the map by id
}

func (a *assembly) complete() bool { return a.have.covers(0, a.total) }

// piece is the bytes [from, to), of which to is brought down to the end of their chunk.
func (a *assembly) piece(from, to uint32) []byte {
	chunk := a.chunks[from/chunkSize]
	begin := from % chunkSize
	end := min(begin+to-from, uint32(len(chunk)))
	return chunk[begin:end]
}

// bytes is a copy of the whole message.
func (a *assembly) bytes() []byte {
	b := make([]byte, 0, a.total)
	for _, c := range a.chunks {
		b = append(b, c...)
	}
	return b
}

// assemblies holds the large messages of a node.
type assemblies struct {
	byID map[wire.MessageID]*assembly // those to be passed on
	all  []*assembly                  // in the order they were begun
	size int                          // bytes of chunks
}

// admit decides whether a peer may begin one more message, and makes one that stands still give way.
func (s *assemblies) admit(now time.Time, p *peer) (evicted *assembly, ok bool) {
	var count, size int
	var oldest *assembly
	for _, a := range s.all {
		if a.from != p || a.complete() {
			continue
		}
		count++
		size += a.allocated()
		if oldest == nil || a.progress.Before(oldest.progress) {
			oldest = a
		}
	}
	if count < incompleteMax && size < incompleteSize {
		return nil, true
	}
	if now.Sub(oldest.progress) < stallGrace {
		return nil, false
	}
	return oldest, true
}

func (a *assembly) allocated() (n int) {
	for _, c := range a.chunks {
		n += len(c)
	}
	return n
}

// begin makes an empty message.
func (s *assemblies) begin(now time.Time, id wire.MessageID, total uint32, from *peer, direct bool) *assembly {
	a := &assembly{id: id, total: total, from: from, progress: now, direct: direct,
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

// write takes in bytes at an offset. ok is false when there is no room for them.
func (s *assemblies) write(now time.Time, a *assembly, offset uint32, b []byte) (fresh, ok bool) {
	end := offset + uint32(len(b))
	switch {
	case a.chunks == nil || len(a.have) > spansMax:
		return false, false
	case a.have.covers(offset, end):
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
	return a.have.add(offset, end), true
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
	s.size += size
	return true
}

// makeRoom forgets what is needed least until n bytes fit: complete messages that all links have had,
// then those that only repair or a slow link still wants, oldest first.
func (s *assemblies) makeRoom(now time.Time, but *assembly, n int) bool {
	for _, idle := range []bool{true, false} {
		for _, a := range slices.Clone(s.all) {
			if s.size+n <= storeMax {
				return true
			}
			stalled := now.Sub(a.progress) > stallGrace
			if a != but && (a.complete() && (a.pending == 0 || !idle) || !idle && stalled) {
				s.remove(a)
			}
		}
	}
	return s.size+n <= storeMax
}

// remove forgets a message. Links that were to pass it on find it without bytes.
func (s *assemblies) remove(a *assembly) {
	i := slices.Index(s.all, a)
	if i < 0 {
		return
	}
	s.all = slices.Delete(s.all, i, i+1)
	if !a.direct {
		delete(s.byID, a.id)
	}
	s.size -= a.allocated()
	a.chunks, a.have = nil, nil
}

// sweep gives up what made no progress for long and forgets what has done its service. It returns how
// many incomplete messages were given up.
func (s *assemblies) sweep(now time.Time) (lost int) {
	for _, a := range slices.Clone(s.all) {
		idle := now.Sub(a.progress)
		switch {
		case a.complete() && a.pending == 0 && idle > completeKeep:
			s.remove(a)
		case idle > assemblyAge:
			if !a.complete() {
				lost++
			}
			s.remove(a)
		}
	}
	return lost
}
