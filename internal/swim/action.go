package swim

import (
	"net/netip"
	"time"

	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/timer"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// A Kind says what an Action asks of the core, or tells it.
type Kind uint8

const (
	// SendPing asks to send a Ping to Peer.
	SendPing Kind = iota
	// SendNotice asks to send Peer the entry of Member and its accusations, so that a node that is suspected or taken
	// for dead can refute. The core asks MayNotify first.
	SendNotice
	// SendProbeFor asks Peer to probe a member: ProbeFor.
	SendProbeFor
	// SendProbeResult answers such a request of Peer: ProbeResult.
	SendProbeResult
	// Reach asks for a sign of life of the node ID: a Ping if there is a session, and a handshake with Addr if there is
	// none, or if Again is set because the Ping had no answer.
	Reach
	// CheckPath asks to probe the network path to Peer, which is silent.
	CheckPath
	// Watch asks to call Tick for Peer at At, unless that is due earlier.
	Watch

	// Spread asks to send the new accusations of Member along the links at once, except to Peer, which sent them. Peer is
	// nil if this node is the accuser.
	Spread
	// DeclareDead asks to remove Member, which did not refute in time, and to tell the links.
	DeclareDead
	// RemoveAlone asks to remove Member without telling anybody, because this node hears nobody.
	RemoveAlone
	// Refute asks to give this node an incarnation above Incarnation, because an entry had it as State.
	Refute
	// EndLink asks to end the link with Peer, of which one direction is dead although Member lives.
	EndLink
	// TakeCensus asks to call StartCensus, after the accusation before it was spread.
	TakeCensus
	// DropLink asks to end the link with Peer, which is silent and no member.
	DropLink

	// Suspected tells that the node By accuses Member.
	Suspected
	// NobodyHeard tells that this node has heard no other node for Age.
	NobodyHeard
	// ProbeStarted tells that this node began to probe Member, which is silent or does not hear this node.
	ProbeStarted
	// HelpersAsked tells that Count other nodes were asked to probe Member too.
	HelpersAsked
	// ProbeAnswered tells that Member answered.
	ProbeAnswered
	// ProbeVouched tells that Member answered another node that probed it.
	ProbeVouched
	// ProbeFailed tells that Member answered nobody in time.
	ProbeFailed
	// FailedTogether tells that many members failed at about the same time: Partition.
	FailedTogether
	// BackTogether tells that members that had failed together are back: Partition.
	BackTogether
)

// effects is what a part of the Detector acts by: the Detector's timers, and the actions of the input in progress.
type effects struct {
	timers *timer.Heap
	out    *[]Action
}

func (e *effects) add(a Action) { *e.out = append(*e.out, a) }

// An Action is one result of an input to a Detector. Kind says which of the other fields are set.
type Action struct {
	Kind        Kind
	Peer        *Peer
	Member      *members.Entry
	ID, By      wire.NodeID
	Addr        netip.AddrPort
	Again       bool
	State       wire.State
	Count       int
	Incarnation uint64
	At          time.Time
	Age         time.Duration
	ProbeFor    wire.ProbeFor
	ProbeResult wire.ProbeResult
	Partition   *Partition // read-only, valid until the next input
}

// A Partition is members that failed at about the same time.
type Partition struct {
	Began     time.Time // when the first of them failed
	Last      time.Time // when the last one did
	Members   int       // before it began, this node included
	Failed    int
	Back      int // of Failed
	Restarted int // of Back

	number uint16 // that its members have in their entries
	told   int    // of Failed, in the last FailedTogether
}
