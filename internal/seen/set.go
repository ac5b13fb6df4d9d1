// Package seen tells the first copy of a message from duplicates.
//
// It owns the ids of the messages that a node has met: for each origin a window of counters, and for nodes of gwyh
// 0.1, whose ids are random, two generations of ids. It keeps no content, and its memory is bounded whatever ids
// come. It has no clock, lock or goroutine; one goroutine uses a Set.
//
// To read it: set.go has the Set, window.go the window of one origin.
package seen

import (
	"encoding/binary"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// Bounds of a Set (docs/PROTOCOL.md, "Seen").
const (
	originsMax = 1 << 16 // origins remembered at once
	originAge  = 10 * time.Minute
	foreignMax = 1 << 15 // ids of gwyh 0.1 nodes, per generation
	foreignAge = 2 * time.Minute
)

// A Set remembers which messages were met. A message id of a Go node is an origin and a counter, so a window of
// counters for each origin suffices. Ids of gwyh 0.1 nodes are random, so each is kept, in two generations of bounded
// count and age. The zero value is empty.
type Set struct {
	origins map[uint64]*window
	wide    int       // words of the windows beyond windowOwn
	outrun  uint64    // see Outrun
	swept   time.Time // when origins was last swept

	current map[wire.MessageID]struct{} // the current generation of foreign ids
	before  map[wire.MessageID]struct{} // the generation before it
	turned  time.Time                   // when the current generation began
}

// First reports whether id was not met before, and remembers it. A counter that has left the window of its
// origin counts as met: it cannot be told from a duplicate, and a message is never delivered twice.
func (s *Set) First(now time.Time, id *wire.MessageID) bool {
	if !id.HasOrigin() {
		return s.firstForeign(now, id)
	}
	origin := binary.BigEndian.Uint64(id[:8])
	w := s.origins[origin]
	if w == nil {
		w = s.addOrigin(now, origin)
	}
	w.used = now
	return s.firstOf(w, binary.BigEndian.Uint64(id[8:]))
}

// Has reports whether id was met before. It does not remember id.
func (s *Set) Has(id *wire.MessageID) bool {
	if !id.HasOrigin() {
		_, current := s.current[*id]
		_, before := s.before[*id]
		return current || before
	}
	w := s.origins[binary.BigEndian.Uint64(id[:8])]
	return w != nil && w.has(binary.BigEndian.Uint64(id[8:]))
}

// Outrun returns how many counters left their window before they were met. If their messages still come, they are
// not delivered.
func (s *Set) Outrun() uint64 { return s.outrun }

// Origins returns the number of origins that have a window.
func (s *Set) Origins() int { return len(s.origins) }

func (s *Set) addOrigin(now time.Time, origin uint64) *window {
	if s.origins == nil {
		s.origins = make(map[uint64]*window)
	}
	if len(s.origins) >= originsMax || now.Sub(s.swept) > originAge {
		s.sweep(now)
	}
	w := &window{made: now}
	s.origins[origin] = w
	return w
}

// sweep forgets origins without a message for originAge. If that does not make room, it forgets all: a member that
// floods with invented origins causes duplicates, but no growth.
func (s *Set) sweep(now time.Time) {
	s.swept = now
	for origin, w := range s.origins {
		if now.Sub(w.used) > originAge {
			s.wide -= w.wide()
			delete(s.origins, origin)
		}
	}
	if len(s.origins) >= originsMax {
		clear(s.origins)
		s.wide = 0
	}
}

func (s *Set) firstForeign(now time.Time, id *wire.MessageID) bool {
	if s.Has(id) {
		return false
	}
	if s.current == nil || len(s.current) >= foreignMax || now.Sub(s.turned) > foreignAge {
		s.before, s.current, s.turned = s.current, make(map[wire.MessageID]struct{}), now
	}
	s.current[*id] = struct{}{}
	return true
}
