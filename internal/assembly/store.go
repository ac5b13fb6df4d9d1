package assembly

import (
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// Bounds of a store.
const (
	StoreMax      = 64 << 20 // maximum bytes of all messages, complete or not
	StoreCount    = 8192     // maximum number of messages
	SweepInterval = time.Second

	listMax    = 1 << 16 // maximum chunks of all messages if they were complete: 4 GiB
	rangeBytes = 16      // maximum memory of one range
)

// A Store holds the large messages of a node. The zero value is empty and ready for use. Not for concurrent use
// (PROTOCOL.md F4).
type Store struct {
	byID map[wire.MessageID]*Assembly // broadcasts
	all  []*Assembly                  // in the order in which they began
	size int                          // total bytes of chunks, and of ranges except the first one of a message
	list int                          // total length of the lists of chunks
}

// Get returns the broadcast with the given id, or nil.
func (s *Store) Get(id wire.MessageID) *Assembly { return s.byID[id] }

// Len returns the number of messages.
func (s *Store) Len() int { return len(s.all) }

// Size returns the memory of all messages in bytes.
func (s *Store) Size() int { return s.size }

// Begin adds an empty message of total bytes. The caller must have called Room before.
func (s *Store) Begin(now time.Time, id wire.MessageID, total uint32, direct bool) *Assembly {
	a := &Assembly{ID: id, Total: total, Began: now, Progress: now, Direct: direct,
		chunks: make([][]byte, (total+chunkSize-1)/chunkSize)}
	s.all = append(s.all, a)
	s.list += len(a.chunks)
	if !direct {
		if s.byID == nil {
			s.byID = make(map[wire.MessageID]*Assembly)
		}
		s.byID[id] = a
	}
	return a
}

// Room reports whether one more message can begin. It makes room if that is possible.
func (s *Store) Room() bool {
	for len(s.all) >= StoreCount || s.list >= listMax {
		if !s.makePlace() {
			return false
		}
	}
	return true
}

// Add adds a complete message, which counts as delivered. It returns nil if there is no room.
func (s *Store) Add(now time.Time, id wire.MessageID, data []byte, direct bool) *Assembly {
	if !s.Room() {
		return nil
	}
	a := s.Begin(now, id, uint32(len(data)), direct)
	a.Delivered = true
	if _, ok := s.Write(now, a, 0, data); !ok {
		s.Remove(a)
		return nil
	}
	return a
}

// Write stores bytes at an offset, which must lie within the message. fresh reports whether any of them were new. ok is
// false if there is no room or the message has too many separate ranges.
func (s *Store) Write(now time.Time, a *Assembly, offset uint32, b []byte) (fresh, ok bool) {
	end := offset + uint32(len(b))
	switch {
	case a.Forgotten() || len(a.Have) > RangesMax:
		return false, false
	case a.Have.Covers(offset, end):
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
	a.Progress = now
	ranges := max(len(a.Have), 1)
	fresh = a.Have.Add(offset, end)
	more := rangeBytes * (len(a.Have) - ranges)
	a.bytes += more
	s.size += more
	return fresh, true
}

func (s *Store) allocate(now time.Time, a *Assembly, i int) bool {
	if a.chunks[i] != nil {
		return true
	}
	size := int(min(chunkSize, a.Total-uint32(i)*chunkSize))
	if s.size+size > StoreMax && !s.makeRoom(now, a, size) {
		return false
	}
	a.chunks[i] = make([]byte, size)
	a.bytes += size
	s.size += size
	return true
}

// Remove drops a message. Its transfers then find no bytes. Remove does nothing if the message was dropped before.
func (s *Store) Remove(a *Assembly) {
	if i := slices.Index(s.all, a); i >= 0 {
		s.all = slices.Delete(s.all, i, i+1)
		s.release(a)
	}
}

func (s *Store) release(a *Assembly) {
	if !a.Direct {
		delete(s.byID, a.ID)
	}
	s.size -= a.bytes
	s.list -= len(a.chunks)
	a.chunks, a.Have, a.bytes = nil, nil, 0
	if a.Spread != nil {
		a.Spread.Release()
	}
}

// All calls yield for each message, in the order in which they began. The store must not change in the meantime.
func (s *Store) All(yield func(*Assembly) bool) {
	for _, a := range s.all {
		if !yield(a) {
			return
		}
	}
}
