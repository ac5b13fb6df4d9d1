package simnet

import (
	"hash/crc32"
	"net/netip"
	"time"
)

// An EventKind is a kind of event.
type EventKind uint8

const (
	EventSent      EventKind = iota // a host sent a datagram, or Inject did
	EventDelivered                  // a host is about to handle a datagram
	EventLost                       // a datagram was lost; Cause says why
	EventTimeout                    // HandleTimeout of the host To is about to be called
	EventAction                     // a function passed to At or After is about to be called
	EventCrashed                    // the host To crashed
	EventStarted                    // the host To was added or restarted
)

var eventNames = [...]string{"sent", "delivered", "lost", "timeout", "action", "crashed", "started"}

func (k EventKind) String() string { return eventNames[k] }

// An Event is the argument of the trace hook. Data is valid only during the call.
type Event struct {
	At       time.Time // network time
	Kind     EventKind
	Cause    Cause          // of EventLost
	From, To netip.AddrPort // zero if there is none
	Data     []byte         // of datagrams
}

// trace condenses all events into a hash.
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

// note adds an event.
func (t *trace) note(now int64, kind EventKind, cause Cause, from, to hostRef, sum uint32) {
	t.events++
	t.mix(uint64(now))
	t.mix(uint64(kind)<<56 | uint64(cause)<<48 | uint64(sum))
	t.mix(uint64(uint32(from.index))<<32 | uint64(uint32(to.index)))
}
