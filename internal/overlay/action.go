package overlay

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// An ActionKind says what an Action asks the core to do.
type ActionKind uint8

const (
	// LinkUp says that the link with Peer has begun.
	LinkUp ActionKind = iota
	// LinkDown says that the link with Peer has ended.
	LinkDown
	// Subscribe asks to send a StartSubscription to Peer, after the node's own entry, and to call [Overlay.Tick] at At.
	Subscribe
	// Confirm asks to send a SubscriptionStarted to Peer, after the node's own entry.
	Confirm
	// End asks to send an EndSubscription to Peer. It ends or refuses a subscription in either direction.
	End
	// Dial asks for a handshake with the member Member. The core calls [Overlay.SessionReady] when it has succeeded and
	// [Overlay.Avoid] when it has failed.
	Dial
	// AskSelection asks for the application's selection among all members, which is given to [Overlay.Select].
	AskSelection
	// Avoided says, for the log, that Member is not asked again for about Pause.
	Avoided
	// Chosen says, for the log, that the choice has changed.
	Chosen
)

// An Action is one thing that the core does after an input, in the order of the actions. Kind says which of the other fields are set.
type Action struct {
	Kind   ActionKind
	Peer   *Peer
	Member wire.NodeID
	At     time.Time
	Pause  time.Duration
}
