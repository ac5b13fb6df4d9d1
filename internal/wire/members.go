package wire

import (
	"encoding/binary"
	"math"
)

// A MembersWriter appends a message {"Members": [entry...]} with as many entries as there is room for.
//
//	w := BeginMembers(b, id)
//	for ... && w.Append(&m, limit) {
//	}
//	b = w.End()
type MembersWriter struct {
	b     []byte
	start int // start of the message in b
	count int // position of the number of entries, 2 bytes
	n     int // entries so far
}

// BeginMembers appends the head of a message to b (PROTOCOL.md P6).
func BeginMembers(b []byte, id MessageID) MembersWriter { return beginMembers(b, id, KindMembers) }

// BeginSyncMembers is BeginMembers for entries that answer a comparison of tables and must not be flooded:
// {"SyncMembers": [entry...]}.
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

// Append appends m and reports true, unless the whole buffer, which may have other content, would exceed limit bytes.
func (w *MembersWriter) Append(m *Member, limit int) bool {
	if w.n == math.MaxUint16 || len(w.b)+m.Size() > limit {
		return false
	}
	w.b = AppendMember(w.b, m)
	w.n++
	return true
}

// Len returns the number of entries so far.
func (w *MembersWriter) Len() int { return w.n }

// End returns the buffer with the message. If there is no entry, it returns the buffer that BeginMembers got.
func (w *MembersWriter) End() []byte {
	if w.n == 0 {
		return w.b[:w.start]
	}
	binary.BigEndian.PutUint16(w.b[w.count:], uint16(w.n))
	return w.b
}

// A MemberIter iterates over the Data of a KindMembers or KindSyncMembers.
//
//	it := IterMembers(data)
//	for it.Next(&m) {
//	}
//	if it.Err() != nil ...
type MemberIter struct {
	c    cursor
	left uint
}

// IterMembers returns an iterator over the Data of a KindMembers or KindSyncMembers.
func IterMembers(data []byte) MemberIter {
	it := MemberIter{c: cursor{b: data}}
	it.left = it.c.arrayLen()
	return it
}

// Next overwrites m with the next entry, whose slices alias the input, and reports whether there is one. It skips
// entries with a state of a later version.
func (it *MemberIter) Next(m *Member) bool {
	for it.left > 0 && it.c.err == nil {
		it.left--
		if it.c.member(m) && it.c.err == nil {
			return true
		}
	}
	return false
}

// Err returns nil if Next has returned all entries.
func (it *MemberIter) Err() error { return it.c.err }

// AppendIdentity appends the first message of a node under a new session, its own alive entry: {"Identity": entry}.
func AppendIdentity(b []byte, id MessageID, m *Member) []byte {
	return AppendMember(appendMessageHead(b, &id, "Identity"), m)
}

// ParseIdentity parses the Data of a KindIdentity into m, overwriting all fields. Its slices alias data.
func ParseIdentity(data []byte, m *Member) error {
	c := cursor{b: data}
	if known := c.member(m); c.err == nil && (!known || m.State != StateAlive) {
		c.fail(ErrMalformed)
	}
	return c.err
}
