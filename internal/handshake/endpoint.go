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

// A Host is what an Endpoint acts on. Its methods are called from inside the Endpoint's and must not
// call back into it. None may keep or change what it is handed, but for its own packet.
type Host interface {
	// SendHandshake sends h under the next count of packets to that address.
	SendHandshake(to wire.Path, h *wire.Handshake)
	// SendPacket sends a packet that Established returned, the same bytes each time.
	SendPacket(to wire.Path, packet []byte)
	// Established hands over one end of a new session. For a bound one it returns the packet that carries
	// the identity message, sealed, which the Endpoint keeps and repeats; for a legacy one nil. A legacy
	// one opens from now on, but nothing may be sealed under it until a box opened or GoTeam is called.
	Established(e *Established) (identity []byte)
	// GoTeam tells that a legacy peer ended a handshake of ours: its session may be sealed under.
	GoTeam(id wire.HandshakeID, peer wire.NodeID)
	// LegacyProbe sends an empty Frame under a legacy session that the peer began: its Nak confirms.
	LegacyProbe(to wire.Path, id wire.HandshakeID, peer wire.NodeID)
	// AttemptFailed ends an attempt whose time is up: ErrNoAnswer, ErrUnconfirmed or a *RefusedError.
	AttemptFailed(a AttemptID, err error)
	// AttemptSlow tells once that what an attempt sent takes long to be written. It returns when the attempt
	// shall end instead; zero for no change.
	AttemptSlow(a AttemptID) (until time.Time)
	// IsSelf reports whether an address is one of this node's own.
	IsSelf(addr netip.AddrPort) bool
	// ReachedSelf ends an attempt at an address of this node's own, whose Hello came back.
	ReachedSelf(a AttemptID)
	// Rejected counts a packet that was dropped.
	Rejected(from wire.Path, r Reason)
}

// An Endpoint is one node's part in all its handshakes. Owned by one goroutine.
type Endpoint struct {
	self      Self
	ring      ring
	rings     int  // how often the ring was changed
	legacy    bool // legacy peers are taken
	advertise bool // Config.ReplyToAdvertised
	unsent    func(netip.AddrPort) bool
	origin    origin
	host      Host

	clock     stampClock
	timers    timers
	budget    budget
	goIDs     ledger
	legacyIDs ledger
	half      table

	lastAttempt AttemptID
	attempts    map[AttemptID]*attempt
	pending     map[wire.HandshakeID]*pending
}

// New returns an Endpoint at rest. It does not call h.
func New(cfg Config, h Host) *Endpoint {
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
		host:      h,
		goIDs:     newLedger(ledgerGo),
		legacyIDs: newLedger(ledgerLegacy),
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
func (e *Endpoint) HandlePacket(now time.Time, from wire.Path, p *wire.Packet) {
	if why := e.handle(now, from, p); why != accepted {
		e.host.Rejected(from, why)
	}
}

func (e *Endpoint) handle(now time.Time, from wire.Path, p *wire.Packet) Reason {
	var h wire.Handshake
	if p.Kind != wire.PacketHandshake || wire.ParseHandshake(&h, p.Handshake) != nil {
		return Malformed
	}
	if p.Sender == e.self.Node {
		return e.handleOwn(&h)
	}
	switch h.Step {
	case wire.StepHello:
		return e.handleHello(now, from, p.Sender, &h)
	case wire.StepOhai:
		return e.handleOhai(now, from, p.Sender, &h)
	case wire.StepOkBoss:
		return e.handleOkBoss(now, from, p.Sender, &h)
	case wire.StepGoTeam:
		return e.handleGoTeam(p.Sender, &h)
	}
	return Unexpected
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

// HandleTimeout does what is due. Afterwards NextTimeout is later than now.
func (e *Endpoint) HandleTimeout(now time.Time) { e.timers.run(now) }

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
