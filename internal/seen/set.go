// Package seen distinguishes the first copy of a message from duplicates.
//
// It owns the ids of the messages that a node has seen: a window of counters for each origin, and two generations of
// single ids. It stores no content, and its memory stays below Budget for any input. It has no clock, lock or goroutine.
// A Set must be used by one goroutine at a time.
//
// Reading order: set.go (the Set), window.go (the window of one origin), single.go (Singles, single ids), missing.go.
package seen

import (
	"cmp"
	"encoding/binary"
	"time"

	"github.com/gwyh-go/gwyh/internal/quota"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// Budget is the maximum memory of a Set in bytes, for any input, unless Set.Budget says otherwise.
const Budget = 16 << 20

// Bounds of a Set (docs/PROTOCOL.md, "Seen").
const (
	windowBytes = 160              // maximum bytes of a window and its map entry, without its words
	originAge   = 10 * time.Minute // time without a message after which an origin is forgotten
	pressedAge  = 2 * time.Minute  // that time under pressure
	sweepEvery  = 10 * time.Second // interval of sweeps under pressure
)

// OriginRate limits the new origins that one Source may bring.
var OriginRate = quota.Rate{Burst: 4096, Every: time.Second / 64}

// A Source is a peer that sends messages. The zero value may bring as many origins as OriginRate allows.
type Source struct{ origins quota.Bucket }

// A Set records which messages have been seen. A message id of a Go node consists of an origin and a counter, so a
// window of counters per origin suffices. Some ids are stored one by one: random ids, as those of gwyh 0.1 nodes; ids
// whose origin has no window, because its Source has brought too many or there is no memory; and ids whose counter is
// before the first one of the window. The zero value is empty.
type Set struct {
	Budget int // maximum memory in bytes, above that of single ids; zero means the constant Budget

	origins map[uint64]*window
	bytes   int       // total bytes of all windows
	outrun  uint64    // counters that left their window unseen: see Outrun
	swept   time.Time // time of the last sweep
	latest  time.Time // latest time passed to First

	singles      Singles
	singlesUntil time.Time // time until which singles may have ids of origins that now have a window
}

// First reports whether id has not been seen before, and records it. A counter that has left its origin's window counts
// as seen: it cannot be distinguished from a duplicate, and a message is never delivered twice. by is the peer that sent
// the message; nil if this node created it.
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
			s.singlesUntil = now.Add(2 * singleAge)
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
	return s.firstOf(w, n) && !(w.unsure && s.singles.Has(id))
}

// Has reports whether id has been seen. It does not record id.
func (s *Set) Has(id *wire.MessageID) bool {
	if !id.HasOrigin() {
		return s.singles.Has(id)
	}
	return s.has(s.origins[binary.BigEndian.Uint64(id[:8])], id)
}

// has is like Has for an id whose origin has the window w; nil if it has none.
func (s *Set) has(w *window, id *wire.MessageID) bool {
	n := binary.BigEndian.Uint64(id[8:])
	switch {
	case w == nil:
		return s.latest.Before(s.singlesUntil) && s.singles.Has(id)
	case w.precedes(n):
		return !w.mayCome(s.latest, n) || s.singles.Has(id)
	default:
		return w.has(n) || w.unsure && s.singles.Has(id)
	}
}

// Outrun returns the number of counters that left their window before they were seen. If their messages still arrive,
// they are not delivered.
func (s *Set) Outrun() uint64 { return s.outrun }

// Origins returns the number of origins with a window.
func (s *Set) Origins() int { return len(s.origins) }

// addOrigin adds a window for an origin and returns it, or nil if its source brings too many or there is no room.
func (s *Set) addOrigin(now time.Time, origin uint64, by *Source) *window {
	if s.origins == nil {
		s.origins = make(map[uint64]*window)
	}
	if since := now.Sub(s.swept); since > originAge || s.pressed() && since > sweepEvery {
		s.sweep(now)
	}
	if s.bytes+windowBytes+8*s.startSize() > s.windowsMax() || by != nil && !by.origins.Take(now, OriginRate) {
		return nil
	}
	w := &window{made: now, unsure: now.Before(s.singlesUntil)}
	s.origins[origin] = w
	return w
}

// windowsMax returns the maximum bytes of all windows.
func (s *Set) windowsMax() int { return cmp.Or(s.Budget, Budget) - singleBytes }

// pressed reports whether the windows take so much memory that an origin gets less.
func (s *Set) pressed() bool { return s.bytes > s.windowsMax()/2 }

// startSize returns the initial number of words of a window.
func (s *Set) startSize() int {
	if s.pressed() {
		return windowLeast
	}
	return windowMin
}

// sweep forgets origins without a message for originAge or pressedAge.
func (s *Set) sweep(now time.Time) {
	s.swept = now
	age := originAge
	if s.pressed() {
		age = pressedAge
	}
	for origin, w := range s.origins {
		if now.Sub(w.used) > age {
			s.bytes -= w.bytes()
			delete(s.origins, origin)
		}
	}
}
