package stats

// Drop is the reason why something that arrived was discarded.
type Drop uint8

const (
	DropMalformed      Drop = iota // not a packet of PROTOCOL.md 1
	DropMalformedBody              // an opened box whose plaintext is not a sequence of messages
	DropUnknownSession             // a box that no session of this node opens
	DropForged                     // a box whose authenticator is wrong
	DropReplay                     // a box whose packet number was received before
	DropHandshake                  // a handshake packet refused
	DropSelf                       // a packet with this node's own id
	DropUnexpected                 // a message that its session may not carry
	DropUnknownBody                // a body of a later version
	DropOversize                   // an entry or message beyond its bound
	DropHeldOld                    // a message that found no link within its time
	DropAddress                    // a member whose address is not allowed
	DropQueueFull                  // a message for a link whose backlog is full
	DropQueueOld                   // a message that was queued for its link for too long
	DropStoreFull                  // a piece of a large message beyond the bounds of its peer or of the node
	DropIncomplete                 // a large message that did not arrive completely
	DropForgotten                  // a retransmission of a packet that is no longer in the sent log
	DropUnreachable                // a direct message to a node that did not answer
	DropVersions                   // a member whose versions are not compatible with those of the others
	DropAnnounced                  // a message that was announced but did not arrive despite requests
	DropOutrun                     // a message that did not arrive before 65,536 later ones of its origin
	DropLegacySize                 // a broadcast too large for a link with a gwyh 0.1 node
	dropReasons
)

var dropNames = [dropReasons]string{"malformed", "malformed_body", "unknown_session", "forged", "replay",
	"handshake", "self", "unexpected", "unknown_body", "oversize", "held_old", "address", "queue_full",
	"queue_old", "store_full", "incomplete", "forgotten", "unreachable",
	"versions", "announced", "outrun", "legacy_size"}

// String returns the label under which the drop is counted.
func (d Drop) String() string { return dropNames[d] }

// Drops returns all reasons, for publishing.
func Drops() []Drop {
	all := make([]Drop, dropReasons)
	for i := range all {
		all[i] = Drop(i)
	}
	return all
}
