package wire

import (
	"encoding/binary"
	"math"
)

// A MembersWriter fills a message {"Members": [entry...]} with entries as long as there is room.
//
//	w := BeginMembers(b, id)
//	for ... && w.Append(&m, limit) {
//	}
//	b = w.End()
type MembersWriter struct {
	b     []byte
	start int // where the message begins in b
	count int // where the number of entries stands, 2 bytes
	n     int // entries so far
}

// BeginMembers appends the head of a message to b.
func BeginMembers(b []byte, id MessageID) MembersWriter { return beginMembers(b, id, KindMembers) }

// BeginSyncMembers is BeginMembers for entries that answer a comparison of tables, and are not to be
// flooded: {"SyncMembers": [entry...]}.
func BeginSyncMembers(b []byte, id MessageID) MembersWriter {
	return beginMembers(b, id, KindSyncMembers)
}

func beginMembers(b []byte, id MessageID, k Kind) MembersWriter {
	w := MembersWriter{start: len(b)}
	b = appendMessageHead(b, &id, kindNames[k])
	w.count = len(b) + 1
	w.b = append(b, tagArray16, 0, 0)
	return w
}

// Append adds m unless the buffer, with what stood in it before the message, would then be longer than limit.
func (w *MembersWriter) Append(m *Member, limit int) bool {
	if w.n == math.MaxUint16 || len(w.b)+m.Size() > limit {
		return false
	}
	w.b = appendMember(w.b, m)
	w.n++
	return true
}

// Len is the number of entries so far.
func (w *MembersWriter) Len() int { return w.n }

// End is the buffer with the message; without any entry, as BeginMembers found it.
func (w *MembersWriter) End() []byte {
	if w.n == 0 {
		return w.b[:w.start]
	}
	binary.BigEndian.PutUint16(w.b[w.count:], uint16(w.n))
	return w.b
}

// A MemberIter walks over the Data of a KindMembers.
//
//	it := IterMembers(data)
//	for it.Next(&m) {
//	}
//	if it.Err() != nil ...
type MemberIter struct {
	c    cursor
	left uint
}

// IterMembers begins a walk over the Data of a KindMembers or KindSyncMembers.
func IterMembers(data []byte) MemberIter {
	it := MemberIter{c: cursor{b: data}}
	it.left = it.c.arrayLen()
	return it
}

// Next overwrites m with the next entry, whose slices alias the input. Entries with a state of a
// later version are stepped over.
func (it *MemberIter) Next(m *Member) bool {
	for it.left > 0 && it.c.err == nil {
		it.left--
		if it.c.member(m) && it.c.err == nil {
			return true
		}
	}
	return false
}

// Err is nil when the entries that Next gave are all there were.
func (it *MemberIter) Err() error { return it.c.err }

// AppendIdentity appends what a node says of itself first under a new session, an alive entry: {"Identity": entry}.
func AppendIdentity(b []byte, id MessageID, m *Member) []byte {
	return appendMember(appendMessageHead(b, &id, "Identity"), m)
}

// ParseIdentity parses the Data of a KindIdentity, overwriting m, whose slices alias data.
func ParseIdentity(data []byte, m *Member) error {
	c := cursor{b: data}
	if known := c.member(m); c.err == nil && (!known || m.State != StateAlive) {
		c.fail(ErrMalformed)
	}
	return c.err
}
