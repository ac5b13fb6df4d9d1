package overlay

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// An ActionKind is the kind of an Action.
type ActionKind uint8

const (
	// LinkUp reports that the link with Peer has begun.
	LinkUp ActionKind = iota
	// LinkDown reports that the link with Peer has ended.
	LinkDown
	// Subscribe asks the core to send its own entry and a StartSubscription to Peer, and to call [Overlay.Tick] at At.
	Subscribe
	// Confirm asks the core to send its own entry and a SubscriptionStarted to Peer.
	Confirm
	// End asks the core to send an EndSubscription to Peer, which ends or refuses a subscription in either direction.
	End
	// Dial asks the core to start a handshake with Member. The core calls [Overlay.SessionReady] if the handshake
	// succeeds and [Overlay.Avoid] if it fails.
	Dial
	// AskSelection asks for the application's selection among all members, which the core passes to [Overlay.Select].
	AskSelection
	// Avoided reports, for the log, that Member is left out of the choice for about Pause.
	Avoided
	// Chosen reports, for the log, that the choice has changed.
	Chosen
)

// An Action is one result of an input. The core executes them in order. Kind determines which other fields are set.
type Action struct {
	Kind   ActionKind
	Peer   *Peer
	Member wire.NodeID
	At     time.Time
	Pause  time.Duration
}
