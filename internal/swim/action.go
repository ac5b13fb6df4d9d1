package swim

import (
	"net/netip"
	"time"

	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/timer"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// A Kind says what an Action asks the core to do, or what it reports to the core.
type Kind uint8

const (
	// SendPing asks the core to send a Ping to Peer.
	SendPing Kind = iota
	// SendNotice asks the core to send Peer the entry of Member and its accusations, so that a suspected or dead
	// member can refute them. The core calls MayNotify first.
	SendNotice
	// SendProbeFor asks the core to send ProbeFor to Peer, so that Peer probes a member.
	SendProbeFor
	// SendProbeResult asks the core to send ProbeResult, the answer to a ProbeFor, to Peer.
	SendProbeResult
	// Reach asks the core to make the node ID answer: by a Ping if there is a session, and by a handshake with Addr if
	// there is no session or if Again is set, because the Ping was not answered.
	Reach
	// CheckPath asks the core to probe the network path to Peer, which is silent.
	CheckPath
	// Watch asks the core to call Tick for Peer at At, unless an earlier call is due.
	Watch

	// Spread asks the core to send the new accusations of Member to all links at once, except to Peer, which sent
	// them. Peer is nil if this node is the accuser.
	Spread
	// DeclareDead asks the core to remove Member, which did not refute in time, and to report that to the links.
	DeclareDead
	// RemoveAlone asks the core to remove Member without reporting it to any node, because this node hears no node.
	RemoveAlone
	// Refute asks the core to raise this node's incarnation above Incarnation, because an entry had this node as State.
	Refute
	// EndLink asks the core to end the link with Peer, because one direction is dead although Member is alive.
	EndLink
	// TakeCensus asks the core to call StartCensus after it has sent the preceding accusation.
	TakeCensus
	// DropLink asks the core to end the link with Peer, which is silent and not a member.
	DropLink

	// Suspected reports that the node By accuses Member.
	Suspected
	// NobodyHeard reports that this node has not heard any other node for Age.
	NobodyHeard
	// ProbeStarted reports that this node began to probe Member, which is silent or does not hear this node.
	ProbeStarted
	// HelpersAsked reports that Count other nodes were asked to probe Member too.
	HelpersAsked
	// ProbeAnswered reports that Member answered.
	ProbeAnswered
	// ProbeVouched reports that Member answered another node that probed it.
	ProbeVouched
	// ProbeFailed reports that Member did not answer any node in time.
	ProbeFailed
	// FailedTogether reports that many members failed at about the same time, as Partition describes.
	FailedTogether
	// BackTogether reports that members that had failed together are back, as Partition describes.
	BackTogether
)

// effects gives a part of the Detector access to its timers and to the actions of the input in progress.
type effects struct {
	timers *timer.Heap
	out    *[]Action
}

func (e *effects) add(a Action) { *e.out = append(*e.out, a) }

// An Action is one result of an input to a Detector. Kind determines which of the other fields are set.
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

// A Partition is a group of members that failed at about the same time.
type Partition struct {
	Began     time.Time // when the first of them failed
	Last      time.Time // when the last of them failed
	Members   int       // number of members before it began, including this node
	Failed    int
	Back      int // number of Failed that are back
	Restarted int // number of Back that were restarted

	number   uint16 // Partition number in the entries of its members
	reported int    // value of Failed in the last FailedTogether
}
