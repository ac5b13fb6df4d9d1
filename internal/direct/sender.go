package direct

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/assembly"
	"github.com/gwyh-go/gwyh/internal/quota"
	"github.com/gwyh-go/gwyh/internal/timer"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// Config configures a Sender.
type Config struct {
	SmallMax int             // maximum bytes of a message that is sent in one datagram
	Store    *assembly.Store // holds larger messages
}

// SenderStats counts what a Sender did. Every field only increases.
type SenderStats struct {
	Sent        uint64 // messages, counted once for each session they were sent in
	Repeated    uint64 // broadcasts repeated to one member
	Resent      uint64 // small messages retransmitted
	Unreachable uint64 // unacknowledged messages that found no session
}

// A Sender holds the direct messages of this node. Create one with NewSender. The inputs append their outcomes to out,
// which the caller owns, and return the result. A Sender is not safe for concurrent use.
type Sender struct {
	Stats SenderStats

	cfg     Config
	rng     *rand.Rand
	routes  quota.Map[netip.AddrPort, *Peer]
	waiting []*Message // waiting for a session, in the order in which they began
	awaited map[wire.MessageID]*Message
	kept    int // bytes of the large messages in awaited
	small   int // bytes of the small ones

	lastToken Token
	lastDial  uint64
	timers    timer.Heap
	due       *Message  // the message whose timer has just fired
	out       []Outcome // the caller's buffer during an input, otherwise nil
}

// NewSender returns a Sender without messages. It generates message ids with rng.
func NewSender(cfg Config, rng *rand.Rand) *Sender {
	return &Sender{cfg: cfg, rng: rng, routes: quota.NewMap[netip.AddrPort, *Peer](routesMax), awaited: make(map[wire.MessageID]*Message)}
}

// NewID returns a new id for a direct message. It is random, because a receiver gets few of a sender's messages and a
// window of counters would therefore forget the wrong ones.
func (x *Sender) NewID() (id wire.MessageID) {
	binary.BigEndian.PutUint64(id[:8], x.rng.Uint64())
	binary.BigEndian.PutUint64(id[8:], x.rng.Uint64())
	id[6] = id[6]&0x0f | 0x40
	return id
}

// Route returns the peer that messages to an address were last sent to, or nil if none is remembered. The caller knows
// whether there is still a session with it.
func (x *Sender) Route(to netip.AddrPort) *Peer {
	p, _ := x.routes.Get(to)
	return p
}

// SetRoute remembers the peer at an address. A nil p removes the address.
func (x *Sender) SetRoute(to netip.AddrPort, p *Peer) {
	if p == nil {
		x.routes.Delete(to)
	} else {
		x.routes.Set(to, p)
	}
}

// IsLarge reports whether a message of size bytes is sent in pieces.
func (x *Sender) IsLarge(size int) bool { return size > x.cfg.SmallMax }

// Begin begins to send a copy of data as the content of m, to p or, if p is nil, to the node at m.To once there is a
// session. roundTrip is the round-trip time of p. The error is nil or ErrQueueFull.
func (x *Sender) Begin(out []Outcome, now time.Time, m *Message, data []byte, p *Peer, roundTrip time.Duration) ([]Outcome, error) {
	if x.full(m, len(data), p == nil) || !x.keep(now, m, data) {
		return out, ErrQueueFull
	}
	if m.Use == wire.UseReliable {
		x.lastToken++
		m.token = x.lastToken
	}
	if m.Use == wire.UseRepeat {
		x.Stats.Repeated++
	}
	x.out = out
	if p == nil {
		x.wait(m)
	} else {
		x.send(now, m, p, roundTrip)
	}
	return x.take(), nil
}

// full reports whether a bound prevents this node from accepting a message of size bytes.
func (x *Sender) full(m *Message, size int, waits bool) bool {
	if waits && !x.mayWait(size) {
		return true
	}
	if !m.Use.Acknowledged() {
		return false
	}
	if x.IsLarge(size) {
		return len(x.awaited) >= AwaitedMax || x.kept+size > KeptBytes
	}
	return len(x.awaited) >= AwaitedMax || x.small+size > SmallBytes
}

// keep stores the content of a message, and the message itself if it will be acknowledged. It returns false if the store
// is full.
func (x *Sender) keep(now time.Time, m *Message, data []byte) bool {
	awaited := m.Use.Acknowledged()
	if !x.IsLarge(len(data)) {
		m.Data = bytes.Clone(data)
		if awaited {
			x.small += len(data)
		}
	} else if !x.store(now, m, data, awaited) {
		return false
	}
	if awaited {
		x.awaited[m.ID] = m
	}
	return true
}

// store makes m a large message. Its bytes are kept until it is acknowledged or passed to a peer.
func (x *Sender) store(now time.Time, m *Message, data []byte, awaited bool) bool {
	a := x.cfg.Store.Add(now, m.ID, data, true)
	if a == nil {
		return false
	}
	a.Use = m.Use
	a.Pending++
	if awaited {
		a.Kept = true
		x.kept += len(data)
	}
	m.Large = a
	return true
}

// Enlarge turns a small message that will be acknowledged into a large one, because no datagram to its peer can hold it.
// It returns false if the store is full.
func (x *Sender) Enlarge(now time.Time, m *Message) bool {
	if m.Large != nil {
		return true
	}
	if !x.store(now, m, m.Data, true) {
		return false
	}
	x.small -= len(m.Data)
	m.Data = nil
	return true
}

// send sends a message to a peer with a session.
func (x *Sender) send(now time.Time, m *Message, p *Peer, roundTrip time.Duration) {
	m.peer = p
	x.Stats.Sent++
	x.add(Outcome{Kind: Send, Message: m, Peer: p})
	if !m.Use.Acknowledged() {
		x.end(m, nil)
		return
	}
	m.pause = max(4*roundTrip, repeatMin)
	x.repeatLater(now, m)
}

// Awaited returns the message with this id that waits for its acknowledgement or for a session before that, or nil.
func (x *Sender) Awaited(id wire.MessageID) *Message { return x.awaited[id] }

// Stop ends a message as if it had been acknowledged. m may be nil.
func (x *Sender) Stop(out []Outcome, m *Message) []Outcome {
	if m == nil {
		return out
	}
	x.out = out
	x.end(m, nil)
	return x.take()
}

// end ends a message. If it is of an acknowledged use, it adds an Ended outcome.
func (x *Sender) end(m *Message, err error) {
	x.timers.Stop(&m.timer)
	x.waiting = slices.DeleteFunc(x.waiting, func(o *Message) bool { return o == m })
	if m.Large != nil {
		m.Large.Pending--
	}
	if !m.Use.Acknowledged() {
		if err != nil {
			x.Stats.Unreachable++
			x.forget(m)
		}
		return
	}
	delete(x.awaited, m.ID)
	x.small -= len(m.Data)
	x.forget(m)
	x.add(Outcome{Kind: Ended, Message: m, Err: err})
}

// forget releases the memory of a large message.
func (x *Sender) forget(m *Message) {
	if m.Large == nil {
		return
	}
	if m.Large.Kept {
		x.kept -= int(m.Large.Total)
	}
	if m.peer != nil {
		x.add(Outcome{Kind: EndTransfer, Message: m, Peer: m.peer})
	}
	x.cfg.Store.Remove(m.Large)
}

// Len returns the numbers of messages that wait for a session and for an acknowledgement. A message may count in both.
func (x *Sender) Len() (waiting, awaited int) { return len(x.waiting), len(x.awaited) }

// Kept returns the number of bytes of large messages that wait for their acknowledgements.
func (x *Sender) Kept() int { return x.kept }
