package wire

import "encoding/binary"

// CastOverhead is the maximum number of bytes that AppendCast adds to a payload.
const CastOverhead = 1 + 18 + 1 + 5 + 1 + 3 + 5

// AppendCast appends a broadcast, a KindCast or a KindBeacon: {"Cast": [delay u16, data bin]}. delay is the sender's.
func AppendCast(b []byte, k Kind, id MessageID, delay Delay, data []byte) []byte {
	b = append(appendMessageHead(b, &id, kindNames[k]), tagFixArray|2)
	return appendBin(appendUint(b, uint64(delay)), data)
}

// Want requests pieces of messages: {"Want": bin(24 k)}, for each piece the id and its range [from, to) in bytes as u32.
type Want struct{ entryList }

// Stripes is a list of large messages: {"Stripes": bin(17 k)}, for each of them its id and which stripes of it and of the
// later messages of its origin the sender takes from the receiver.
type Stripes struct{ entryList }

// Steer is a list of origins: {"Prune": bin(9 k)} requests no more full copies of their messages, and the byte of
// an origin is 1 to request early announcements; {"Graft": bin(9 k)} requests full copies, and the byte is 0.
type Steer struct{ entryList }

// An entryList is the content of a message whose entries all have one size.
type entryList struct{ entries []byte }

// Reset removes all entries and keeps their memory.
func (l *entryList) Reset() { l.entries = l.entries[:0] }

// Bytes returns the encoded entries, which alias the list.
func (l *entryList) Bytes() []byte { return l.entries }

// The size of one entry, and the maximum number of bytes that the message adds to the entries.
const (
	WantEntry      = 16 + 4 + 4
	SteerEntry     = 8 + 1
	StripesEntry   = 16 + 1
	SpreadOverhead = 1 + 18 + 1 + 8 + 5
)

// AppendList appends a KindHave, whose content package digest encodes, a KindWant, KindPrune, KindGraft or KindStripes:
// the Bytes of a list.
func AppendList(b []byte, k Kind, id MessageID, entries []byte) []byte {
	return appendBin(appendMessageHead(b, &id, kindNames[k]), entries)
}

// ParseHave parses the Data of a KindHave. The result aliases the input.
func ParseHave(data []byte) (digests []byte, err error) { return parseEntries(data, 1) }

// Add adds a request for the bytes [from, to) of a message.
func (w *Want) Add(id *MessageID, from, to uint32) {
	w.entries = binary.BigEndian.AppendUint32(append(w.entries, id[:]...), from)
	w.entries = binary.BigEndian.AppendUint32(w.entries, to)
}

// Len returns the number of entries.
func (w *Want) Len() int { return len(w.entries) / WantEntry }

// At returns the i-th entry, as sent by the peer.
func (w *Want) At(i int) (id MessageID, from, to uint32) {
	e := w.entries[i*WantEntry:]
	return MessageID(e), binary.BigEndian.Uint32(e[16:]), binary.BigEndian.Uint32(e[20:])
}

// ParseWant parses the Data of a KindWant. The result aliases the input.
func ParseWant(data []byte) (Want, error) {
	entries, err := parseEntries(data, WantEntry)
	return Want{entryList{entries}}, err
}

func parseEntries(data []byte, size int) ([]byte, error) {
	c := cursor{b: data}
	entries := c.bin()
	if c.err == nil && len(entries)%size != 0 {
		c.fail(ErrMalformed)
	}
	return entries, c.err
}

// Add adds an origin. soon is for a Prune.
func (s *Steer) Add(origin uint64, soon bool) {
	var flag byte
	if soon {
		flag = 1
	}
	s.entries = append(binary.BigEndian.AppendUint64(s.entries, origin), flag)
}

// Len returns the number of entries.
func (s *Steer) Len() int { return len(s.entries) / SteerEntry }

// At returns the i-th entry.
func (s *Steer) At(i int) (origin uint64, soon bool) {
	e := s.entries[i*SteerEntry:]
	return binary.BigEndian.Uint64(e), e[8]&1 != 0
}

// ParseSteer parses the Data of a KindPrune or a KindGraft. The result aliases the input.
func ParseSteer(data []byte) (Steer, error) {
	entries, err := parseEntries(data, SteerEntry)
	return Steer{entryList{entries}}, err
}

// Add adds a message. stripes is a set of bits (docs/PROTOCOL.md, P9).
func (s *Stripes) Add(id *MessageID, stripes byte) {
	s.entries = append(append(s.entries, id[:]...), stripes)
}

// Len returns the number of entries.
func (s *Stripes) Len() int { return len(s.entries) / StripesEntry }

// At returns the i-th entry, as sent by the peer.
func (s *Stripes) At(i int) (id MessageID, stripes byte) {
	e := s.entries[i*StripesEntry:]
	return MessageID(e), e[16]
}

// ParseStripes parses the Data of a KindStripes. The result aliases the input.
func ParseStripes(data []byte) (Stripes, error) {
	entries, err := parseEntries(data, StripesEntry)
	return Stripes{entryList{entries}}, err
}

// AppendStop appends {"Stop": bin(16)}: the receiver need not send more of a large message.
func AppendStop(b []byte, id, stop MessageID) []byte {
	return appendUUID(appendMessageHead(b, &id, "Stop"), (*[16]byte)(&stop))
}

// ParseStop parses the Data of a KindStop.
func ParseStop(data []byte) (stop MessageID, err error) {
	c := cursor{b: data}
	c.uuid((*[16]byte)(&stop))
	return stop, c.err
}
