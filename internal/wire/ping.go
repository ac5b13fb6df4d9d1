package wire

// A Ping requests an Ack with the same Seq: {"Ping": [seq u64, payload bin]}, {"Ack": [seq u64, payload bin]}. Both
// are encoded without go-msgpack, because every link is probed all the time.
type Ping struct {
	Seq     uint64
	Payload []byte // may be empty; in a Ping it is padding; aliases the input if parsed
}

// AppendPing appends a KindPing, which requests an Ack, or a KindAck, which answers the Ping with the same Seq.
func AppendPing(b []byte, k Kind, id MessageID, p Ping) []byte {
	return appendBin(appendUint(append(appendMessageHead(b, &id, kindNames[k]), tagFixArray|2), p.Seq), p.Payload)
}

// ParsePing parses the Data of a KindPing or a KindAck.
func ParsePing(data []byte) (Ping, error) {
	c := cursor{b: data}
	more := c.atLeast(2)
	p := Ping{Seq: c.uint(1<<64 - 1), Payload: c.bin()}
	c.skipN(more)
	return p, c.err
}

// A Clock tells a neighbor the time of the sender's clock, in microseconds: {"Clock": [sent u64, echo u64, held u32]}.
type Clock struct {
	Sent uint64 // when this message was sent
	Echo uint64 // Sent of the last Clock that came from the neighbor; 0: none
	Held uint32 // time since that Clock arrived
}

// AppendClock appends a message with c.
func AppendClock(b []byte, id MessageID, c Clock) []byte {
	return appendUint(appendUint(appendUint(append(appendMessageHead(b, &id, "Clock"), tagFixArray|3), c.Sent), c.Echo), uint64(c.Held))
}

// ParseClock parses the Data of a KindClock.
func ParseClock(data []byte) (Clock, error) {
	c := cursor{b: data}
	more := c.atLeast(3)
	m := Clock{Sent: c.uint(1<<64 - 1), Echo: c.uint(1<<64 - 1), Held: uint32(c.uint(1<<32 - 1))}
	c.skipN(more)
	return m, c.err
}
