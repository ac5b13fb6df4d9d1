package wire

import "net/netip"

// A ProbeFor requests an indirect probe: the receiver probes Target and answers by a ProbeResult with the same Seq:
// {"ProbeFor": [seq u64, target bin(16), addr bin(6|18)]} (PROTOCOL.md P11).
type ProbeFor struct {
	Seq    uint64
	Target NodeID
	Addr   netip.AddrPort // the address of Target according to the requester; may be [::]:0
}

// A ProbeResult is the result of an indirect probe: {"ProbeResult": [seq u64, answered u8]}. A negative one still
// shows that the probing node was reached.
type ProbeResult struct {
	Seq      uint64
	Answered bool // encoded as 1; any value except 0 is read as true
}

// AppendProbeFor appends a message with p.
func AppendProbeFor(b []byte, id MessageID, p ProbeFor) []byte {
	b = append(appendMessageHead(b, &id, "ProbeFor"), tagFixArray|3)
	b = appendUint(b, p.Seq)
	b = appendUUID(b, (*[16]byte)(&p.Target))
	return appendAddrPort(b, p.Addr)
}

// ParseProbeFor parses the Data of a KindProbeFor.
func ParseProbeFor(data []byte) (p ProbeFor, err error) {
	c := cursor{b: data}
	more := c.atLeast(3)
	p.Seq = c.uint(1<<64 - 1)
	c.uuid((*[16]byte)(&p.Target))
	p.Addr = c.packedAddrPort()
	c.skipN(more)
	return p, c.err
}

// AppendProbeResult appends a message with r.
func AppendProbeResult(b []byte, id MessageID, r ProbeResult) []byte {
	b = append(appendMessageHead(b, &id, "ProbeResult"), tagFixArray|2)
	b = appendUint(b, r.Seq)
	var answered uint64
	if r.Answered {
		answered = 1
	}
	return appendUint(b, answered)
}

// ParseProbeResult parses the Data of a KindProbeResult.
func ParseProbeResult(data []byte) (ProbeResult, error) {
	c := cursor{b: data}
	more := c.atLeast(2)
	r := ProbeResult{Seq: c.uint(1<<64 - 1), Answered: c.uint(1<<8-1) != 0}
	c.skipN(more)
	return r, c.err
}
