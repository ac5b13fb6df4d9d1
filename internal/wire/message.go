package wire

// Kind is the kind of a Message's body (PROTOCOL.md P9).
type Kind uint8

const (
	// KindUnknown is a body of a later version, which is skipped.
	KindUnknown Kind = iota

	KindBroadcast
	KindFrame
	KindNak

	KindPeerList
	KindStartSubscription
	KindSubscriptionStarted
	KindEndSubscription
	KindHeartbeat
	KindPeers
	KindPeerStatus

	// The following kinds belong to PROTOCOL.md part 4 and are sent between Go nodes only.

	KindIdentity
	KindMembers
	KindSyncMembers
	KindSyncRoot
	KindSyncBuckets
	KindSyncWant
	KindPing
	KindAck
	KindDirect
	KindDirectAck
	KindReport
	KindCast
	KindHave
	KindWant
	KindPrune
	KindGraft
	KindStripes
	KindStop
	KindSettled
	KindProbeFor
	KindProbeResult
	KindStateRefused
	KindBeacon
	KindClock
)

// Requests reports whether a message requires its receiver to send something.
func (k Kind) Requests() bool {
	switch k {
	case KindCast, KindBeacon, KindClock, KindFrame, KindIdentity, KindAck, KindDirectAck, KindReport, KindPrune, KindGraft, KindStripes, KindStop, KindSettled, KindProbeResult:
		return false
	}
	return true
}

// kindNames are the names of the variants as they are encoded.
var kindNames = [...]string{
	KindUnknown:             "unknown",
	KindBroadcast:           "Broadcast",
	KindFrame:               "Frame",
	KindNak:                 "Nak",
	KindPeerList:            "PeerList",
	KindStartSubscription:   "StartSubscription",
	KindSubscriptionStarted: "SubscriptionStarted",
	KindEndSubscription:     "EndSubscription",
	KindHeartbeat:           "Heartbeat",
	KindPeers:               "Peers",
	KindPeerStatus:          "PeerStatus",
	KindIdentity:            "Identity",
	KindMembers:             "Members",
	KindSyncMembers:         "SyncMembers",
	KindSyncRoot:            "SyncRoot",
	KindSyncBuckets:         "SyncBuckets",
	KindSyncWant:            "SyncWant",
	KindPing:                "Ping",
	KindAck:                 "Ack",
	KindDirect:              "Direct",
	KindDirectAck:           "DirectAck",
	KindReport:              "Report",
	KindCast:                "Cast",
	KindHave:                "Have",
	KindWant:                "Want",
	KindPrune:               "Prune",
	KindGraft:               "Graft",
	KindStripes:             "Stripes",
	KindStop:                "Stop",
	KindSettled:             "Settled",
	KindProbeFor:            "ProbeFor",
	KindProbeResult:         "ProbeResult",
	KindStateRefused:        "StateRefused",
	KindBeacon:              "Beacon",
	KindClock:               "Clock",
}

// kindLast is the last kind.
const kindLast = Kind(len(kindNames) - 1)

// String returns the name of the body as it is encoded.
func (k Kind) String() string { return kindNames[k] }

// IsExtension reports whether k belongs to PROTOCOL.md part 4. Such a body is dropped in a legacy session.
func (k Kind) IsExtension() bool { return k >= KindIdentity }

// A Message is one of the messages in a box (PROTOCOL.md parts 1 and 4):
//
//	Message = [id bin(16), body]
//	 body   = {"Broadcast": data} | {"Frame": [len u32, idx u32, data]} | {"Nak": [start u32, end u32]}
//	        | {"PeerRequest": req} | {extension: value}
//	 req    = "PeerList" | "StartSubscription" | "SubscriptionStarted" | "EndSubscription" | "Heartbeat"
//	        | {"Peers": [Peer...]} | {"PeerStatus": [Peer, "Up"|"Down"]}
//	 data   = ARRAY or bin
type Message struct {
	ID   MessageID
	Kind Kind

	// Data aliases the input. For a Broadcast, a Cast, a Beacon and a Frame it is the payload. For Peers, PeerStatus and the
	// extensions it is the encoded value, which the Parse function of that name decodes.
	Data []byte

	Total, Offset uint32 // Frame: size of the whole message, and position of Data in it, in bytes
	Start, End    uint32 // Nak: [Start, End) as sent by the peer
	Delay         Delay  // Cast, Beacon
}

var (
	messageFields = fields{names: []string{"id", "body"}}
	frameFields   = fields{names: []string{"len", "idx", "data"}}
	nakFields     = fields{names: []string{"start", "end"}}
)

// ParseMessage parses the first message of b and returns the bytes after it. It overwrites all of m, and parts of
// b: an ARRAY is decoded in place. A body with an unknown name is KindUnknown. After an error m is undefined.
func ParseMessage(m *Message, b []byte) (rest []byte, err error) {
	*m = Message{}
	c := cursor{b: b}
	r := c.record(&messageFields)
	for f := r.next(&c); f >= 0; f = r.next(&c) {
		switch f {
		case 0:
			c.uuid((*[16]byte)(&m.ID))
		case 1:
			c.messageBody(m)
		}
	}
	return c.rest(), c.err
}

func (c *cursor) messageBody(m *Message) {
	name, hasValue := c.variant()
	if !hasValue { // no known body is without a value
		return
	}
	switch string(name) {
	case "Broadcast":
		m.Kind = KindBroadcast
		m.Data, _ = c.data()
	case "Frame":
		m.Kind = KindFrame
		c.frame(m)
	case "Cast":
		m.Kind = KindCast
		c.cast(m)
	case "Beacon":
		m.Kind = KindBeacon
		c.cast(m)
	case "Nak":
		m.Kind = KindNak
		c.nak(m)
	case "PeerRequest":
		c.peerRequest(m)
	default:
		m.Kind = extension(name)
		m.Data = c.raw()
	}
}

func (c *cursor) frame(m *Message) {
	r := c.record(&frameFields)
	for f := r.next(c); f >= 0; f = r.next(c) {
		switch f {
		case 0:
			m.Total = uint32(c.uint(1<<32 - 1))
		case 1:
			m.Offset = uint32(c.uint(1<<32 - 1))
		case 2:
			m.Data, _ = c.data()
		}
	}
}

func (c *cursor) cast(m *Message) {
	more := c.atLeast(2)
	m.Delay = Delay(c.uint(1<<16 - 1))
	m.Data = c.bin()
	c.skipN(more)
}

func (c *cursor) nak(m *Message) {
	r := c.record(&nakFields)
	for f := r.next(c); f >= 0; f = r.next(c) {
		switch f {
		case 0:
			m.Start = uint32(c.uint(1<<32 - 1))
		case 1:
			m.End = uint32(c.uint(1<<32 - 1))
		}
	}
}

func (c *cursor) peerRequest(m *Message) {
	name, hasValue := c.variant()
	if hasValue {
		m.Kind = lookup(name, KindPeers, KindPeerStatus)
		m.Data = c.raw()
		return
	}
	m.Kind = lookup(name, KindPeerList, KindHeartbeat)
}

func extension(name []byte) Kind { return lookup(name, KindIdentity, kindLast) }

// lookup returns the kind with the name among those from first to last, or KindUnknown (PROTOCOL.md I1, P2).
func lookup(name []byte, first, last Kind) Kind {
	for k := first; k <= last; k++ {
		if string(name) == kindNames[k] {
			return k
		}
	}
	return KindUnknown
}

// AppendBroadcast appends a message with a payload of the application.
func AppendBroadcast(b []byte, enc Encoding, id MessageID, data []byte) []byte {
	return appendBytes(appendMessageHead(b, &id, "Broadcast"), enc, data)
}

// BroadcastOverhead is the maximum number of bytes that AppendBroadcast adds to a payload in Bin.
const BroadcastOverhead = 1 + 18 + 1 + 10 + 5

// FrameOverhead is the maximum number of bytes that AppendFrame adds to a piece in Bin.
const FrameOverhead = 1 + 18 + 1 + 6 + 1 + 5 + 5 + 5

// AppendFrame appends the piece at offset of a message of total bytes.
func AppendFrame(b []byte, enc Encoding, id MessageID, total, offset uint32, data []byte) []byte {
	b = append(appendMessageHead(b, &id, "Frame"), tagFixArray|3)
	b = appendUint(appendUint(b, uint64(total)), uint64(offset))
	return appendBytes(b, enc, data)
}

// AppendNak appends a request for the content of the packet numbers [start, end).
func AppendNak(b []byte, id MessageID, start, end uint32) []byte {
	b = append(appendMessageHead(b, &id, "Nak"), tagFixArray|2)
	return appendUint(appendUint(b, uint64(start)), uint64(end))
}

// AppendRequest appends one of the five requests without a value, KindPeerList to KindHeartbeat.
func AppendRequest(b []byte, id MessageID, k Kind) []byte {
	return appendStr(appendMessageHead(b, &id, "PeerRequest"), kindNames[k])
}

func appendMessageHead(b []byte, id *MessageID, body string) []byte {
	b = appendUUID(append(b, tagFixArray|2), (*[16]byte)(id))
	return appendVariant(b, body)
}
