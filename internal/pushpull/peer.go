package pushpull

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/quota"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// Capabilities of a node in its handshake.
const (
	capAsksMerge = 1 << 0 // its application is asked before two clusters become one
	capJudges    = 1 << 1 // it may refuse a joining node for more reasons than other nodes do
)

// A Peer is an Exchanger's state of one peer. The owner of the peer sets the exported fields.
type Peer struct {
	ID       wire.NodeID
	Versions [6]byte // from the peer's identity; zero if unknown
	Vetoed   bool    // the peer's own entry was refused, so it gets no link

	asksMerge, judges bool // its capabilities
	introduced        bool // its own entry has arrived since the last handshake, and its member has not died since

	state, list *Exchange // begun by this node: of states, of members
	theirs      *Exchange // begun by the peer
	begun       quota.Bucket
	refused     time.Time // when this node last refused an exchange of the peer

	vote     *Vote           // the question about its own entry; nil for none
	approved *members.Member // the peer's own entry as the application approved it, until it is a member; nil for none
}

// SetCapabilities sets the capabilities from the peer's handshake.
func (p *Peer) SetCapabilities(bits uint32) {
	p.asksMerge, p.judges = bits&capAsksMerge != 0, bits&capJudges != 0
}

// Forget makes the peer's own entry outstanding, because there was a handshake or the peer's member has died.
func (p *Peer) Forget() { p.introduced = false }

// Asked reports whether the application is deciding about the peer's own entry.
func (p *Peer) Asked() bool { return p.vote != nil }

// Busy reports whether an exchange with the peer is in progress or the application is deciding about it.
func (p *Peer) Busy() bool {
	exchanging := p.state != nil || p.list != nil || p.theirs != nil
	return exchanging || p.Asked()
}

// Subscribe records that the peer asked to subscribe while the application is deciding. The verdict answers the request.
func (p *Peer) Subscribe() { p.vote.subscribes = true }

// approves reports whether the application approved this entry when its node joined.
func (p *Peer) approves(e *wire.Member) bool {
	return p.approved != nil && p.approved.Incarnation == e.Incarnation && SameNode(p.approved, e)
}

// slot returns the field for an exchange that this node begins with the peer.
func (p *Peer) slot(ofMembers bool) **Exchange {
	if ofMembers {
		return &p.list
	}
	return &p.state
}

// outstanding reports whether the entry of a peer that is not a member may still arrive or is being decided about.
func (p *Peer) outstanding(t *members.Table) bool {
	return (!p.introduced || p.vote != nil) && !t.IsLive(p.ID)
}
