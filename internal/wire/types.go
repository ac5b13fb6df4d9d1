// Package wire encodes and decodes what gwyh nodes send: packets, handshakes and the messages inside a box
// (PROTOCOL.md parts 1 and 4). It holds no state, and never encrypts or judges a content. Read types.go, packet.go,
// handshake.go, message.go first. Parsers accept what gwyh 0.1 accepts and no more: structs as maps, wide integers,
// byte strings as bin or arrays. They treat all input as hostile: their cost is bounded by the input's size, not by
// declared lengths, and they fail with ErrShort or ErrMalformed. Returned slices alias the input unless the doc
// says otherwise.
package wire

import (
	"encoding/hex"
	"net/netip"
	"time"
)

// A NodeID identifies one run of one node: a UUID. Go nodes draw version 8 at every Create, gwyh 0.1 nodes version 4.
type NodeID [16]byte

// A HandshakeID identifies one handshake.
type HandshakeID [16]byte

// A MessageID identifies one message. A Go node uses an 8-byte origin id, random at each start, and a big-endian
// counter for its broadcasts. gwyh 0.1 draws UUIDs.
type MessageID [16]byte

// IsGo reports whether id is a UUID of version 8, which only Go nodes use.
func (id NodeID) IsGo() bool { return id[6]>>4 == 8 }

// String returns the usual 8-4-4-4-12 form.
func (id NodeID) String() string { return uuidString(id) }

// String returns the usual 8-4-4-4-12 form.
func (id HandshakeID) String() string { return uuidString(id) }

// String returns the usual 8-4-4-4-12 form.
func (id MessageID) String() string { return uuidString(id) }

func uuidString(id [16]byte) string {
	var b [36]byte
	hex.Encode(b[0:8], id[0:4])
	b[8] = '-'
	hex.Encode(b[9:13], id[4:6])
	b[13] = '-'
	hex.Encode(b[14:18], id[6:8])
	b[18] = '-'
	hex.Encode(b[19:23], id[8:10])
	b[23] = '-'
	hex.Encode(b[24:36], id[10:16])
	return string(b[:])
}

// An Encoding selects how byte strings inside a box and its plaintext are encoded (PROTOCOL.md W4).
type Encoding uint8

const (
	// Arrays encodes each byte as an integer, the only form that gwyh 0.1 sends.
	Arrays Encoding = iota
	// Bin encodes as MessagePack bin, the form between Go nodes.
	Bin
)

// A Zone is the optional name of a failure domain. The zero value means no zone, which is encoded differently from
// an empty name.
type Zone struct {
	Name  string
	Valid bool
}

// A Path is the path of a datagram: the peer's address and, if the transport reports it, our own address at which
// the datagram arrived, so that the answer is sent from there.
type Path struct {
	Remote netip.AddrPort
	Local  netip.Addr // invalid if unknown
}

// A Datagram is a received datagram, or one to send, with its path.
type Datagram struct {
	Path
	B []byte
}

// DelayUnit is the unit of a Delay.
const DelayUnit = 100 * time.Microsecond

// A Delay is a duration in units of 0.1 ms, at most 6.5 s. The delay of a broadcast is its travel time from the
// origin: each hop adds half of its round-trip time.
type Delay uint16

// DelayMax is the largest Delay, which also represents longer durations.
const DelayMax = 1<<16 - 1

// DelayOf converts a duration to a Delay. A negative duration becomes 0.
func DelayOf(d time.Duration) Delay { return Delay(max(0, min(d/DelayUnit, DelayMax))) }

// Duration converts the Delay to a duration.
func (d Delay) Duration() time.Duration { return time.Duration(d) * DelayUnit }
