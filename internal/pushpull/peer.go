package pushpull

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/quota"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// Capabilities of a node, as its handshake carries them.
const (
	capAsksMerge = 1 << 0 // its application is asked before two clusters become one
	capJudges    = 1 << 1 // it may refuse a node that joins for more reasons than others do
)

// A Peer is what an Exchanger keeps about one peer. The owner of the peer sets the exported fields.
type Peer struct {
	ID       wire.NodeID
	Versions [6]byte // as the peer's identity says; zero if not known
	Vetoed   bool    // the peer's own entry is kept out, so it gets no link

	asksMerge, judges bool // its capabilities

	state, list *Exchange // that this node began: of states, of members
	theirs      *Exchange // that the peer began
	begun       quota.Bucket
	refused     time.Time // when the peer was last refused an exchange

	introduced bool            // its own entry has arrived since the last handshake, and it has not died since
	vote       *Vote           // about its own entry; nil for none
	approved   *members.Member // its own entry, which the application has admitted, until it is a member; nil for none
}

// SetCapabilities takes what the peer's handshake says.
func (p *Peer) SetCapabilities(bits uint32) {
	p.asksMerge, p.judges = bits&capAsksMerge != 0, bits&capJudges != 0
}

// Forget makes the peer's entry outstanding: there was a handshake, or the peer's member has died.
func (p *Peer) Forget() { p.introduced = false }

// Asked reports whether the application still decides about the peer's own entry.
func (p *Peer) Asked() bool { return p.vote != nil }

// Busy reports whether an exchange with the peer is in progress, or the application decides about it.
func (p *Peer) Busy() bool {
	exchanging := p.state != nil || p.list != nil || p.theirs != nil
	return exchanging || p.Asked()
}

// Subscribe notes that the peer has asked to subscribe while the application decides. It is answered with the verdict.
func (p *Peer) Subscribe() { p.vote.subscribes = true }

// Approved reports whether the application has already admitted an entry, when its node joined.
func (p *Peer) Approved(e *wire.Member) bool {
	return p.approved != nil && p.approved.Incarnation == e.Incarnation && SameNode(p.approved, e)
}

// slot is where an exchange that this node began with the peer stands.
func (p *Peer) slot(ofMembers bool) **Exchange {
	if ofMembers {
		return &p.list
	}
	return &p.state
}

// outstanding reports whether the entry of a peer that is not a member is on its way, or is being decided about.
func (p *Peer) outstanding(t *members.Table) bool {
	return (!p.introduced || p.vote != nil) && !t.IsLive(p.ID)
}
