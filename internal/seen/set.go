// Package seen tells the first copy of a message from duplicates.
//
// It owns the ids of the messages that a node has met: for each origin a window of counters, and two generations of
// single ids. It keeps no content, and whatever ids come, all its memory together stays below Budget. It has no clock, lock
// or goroutine; one goroutine uses a Set.
//
// To read it: set.go has the Set, window.go the window of one origin, single.go the Singles, ids that are kept one by one.
package seen

import (
	"encoding/binary"
	"time"

	"github.com/gwyh-go/gwyh/internal/quota"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// Budget bounds the bytes that a Set takes, whatever ids come.
const Budget = 16 << 20

// Bounds of a Set (docs/PROTOCOL.md, "Seen").
const (
	windowsMax  = Budget - singleBytes // bytes of all windows
	pressed     = windowsMax / 2       // bytes of all windows from which on an origin gets less
	windowBytes = 160                  // bytes of a window and its place in the map, at most, without its words
	originAge   = 10 * time.Minute     // after which an origin without a message is forgotten
	pressedAge  = 2 * time.Minute      // and after which while the windows are pressed
	sweepEvery  = 10 * time.Second     // between two looks for such origins while the windows are pressed
)

// OriginRate bounds the origins that one Source may bring.
var OriginRate = quota.Rate{Burst: 4096, Every: time.Second / 64}

// A Source is a peer that brings messages. The zero value may bring as many origins as OriginRate grants.
type Source struct{ origins quota.Bucket }

// A Set remembers which messages were met. A message id of a Go node is an origin and a counter, so a window of
// counters for each origin suffices. Ids are remembered one by one if they are random, as those of gwyh 0.1 nodes are, if
// their origin has no window, because its Source has brought too many or the windows have no room, or if their
// counter is before the first one of the window. The zero value is empty.
type Set struct {
	origins map[uint64]*window
	bytes   int       // of all windows
	outrun  uint64    // see Outrun
	swept   time.Time // when origins was last swept
	latest  time.Time // the latest time of a message

	singles Singles
	strayed time.Time // until when singles may have ids of origins that have a window now
}

// First reports whether id was not met before, and remembers it. A counter that has left the window of its
// origin counts as met: it cannot be told from a duplicate, and a message is never delivered twice. by is the peer that
// brought the message; nil if the node itself made it.
func (s *Set) First(now time.Time, id *wire.MessageID, by *Source) bool {
	if now.After(s.latest) {
		s.latest = now
	}
	if !id.HasOrigin() {
		return s.singles.First(now, id)
	}
	origin := binary.BigEndian.Uint64(id[:8])
	w := s.origins[origin]
	if w == nil {
		if w = s.addOrigin(now, origin, by); w == nil {
			s.strayed = now.Add(2 * singleAge)
			return s.singles.First(now, id)
		}
	}
	w.used = now
	n := binary.BigEndian.Uint64(id[8:])
	switch {
	case w.precedes(n):
		return w.mayCome(now, n) && s.singles.First(now, id)
	case w.words == nil:
		w.open(n, s.startSize())
		s.bytes += w.bytes()
	}
	return s.firstOf(w, n) && !(w.strayed && s.singles.Has(id))
}

// Has reports whether id was met before. It does not remember id.
func (s *Set) Has(id *wire.MessageID) bool {
	if !id.HasOrigin() {
		return s.singles.Has(id)
	}
	n := binary.BigEndian.Uint64(id[8:])
	switch w := s.origins[binary.BigEndian.Uint64(id[:8])]; {
	case w == nil:
		return s.latest.Before(s.strayed) && s.singles.Has(id)
	case w.precedes(n):
		return !w.mayCome(s.latest, n) || s.singles.Has(id)
	default:
		return w.has(n) || w.strayed && s.singles.Has(id)
	}
}

// Outrun returns how many counters left their window before they were met. If their messages still come, they are
// not delivered.
func (s *Set) Outrun() uint64 { return s.outrun }

// Origins returns the number of origins that have a window.
func (s *Set) Origins() int { return len(s.origins) }

// addOrigin makes a window for an origin; nil if its source brings too many, or there is no room.
func (s *Set) addOrigin(now time.Time, origin uint64, by *Source) *window {
	if s.origins == nil {
		s.origins = make(map[uint64]*window)
	}
	if since := now.Sub(s.swept); since > originAge || s.bytes > pressed && since > sweepEvery {
		s.sweep(now)
	}
	if s.bytes+windowBytes+8*s.startSize() > windowsMax || by != nil && !by.origins.Take(now, OriginRate) {
		return nil
	}
	w := &window{made: now, strayed: now.Before(s.strayed)}
	s.origins[origin] = w
	return w
}

// startSize is how many words a new window gets.
func (s *Set) startSize() int {
	if s.bytes > pressed {
		return windowLeast
	}
	return windowMin
}

// sweep forgets origins without a message for originAge, or pressedAge.
func (s *Set) sweep(now time.Time) {
	s.swept = now
	age := originAge
	if s.bytes > pressed {
		age = pressedAge
	}
	for origin, w := range s.origins {
		if now.Sub(w.used) > age {
			s.bytes -= w.bytes()
			delete(s.origins, origin)
		}
	}
}
