package wire

import "encoding/binary"

// IDs generates the message ids of one run of a node. It is not safe for concurrent use (PROTOCOL.md P3).
type IDs struct {
	origin     [8]byte
	broadcasts uint64
	controls   uint64
}

// NewIDs returns the IDs of a run with the given random bytes.
func NewIDs(random [8]byte) IDs {
	random[6] = random[6]&0x0f | 0x80
	return IDs{origin: random}
}

// Origin returns the origin id of this node's broadcasts.
func (s *IDs) Origin() uint64 { return binary.BigEndian.Uint64(s.origin[:]) }

// Broadcast returns the id of the next broadcast of this node: its origin id and a counter.
func (s *IDs) Broadcast() MessageID {
	s.broadcasts++
	return s.Last()
}

// Last returns the id of the last broadcast of this node.
func (s *IDs) Last() MessageID { return BroadcastID(s.Origin(), s.broadcasts) }

// Control returns the id of a message of any other kind. Receivers ignore it.
func (s *IDs) Control() MessageID {
	s.controls++
	return BroadcastID(s.Origin()^1<<63, s.controls)
}

// Made reports whether Broadcast or Control has returned id in this run.
func (s *IDs) Made(id *MessageID) bool { return id.Origin()&^(1<<63) == s.Origin()&^(1<<63) }

// HasOrigin reports whether id begins with an origin id, as the ids of broadcasts of Go nodes do: an origin id has
// 8 in the place of a UUID's version. The ids of direct messages and of legacy nodes are random UUIDs of version 4.
func (id *MessageID) HasOrigin() bool { return id[6]>>4 == 8 }

// Origin returns the origin id of a broadcast of a Go node.
func (id *MessageID) Origin() uint64 { return binary.BigEndian.Uint64(id[:8]) }

// Counter returns the counter of a broadcast of a Go node.
func (id *MessageID) Counter() uint64 { return binary.BigEndian.Uint64(id[8:]) }

// BroadcastID returns the id of a broadcast with an origin id and a counter.
func BroadcastID(origin, counter uint64) (id MessageID) {
	binary.BigEndian.PutUint64(id[:8], origin)
	binary.BigEndian.PutUint64(id[8:], counter)
	return id
}
