package handshake

import (
	"io"
	"net/netip"
	"time"

	"github.com/gwyh-go/gwyh/internal/nodeid"
	"github.com/gwyh-go/gwyh/internal/timer"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// A Config contains the parameters of an Endpoint. The Endpoint does not validate them: names, zones and keys are
// validated where users set them.
type Config struct {
	Node   wire.NodeID    // version 8
	Secret *nodeid.Secret // of Node
	Zone   wire.Zone
	// The following fields are sent in the extension block.
	Name         string         // omitted if longer than 64 bytes
	Advertise    netip.AddrPort // omitted if invalid
	MaxDatagram  uint32         // bytes
	Heartbeat    time.Duration  // whole milliseconds
	Capabilities uint32
	Incarnation  uint64
	Versions     *[6]byte // of the protocols; nil to omit them

	Keys        []Key // primary first; those after MaxKeys are ignored
	Labeled     bool  // the keys have a label, so legacy peers are not accepted
	AllowLegacy bool  // accept gwyh 0.1 nodes as peers, which cannot be made safe (PROTOCOL.md part 3)

	// ReplyToAdvertised makes the Endpoint answer a peer at the address in its block. It is for transports whose
	// datagrams have no source address that can be answered (PROTOCOL.md R1).
	ReplyToAdvertised bool

	// Unsent reports whether packets for an address wait to be written; until they are, nothing is repeated to that
	// address. It must not block. Nil means that none ever wait.
	Unsent func(netip.AddrPort) bool

	Rand      io.Reader        // must never fail
	Agreement nodeid.Agreement // nil for X25519; NoAgreement only in simulations
}

// An Endpoint runs all handshakes of one node. One goroutine owns it.
//
// An input appends its outcomes to out, which the caller owns, and returns the result, as append does. The caller
// processes them in order before the next packet or timeout, and may call the other methods meanwhile.
type Endpoint struct {
	self      Self
	ring      ring
	rings     int  // incremented by each change of the ring
	legacy    bool // legacy peers are accepted
	advertise bool // Config.ReplyToAdvertised
	unsent    func(netip.AddrPort) bool
	origin    origin
	outcomes  []Outcome      // the caller's buffer during an input; otherwise nil
	parsed    wire.Handshake // of the input in progress; its memory is reused
	wanted    wire.Handshake // the last Cookie that was sent

	clock     stampClock
	timers    timer.Heap
	budget    budget
	cookies   cookies
	goIDs     ledger
	legacyIDs ledger
	half      table

	lastAttempt AttemptID
	attempts    map[AttemptID]*attempt
	pending     map[wire.HandshakeID]*pending
}

// New returns an Endpoint without any handshake.
func New(cfg Config) *Endpoint {
	if cfg.Agreement == nil {
		cfg.Agreement = nodeid.X25519
	}
	e := &Endpoint{
		self: Self{Node: cfg.Node, Secret: cfg.Secret, Zone: cfg.Zone, Block: Block{
			Capabilities: cfg.Capabilities, Incarnation: cfg.Incarnation, MaxDatagram: cfg.MaxDatagram,
			Heartbeat: cfg.Heartbeat, Name: cfg.Name, Advertise: cfg.Advertise,
		}},
		ring:      newRing(cfg.Keys),
		legacy:    cfg.AllowLegacy && !cfg.Labeled,
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

// HandlePacket handles a handshake packet. now is wall-clock time, with which timestamps are compared. A rejected
// packet changes nothing except a counter.
func (e *Endpoint) HandlePacket(out []Outcome, now time.Time, from wire.Path, p *wire.Packet) []Outcome {
	e.begin(out)
	if why := e.handle(now, from, p); why != accepted {
		e.add(Outcome{Kind: PacketRejected, From: from, Peer: p.Sender, Reason: why})
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
	if p.ParseHandshake(h) != nil {
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
		return e.handleOkBoss(now, from, p.Sender, h)
	case wire.StepCookie:
		return e.handleCookie(now, h)
	}
	return e.handleGoTeam(p.Sender, h)
}

// Confirm reports to the Endpoint that a box opened under the session of a handshake, so that neither side repeats
// its packets any longer. Unknown handshakes are ignored.
func (e *Endpoint) Confirm(now time.Time, id wire.HandshakeID, peer wire.NodeID) {
	if p := e.pending[id]; p != nil && p.m.Answered() && p.m.peer == peer {
		e.end(p.attempt)
	}
	if x := e.half.all[halfKey{peer, id}]; x != nil && x.m.Done() {
		x.confirmed = true
	}
}

// Introduce completes this node's end of a session from the outcome SessionEstablished: it sends what follows the
// Ohai or the OkBoss, and wipes the keys in s. identity is the packet with the identity message, sealed under the
// session, or nil for a legacy session. The Endpoint keeps it and repeats it. If the handshake has ended in the
// meantime, Introduce only wipes the keys.
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

// HandleTimeout runs the first timer that is due, if there is one. The caller processes the outcomes and repeats
// the call until NextTimeout is later than now, because an outcome may cancel other timers that are due.
func (e *Endpoint) HandleTimeout(out []Outcome, now time.Time) []Outcome {
	e.begin(out)
	e.timers.RunNext(now)
	return e.take()
}

// NextTimeout returns when HandleTimeout must be called next, or zero for never.
func (e *Endpoint) NextTimeout() time.Time { return e.timers.Next() }

// SetKeys replaces the ring. Half-open handshakes under a removed key are dropped, and the next Hello of every
// attempt is made with the new ring.
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

// SetIncarnation sets the incarnation of later Hellos and Ohais.
func (e *Endpoint) SetIncarnation(n uint64) { e.self.Incarnation = n }

// SetAdvertise sets the advertised address of later Hellos and Ohais.
func (e *Endpoint) SetAdvertise(a netip.AddrPort) { e.self.Advertise = a }

// HalfOpen returns the number of handshakes begun by peers that are kept.
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

// establish adds the outcome SessionEstablished. Only here, after the packet was accepted, s moves to the heap.
func (e *Endpoint) establish(s *Established) {
	handed := *s
	s.wipe()
	e.add(Outcome{Kind: SessionEstablished, Session: &handed})
}

// replyTo returns the path on which to answer a peer that sent from the path and advertises the address.
func (e *Endpoint) replyTo(from wire.Path, advertised netip.AddrPort) wire.Path {
	if e.advertise && advertised.IsValid() {
		return wire.Path{Remote: advertised}
	}
	return from
}

// ledger returns the ledger that records the node id.
func (e *Endpoint) ledger(id wire.NodeID) *ledger {
	if id.IsGo() {
		return &e.goIDs
	}
	return &e.legacyIDs
}
