package wire

import "encoding/binary"

// Have announces messages that its sender has, or has begun to get, instead of sending them: {"Have":
// bin(20 k)}, of each the id and its bytes in all as u32.
type Have struct{ entries []byte }

// Want asks for pieces of messages: {"Want": bin(24 k)}, of each the id and [from, to) in bytes as u32.
type Want struct{ entries []byte }

// Sizes of one entry, and what the message adds to them at most.
const (
	HaveEntry      = 16 + 4
	WantEntry      = 16 + 4 + 4
	SpreadOverhead = 1 + 18 + 1 + 6 + 5
)

// Add announces one more message.
func (h *Have) Add(id *MessageID, total uint32) {
	h.entries = binary.BigEndian.AppendUint32(append(h.entries, id[:]...), total)
}

// Reset takes all entries out and keeps their memory.
func (h *Have) Reset() { h.entries = h.entries[:0] }

// Len is the number of entries.
func (h *Have) Len() int { return len(h.entries) / HaveEntry }

// At is the i-th entry.
func (h *Have) At(i int) (id MessageID, total uint32) {
	e := h.entries[i*HaveEntry:]
	return MessageID(e), binary.BigEndian.Uint32(e[16:])
}

// AppendHave appends a message with h.
func AppendHave(b []byte, id MessageID, h *Have) []byte {
	return appendBin(appendMessageHead(b, &id, "Have"), h.entries)
}

// ParseHave parses the Data of a KindHave. It aliases the input.
func ParseHave(data []byte) (Have, error) {
	entries, err := parseEntries(data, HaveEntry)
	return Have{entries}, err
}

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

// AppendPrune appends {"Prune": bin(16)}: messages need only be announced to the sender from now on, and no
// more of the given one be sent.
func AppendPrune(b []byte, id, stop MessageID) []byte {
	return appendUUID(appendMessageHead(b, &id, "Prune"), (*[16]byte)(&stop))
}

// ParsePrune parses the Data of a KindPrune.
func ParsePrune(data []byte) (stop MessageID, err error) {
	c := cursor{b: data}
	c.uuid((*[16]byte)(&stop))
	return stop, c.err
}

// AppendGraft appends {"Graft": []}: messages shall be sent to the sender in full.
func AppendGraft(b []byte, id MessageID) []byte {
	return append(appendMessageHead(b, &id, "Graft"), tagFixArray)
}
