package wire

// Use is what a direct message is for.
type Use uint8

const (
	UseMessage        Use = iota // the application's, unacknowledged
	UseReliable                  // the application's, acknowledged
	UsePush                      // its state; asks for an answer, as all that follow do or are
	UseAnswer                    // the state of the other side
	UseJoinPush                  // UsePush of a Join
	UseJoinAnswer                // UseAnswer of a Join
	UseRoll                      // all members of a node that joins
	UseRollAnswer                // all members of the other side, which agrees
	UseRepeat                    // a broadcast from before the receiver joined, unacknowledged
	UseLargeAnswer               // in place of any answer with a state: the size of one that is larger than a message
	UseLargePush                 // in place of UsePush: the same
	UseVeto                      // in place of UseRollAnswer: why the other side does not agree, at most ReasonMax bytes
	UseControl                   // a plaintext that does not fit into one datagram
	UseCoverage                  // asks whether the receiver has a broadcast: its id
	UseCoverageAnswer            // answers that: the id, and one byte
	uses
)

// Known reports whether u is of this version.
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

// Answer is what answers a push, unless the state of the other side is too large.
func (u Use) Answer() Use {
	if u == UseLargePush {
		return UseAnswer
	}
	return u + 1
}

// Joins reports whether u is a push of a Join, or answers one.
func (u Use) Joins() bool { return u >= UseJoinPush && u <= UseRollAnswer }

// TellsSize reports whether u carries the size of a state instead of the state.
func (u Use) TellsSize() bool { return u == UseLargeAnswer || u == UseLargePush }

// OfRoll reports whether u is part of an exchange of rolls.
func (u Use) OfRoll() bool { return u == UseRoll || u == UseRollAnswer || u == UseVeto }

// StateSizeLen is the length of the content of a message of UseLargeAnswer or UseLargePush: a big-endian number
// of bytes.
const StateSizeLen = 8

// A Direct is a piece of a message to one node alone, the whole of it when Data has Total bytes:
// {"Direct": [use u8, total u32, offset u32, data bin]}. All pieces have the id of the message.
type Direct struct {
	Use           Use
	Total, Offset uint32
	Data          []byte // aliases the input when parsed
}

// DirectOverhead is the most that AppendDirect adds to a piece.
const DirectOverhead = 1 + 18 + 1 + 7 + 1 + 2 + 5 + 5 + 5

// AppendDirect appends a message with d.
func AppendDirect(b []byte, id MessageID, d Direct) []byte {
	b = append(appendMessageHead(b, &id, "Direct"), tagFixArray|4)
	b = appendUint(b, uint64(d.Use))
	b = appendUint(b, uint64(d.Total))
	b = appendUint(b, uint64(d.Offset))
	return appendBin(b, d.Data)
}

// ParseDirect parses the Data of a KindDirect. A piece that lies outside its message is malformed.
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

// A DirectAck tells how much of a reliable message has come, without gaps from its start, and where
// what has come goes on behind the first gap. Both are the message's length when all of it has come:
// {"DirectAck": [id bin(16), upto u32, next u32]}.
type DirectAck struct {
	ID         MessageID
	Upto, Next uint32
}

// AppendDirectAck appends a message with a.
func AppendDirectAck(b []byte, id MessageID, a DirectAck) []byte {
	b = append(appendMessageHead(b, &id, "DirectAck"), tagFixArray|3)
	b = appendUUID(b, (*[16]byte)(&a.ID))
	b = appendUint(b, uint64(a.Upto))
	return appendUint(b, uint64(a.Next))
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
