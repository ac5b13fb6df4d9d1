package wire

import "encoding/binary"

// CastOverhead is the most that AppendCast adds to a payload.
const CastOverhead = 1 + 18 + 1 + 5 + 1 + 3 + 5

// AppendCast appends a broadcast between Go nodes: {"Cast": [delay u16, data bin]}. delay is the sender's own.
func AppendCast(b []byte, id MessageID, delay Delay, data []byte) []byte {
	b = append(appendMessageHead(b, &id, "Cast"), tagFixArray|2)
	return appendBin(appendUint(b, uint64(delay)), data)
}

// Want asks for pieces of messages: {"Want": bin(24 k)}, of each the id and [from, to) in bytes as u32.
type Want struct{ entries []byte }

// AllLarge stands in a Steer for the large messages of all origins. It is no origin id.
const AllLarge = 0

// Steer names origins: {"Prune": bin(9 k)} asks to send no full copies of their messages, with a byte that is 1 if they
// are to be announced soon; {"Graft": bin(9 k)} asks for full copies, and the byte is 0.
type Steer struct{ entries []byte }

// Sizes of one entry, and what the message adds to them at most.
const (
	WantEntry      = 16 + 4 + 4
	SteerEntry     = 8 + 1
	SpreadOverhead = 1 + 18 + 1 + 6 + 5
)

// AppendHave appends {"Have": bin}: digests, which package digest encodes.
func AppendHave(b []byte, id MessageID, digests []byte) []byte {
	return appendBin(appendMessageHead(b, &id, "Have"), digests)
}

// ParseHave parses the Data of a KindHave. It aliases the input.
func ParseHave(data []byte) (digests []byte, err error) { return parseEntries(data, 1) }

// Add asks for the bytes [from, to) of one more message.
func (w *Want) Add(id *MessageID, from, to uint32) {
	w.entries = binary.BigEndian.AppendUint32(append(w.entries, id[:]...), from)
	w.entries = binary.BigEndian.AppendUint32(w.entries, to)
}

// Reset takes all entries out and keeps their memory.
func (w *Want) Reset() { w.entries = w.entries[:0] }

// Len is the number of entries.
func (w *Want) Len() int { return len(w.entries) / WantEntry }

// At is the i-th entry, as the peer wrote it.
func (w *Want) At(i int) (id MessageID, from, to uint32) {
	e := w.entries[i*WantEntry:]
	return MessageID(e), binary.BigEndian.Uint32(e[16:]), binary.BigEndian.Uint32(e[20:])
}

// AppendWant appends a message with w.
func AppendWant(b []byte, id MessageID, w *Want) []byte {
	return appendBin(appendMessageHead(b, &id, "Want"), w.entries)
}

// ParseWant parses the Data of a KindWant. It aliases the input.
func ParseWant(data []byte) (Want, error) {
	entries, err := parseEntries(data, WantEntry)
	return Want{entries}, err
}

func parseEntries(data []byte, size int) ([]byte, error) {
	c := cursor{b: data}
	entries := c.bin()
	if c.err == nil && len(entries)%size != 0 {
		c.fail(ErrMalformed)
	}
	return entries, c.err
}

// Add names one more origin. soon is for a Prune.
func (s *Steer) Add(origin uint64, soon bool) {
	var flag byte
	if soon {
		flag = 1
	}
	s.entries = append(binary.BigEndian.AppendUint64(s.entries, origin), flag)
}

// Reset takes all entries out and keeps their memory.
func (s *Steer) Reset() { s.entries = s.entries[:0] }

// Len is the number of entries.
func (s *Steer) Len() int { return len(s.entries) / SteerEntry }

// At is the i-th entry.
func (s *Steer) At(i int) (origin uint64, soon bool) {
	e := s.entries[i*SteerEntry:]
	return binary.BigEndian.Uint64(e), e[8]&1 != 0
}

// AppendPrune appends a message that asks for no full copies of the messages of the origins.
func AppendPrune(b []byte, id MessageID, s *Steer) []byte {
	return appendBin(appendMessageHead(b, &id, "Prune"), s.entries)
}

// AppendGraft appends a message that asks for full copies of the messages of the origins.
func AppendGraft(b []byte, id MessageID, s *Steer) []byte {
	return appendBin(appendMessageHead(b, &id, "Graft"), s.entries)
}

// ParseSteer parses the Data of a KindPrune or a KindGraft. It aliases the input.
func ParseSteer(data []byte) (Steer, error) {
	entries, err := parseEntries(data, SteerEntry)
	return Steer{entries}, err
}

// AppendStop appends {"Stop": bin(16)}: no more of a large message need be sent.
func AppendStop(b []byte, id, stop MessageID) []byte {
	return appendUUID(appendMessageHead(b, &id, "Stop"), (*[16]byte)(&stop))
}

// ParseStop parses the Data of a KindStop.
func ParseStop(data []byte) (stop MessageID, err error) {
	c := cursor{b: data}
	c.uuid((*[16]byte)(&stop))
	return stop, c.err
}
