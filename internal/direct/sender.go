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

// Config is what a Sender needs of its node.
type Config struct {
	SmallMax int             // bytes of a message that goes in one datagram
	Store    *assembly.Store // for those that do not
}

// SenderStats counts what a Sender did. The fields only grow.
type SenderStats struct {
	Sent        uint64 // messages, once for each session that they were sent in
	Repeated    uint64 // broadcasts to one member
	Resent      uint64 // small messages sent again
	Unreachable uint64 // messages that nobody waits for and that found no session
}

// A Sender keeps the direct messages of this node. Make it with NewSender. The inputs append their outcomes to out, which
// the caller owns, and return it as append does. Not for concurrent use.
type Sender struct {
	Stats SenderStats

	cfg     Config
	rng     *rand.Rand
	routes  quota.Map[netip.AddrPort, *Peer]
	waiting []*Message // for a session, in the order in which they began
	awaited map[wire.MessageID]*Message
	kept    int // bytes of the large ones in awaited

	lastToken Token
	lastDial  uint64
	timers    timer.Heap
	due       *Message  // whose timer has just fired
	out       []Outcome // the caller's buffer during an input; otherwise nil
}

// NewSender makes a Sender without messages. It draws the ids of messages from rng.
func NewSender(cfg Config, rng *rand.Rand) *Sender {
	return &Sender{cfg: cfg, rng: rng, routes: quota.NewMap[netip.AddrPort, *Peer](routesMax), awaited: make(map[wire.MessageID]*Message)}
}

// NewID draws the id of a direct message. It is random: a receiver gets few messages of one sender, so a window of
// counters would forget the wrong ones.
func (x *Sender) NewID() (id wire.MessageID) {
	binary.BigEndian.PutUint64(id[:8], x.rng.Uint64())
	binary.BigEndian.PutUint64(id[8:], x.rng.Uint64())
	id[6] = id[6]&0x0f | 0x40
	return id
}

// Route returns the peer that messages to an address were last sent to; nil if none is remembered. The caller knows
// whether there still is a session with it.
func (x *Sender) Route(to netip.AddrPort) *Peer {
	p, _ := x.routes.Get(to)
	return p
}

// SetRoute remembers the peer at an address. If p is nil, the address is forgotten.
func (x *Sender) SetRoute(to netip.AddrPort, p *Peer) {
	if p == nil {
		x.routes.Delete(to)
	} else {
		x.routes.Set(to, p)
	}
}

// IsLarge reports whether a message of so many bytes goes in pieces.
func (x *Sender) IsLarge(size int) bool { return size > x.cfg.SmallMax }

// Begin begins to send data as the content of m, to p or, if p is nil, to the node with which there will be a session. It
// keeps a copy of data. The error is nil or ErrQueueFull. roundTrip is that of p.
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

// full reports whether a bound is reached, so that a message of so many bytes is not taken.
func (x *Sender) full(m *Message, size int, waits bool) bool {
	if waits && !x.mayWait(size) {
		return true
	}
	if !m.Use.Acknowledged() {
		return false
	}
	return len(x.awaited) >= AwaitedMax || x.IsLarge(size) && x.kept+size > KeptBytes
}

// keep keeps the content of a message, and the message if somebody waits for its acknowledgement. It returns false if the
// store is full.
func (x *Sender) keep(now time.Time, m *Message, data []byte) bool {
	awaited := m.Use.Acknowledged()
	if !x.IsLarge(len(data)) {
		m.Data = bytes.Clone(data)
	} else if !x.store(now, m, data, awaited) {
		return false
	}
	if awaited {
		x.awaited[m.ID] = m
	}
	return true
}

// store makes m a large message. It is needed until it is acknowledged, or handed to a peer.
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

// Enlarge makes a small message that is to be acknowledged a large one, because no datagram to its peer holds it. It
// returns false if the store is full.
func (x *Sender) Enlarge(now time.Time, m *Message) bool {
	if m.Large != nil {
		return true
	}
	if !x.store(now, m, m.Data, true) {
		return false
	}
	m.Data = nil
	return true
}

// send sends a message to a peer with whom there is a session.
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

// Awaited returns a message that waits for its acknowledgement, or for a session before that; nil for none with this id.
func (x *Sender) Awaited(id wire.MessageID) *Message { return x.awaited[id] }

// Stop ends a message that waits for its acknowledgement as if that had come. m may be nil.
func (x *Sender) Stop(out []Outcome, m *Message) []Outcome {
	if m == nil {
		return out
	}
	x.out = out
	x.end(m, nil)
	return x.take()
}

// end ends a message. Whoever waits for it is told.
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
	x.forget(m)
	x.add(Outcome{Kind: Ended, Message: m, Err: err})
}

// forget gives back what a large message holds.
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

// Len returns how many messages wait for a session, and how many for their acknowledgement. A message may be in both.
func (x *Sender) Len() (waiting, awaited int) { return len(x.waiting), len(x.awaited) }

// Kept returns the bytes of the large messages that wait for their acknowledgements.
func (x *Sender) Kept() int { return x.kept }
