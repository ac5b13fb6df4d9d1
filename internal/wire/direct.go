package wire

// A Use is the purpose of a direct message (PROTOCOL.md U1).
type Use uint8

const (
	UseMessage          Use = iota // of the application, unacknowledged
	UseReliable                    // of the application, acknowledged
	UsePush                        // state of the application; requires an answer, as the other pushes do
	UseAnswer                      // state of the answering node
	UseJoinPush                    // UsePush of a Join
	UseJoinAnswer                  // UseAnswer of a Join
	UseMemberList                  // all members of a joining node
	UseMemberListAnswer            // all members of the answering node, which accepts the join
	UseRepeat                      // a broadcast from before the receiver joined, unacknowledged
	UseLargeAnswer                 // replaces an answer whose state is larger than a message: its size
	UseLargePush                   // replaces a UsePush in the same way
	UseVeto                        // replaces UseMemberListAnswer: the reason for the rejection, at most ReasonMax bytes
	UseControl                     // a plaintext that does not fit into one datagram
	UseCoverage                    // asks whether the receiver has a broadcast, given its id
	UseCoverageAnswer              // answers UseCoverage: the id, and one byte
	uses
)

// Known reports whether this version defines u.
func (u Use) Known() bool { return u < uses }

// Exchanged reports whether u is part of an exchange: a push, or the answer to one.
func (u Use) Exchanged() bool {
	single := u == UseRepeat || u >= UseControl
	return u >= UsePush && u.Known() && !single
}

// Acknowledged reports whether the receiver acknowledges u.
func (u Use) Acknowledged() bool { return u == UseReliable || u.Exchanged() }

// IsAnswer reports whether u answers a push.
func (u Use) IsAnswer() bool { return u.Exchanged() && u%2 == 1 }

// Answer returns the use of the answer to a push, unless the state of the answering node is too large.
func (u Use) Answer() Use {
	if u == UseLargePush {
		return UseAnswer
	}
	return u + 1
}

// Joins reports whether u is a push of a Join, or answers one.
func (u Use) Joins() bool { return u >= UseJoinPush && u <= UseMemberListAnswer }

// StatesSize reports whether u carries the size of a state instead of the state.
func (u Use) StatesSize() bool { return u == UseLargeAnswer || u == UseLargePush }

// OfMemberList reports whether u is part of an exchange of member lists.
func (u Use) OfMemberList() bool {
	return u == UseMemberList || u == UseMemberListAnswer || u == UseVeto
}

// StateSizeLen is the length in bytes of the content of a UseLargeAnswer or UseLargePush, a big-endian number of
// bytes.
const StateSizeLen = 8

// A Direct is a piece of a message to one node: {"Direct": [use u8, total u32, offset u32, data bin]}. It is the
// whole message if Data has Total bytes. All pieces have the id of the message.
type Direct struct {
	Use           Use
	Total, Offset uint32
	Data          []byte // aliases the input if parsed
}

// DirectOverhead is the maximum number of bytes that AppendDirect adds to a piece.
const DirectOverhead = 1 + 18 + 1 + 7 + 1 + 2 + 5 + 5 + 5

// AppendDirect appends a message with d.
func AppendDirect(b []byte, id MessageID, d Direct) []byte {
	b = append(appendMessageHead(b, &id, "Direct"), tagFixArray|4)
	b = appendUint(appendUint(appendUint(b, uint64(d.Use)), uint64(d.Total)), uint64(d.Offset))
	return appendBin(b, d.Data)
}

// ParseDirect parses the Data of a KindDirect. A piece that exceeds its message is malformed.
func ParseDirect(data []byte) (Direct, error) {
	c := cursor{b: data}
	more := c.atLeast(4)
	d := Direct{Use: Use(c.uint(1<<8 - 1)), Total: uint32(c.uint(1<<32 - 1)), Offset: uint32(c.uint(1<<32 - 1)), Data: c.bin()}
	c.skipN(more)
	if c.err == nil && uint64(d.Offset)+uint64(len(d.Data)) > uint64(d.Total) {
		c.fail(ErrMalformed)
	}
	return d, c.err
}

// A DirectAck acknowledges part of a reliable message: {"DirectAck": [id bin(16), upto u32, next u32]}. Upto bytes
// have arrived without a gap, and the first gap ends at Next. Both are the message's length if all of it has
// arrived.
type DirectAck struct {
	ID         MessageID
	Upto, Next uint32
}

// AppendDirectAck appends a message with a.
func AppendDirectAck(b []byte, id MessageID, a DirectAck) []byte {
	b = append(appendMessageHead(b, &id, "DirectAck"), tagFixArray|3)
	b = appendUUID(b, (*[16]byte)(&a.ID))
	return appendUint(appendUint(b, uint64(a.Upto)), uint64(a.Next))
}

// ParseDirectAck parses the Data of a KindDirectAck.
func ParseDirectAck(data []byte) (a DirectAck, err error) {
	c := cursor{b: data}
	more := c.atLeast(3)
	c.uuid((*[16]byte)(&a.ID))
	a.Upto, a.Next = uint32(c.uint(1<<32-1)), uint32(c.uint(1<<32-1))
	c.skipN(more)
	return a, c.err
}
