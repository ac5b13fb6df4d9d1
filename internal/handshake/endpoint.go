package handshake

import (
	"io"
	"net/netip"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// A Config is what an Endpoint needs to know. The Endpoint trusts it: names, zones and keys are
// validated where users give them.
type Config struct {
	Node wire.NodeID // version 8
	Zone wire.Zone
	// What the extension block says of the node.
	Name         string         // left out above 64 bytes
	Advertise    netip.AddrPort // left out when invalid
	MaxDatagram  uint32         // bytes
	Heartbeat    time.Duration  // whole milliseconds
	Capabilities uint32
	Incarnation  uint64
	Versions     *[6]byte // of the protocols; nil to leave them out

	Keys        []Key // primary first; those above MaxKeys are ignored
	Labelled    bool  // the keys carry a label: no legacy peers then
	AllowLegacy bool  // take gwyh 0.1 nodes as peers, which cannot be made safe (PROTOCOL.md 3)

	// ReplyToAdvertised answers a peer at the address that its block advertises: for transports whose
	// datagrams do not tell one (PROTOCOL.md 4, "Session").
	ReplyToAdvertised bool

	// Unsent reports whether something waits to be written to an address, so that what was sent there before is
	// not repeated yet. It must not block. nil: never.
	Unsent func(netip.AddrPort) bool

	Rand      io.Reader // never fails
	Agreement Agreement // nil for X25519; NoAgreement only in simulations
}

// An Endpoint is one node's part in all its handshakes. Owned by one goroutine.
//
// The inputs that have outcomes append them to out, which the caller owns, and return it as append does. The caller
// works through them in their order before the next packet or timeout. In doing so it may call the other methods.
type Endpoint struct {
	self      Self
	ring      ring
	rings     int  // how often the ring was changed
	legacy    bool // legacy peers are taken
	advertise bool // Config.ReplyToAdvertised
	unsent    func(netip.AddrPort) bool
	origin    origin
	outcomes  []Outcome      // the caller's buffer during an input; otherwise nil
	parsed    wire.Handshake // of the input in progress; its memory is used again
	wanted    wire.Handshake // the last Cookie that was sent

	clock     stampClock
	timers    timers
	budget    budget
	cookies   cookies
	goIDs     ledger
	legacyIDs ledger
	half      table

	lastAttempt AttemptID
	attempts    map[AttemptID]*attempt
	pending     map[wire.HandshakeID]*pending
}

// New returns an Endpoint at rest.
func New(cfg Config) *Endpoint {
	if cfg.Agreement == nil {
		cfg.Agreement = X25519
	}
	e := &Endpoint{
		self: Self{Node: cfg.Node, Zone: cfg.Zone, Block: Block{
			Capabilities: cfg.Capabilities, Incarnation: cfg.Incarnation, MaxDatagram: cfg.MaxDatagram,
			Heartbeat: cfg.Heartbeat, Name: cfg.Name, Advertise: cfg.Advertise,
		}},
		ring:      newRing(cfg.Keys),
		legacy:    cfg.AllowLegacy && !cfg.Labelled,
		advertise: cfg.ReplyToAdvertised, unsent: cfg.Unsent,
		origin:    origin{cfg.Rand, cfg.Agreement},
		goIDs:     newLedger(ledgerGo),
		legacyIDs: newLedger(ledgerLegacy),
		cookies:   cookies{rand: cfg.Rand},
		half:      newTable(),
		attempts:  make(map[AttemptID]*attempt),
		pending:   make(map[wire.HandshakeID]*pending),
	}
	if cfg.Versions != nil {
		e.self.HasVersions, e.self.Versions = true, *cfg.Versions
	}
	return e
}

// HandlePacket takes a handshake packet. now is wall-clock time: timestamps are held against it. A packet
// that is refused changes nothing but a counter.
func (e *Endpoint) HandlePacket(out []Outcome, now time.Time, from wire.Path, p *wire.Packet) []Outcome {
	e.begin(out)
	if why := e.handle(now, from, p); why != accepted {
		e.reject(from, why)
	}
	return e.take()
}

func (e *Endpoint) handle(now time.Time, from wire.Path, p *wire.Packet) Reason {
	if p.Kind != wire.PacketHandshake {
		return Malformed
	}
	id, step, err := wire.PeekHandshake(p.Handshake)
	if err != nil {
		return Malformed
	}
	a, why := e.admit(now, from, p, id, step)
	if why != accepted {
		return why
	}
	h := &e.parsed
	if wire.ParseHandshake(h, p.Handshake) != nil {
		return Malformed
	}
	if p.Sender == e.self.Node {
		return e.handleOwn(from, h)
	}
	switch step {
	case wire.StepHello:
		return e.handleHello(now, from, p.Sender, h, &a)
	case wire.StepOhai:
		return e.handleOhai(now, from, p.Sender, h, &a)
	case wire.StepOkBoss:
		return e.handleOkBoss(from, p.Sender, h)
	case wire.StepCookie:
		return e.handleCookie(now, h)
	}
	return e.handleGoTeam(p.Sender, h)
}

// Confirm tells that a box opened under the session of a handshake: the repeats of either side end.
// Unknown handshakes are ignored.
func (e *Endpoint) Confirm(now time.Time, id wire.HandshakeID, peer wire.NodeID) {
	if p := e.pending[id]; p != nil && p.m.Answered() && p.m.peer == peer {
		e.end(p.attempt)
	}
	if x := e.half.all[halfKey{peer, id}]; x != nil && x.m.Done() {
		x.confirmed = true
	}
}

// Introduce completes this node's end of a session that SessionEstablished handed over: it sends what follows the
// Ohai or the OkBoss, and wipes the keys in s. identity is the packet with the identity message, sealed under the
// session. The Endpoint keeps and repeats it. It is nil for a legacy session. If the handshake has ended
// since, Introduce only wipes the keys.
func (e *Endpoint) Introduce(out []Outcome, now time.Time, s *Established, identity []byte) []Outcome {
	e.begin(out)
	s.wipe()
	if s.Initiator {
		e.introduceInitiator(now, s, identity)
	} else {
		e.introduceResponder(now, s, identity)
	}
	return e.take()
}

// HandleTimeout does the first thing that is due, if there is one. The caller repeats it, with the outcomes worked
// through in between, until NextTimeout is later than now: one outcome may end what else is due.
func (e *Endpoint) HandleTimeout(out []Outcome, now time.Time) []Outcome {
	e.begin(out)
	e.timers.run(now)
	return e.take()
}

// NextTimeout is when HandleTimeout is wanted next; zero for never.
func (e *Endpoint) NextTimeout() time.Time { return e.timers.next() }

// SetKeys changes the ring. What waits for an OkBoss under a key that is gone is dropped, and the next
// Hello of every attempt is made under the new ring.
func (e *Endpoint) SetKeys(keys []Key) {
	e.ring = newRing(keys)
	e.rings++
	for _, p := range []*pool{&e.half.bound, &e.half.legacy} {
		for at := p.ages.Front(); at != nil; {
			x := at.Value.(*halfOpen)
			at = at.Next()
			if !x.m.Done() && !e.ring.has(x.m.key.id) {
				e.drop(x)
			}
		}
	}
}

// SetIncarnation changes what later Hellos and Ohais say.
func (e *Endpoint) SetIncarnation(n uint64) { e.self.Incarnation = n }

// SetAdvertise changes what later Hellos and Ohais say.
func (e *Endpoint) SetAdvertise(a netip.AddrPort) { e.self.Advertise = a }

// HalfOpen is how many handshakes of peers are kept.
func (e *Endpoint) HalfOpen() (bound, legacy int) {
	return e.half.bound.ages.Len(), e.half.legacy.ages.Len()
}

// add appends an outcome of the input in progress.
func (e *Endpoint) add(o Outcome) { e.outcomes = append(e.outcomes, o) }

// begin makes out the buffer of the input in progress.
func (e *Endpoint) begin(out []Outcome) { e.outcomes = out }

// take ends the input in progress and returns the buffer with its outcomes to the caller, who owns it.
func (e *Endpoint) take() []Outcome {
	out := e.outcomes
	e.outcomes = nil
	return out
}

func (e *Endpoint) sendHandshake(to wire.Path, h *wire.Handshake) {
	e.add(Outcome{Kind: SendHandshake, To: to, Message: h})
}

func (e *Endpoint) reject(from wire.Path, why Reason) {
	e.add(Outcome{Kind: PacketRejected, From: from, Reason: why})
}

// establish hands a session over. s moves to the heap only here, after the packet that completes it was accepted.
func (e *Endpoint) establish(s *Established) {
	handed := *s
	s.wipe()
	e.add(Outcome{Kind: SessionEstablished, Session: &handed})
}

// replyTo is where a peer is answered that sent from there and advertises the address.
func (e *Endpoint) replyTo(from wire.Path, advertised netip.AddrPort) wire.Path {
	if e.advertise && advertised.IsValid() {
		return wire.Path{Remote: advertised}
	}
	return from
}

// ledger is the one that a node id is kept in.
func (e *Endpoint) ledger(id wire.NodeID) *ledger {
	if id.IsGo() {
		return &e.goIDs
	}
	return &e.legacyIDs
}
