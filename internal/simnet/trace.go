package simnet

import (
	"hash/crc32"
	"net/netip"
	"time"
)

// An EventKind says what happened.
type EventKind uint8

const (
	EventSent      EventKind = iota // a host sent a datagram, or Inject did
	EventDelivered                  // a host takes a datagram
	EventLost                       // Cause says how
	EventTimeout                    // To's HandleTimeout is called
	EventAction                     // a function given to At or After is called
	EventCrashed                    // To is no longer there
	EventStarted                    // To was added or restarted
)

var eventNames = [...]string{"sent", "delivered", "lost", "timeout", "action", "crashed", "started"}

func (k EventKind) String() string { return eventNames[k] }

// An Event is what the trace hook gets. Data is valid during the call only.
type Event struct {
	At       time.Time // network time
	Kind     EventKind
	Cause    Cause          // of EventLost
	From, To netip.AddrPort // zero if there is none
	Data     []byte         // of datagrams
}

// trace condenses all that happens into a number.
type trace struct {
	hash   uint64
	events uint64
	hook   func(Event)
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func (t *trace) mix(x uint64) {
	t.hash = (t.hash ^ x) * 0x9e3779b97f4a7c15
	t.hash ^= t.hash >> 29
}

// note enters an event.
func (t *trace) note(now int64, kind EventKind, cause Cause, from, to hostRef, sum uint32) {
	t.events++
	t.mix(uint64(now))
	t.mix(uint64(kind)<<56 | uint64(cause)<<48 | uint64(sum))
	t.mix(uint64(uint32(from.index))<<32 | uint64(uint32(to.index)))
}
