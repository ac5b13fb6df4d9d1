package stats

// Drop is why something that arrived went no further.
type Drop uint8

const (
	DropMalformed      Drop = iota // not a packet of PROTOCOL.md 1
	DropMalformedBody              // an opened box whose plaintext is not a sequence of messages
	DropUnknownSession             // a box that no session of ours opens
	DropForged                     // a box whose authenticator is wrong
	DropReplay                     // a box whose counter was seen
	DropHandshake                  // a handshake packet refused
	DropSelf                       // a packet that carries our own id
	DropUnexpected                 // a message that its session may not carry
	DropUnknownBody                // a body of a later version
	DropOversize                   // an entry or message beyond its bound
	DropHeldOld                    // a message that found no link in its time
	DropAddress                    // a member whose address is not allowed
	DropQueueFull                  // a message for a link on which too much waits
	DropQueueOld                   // a message that waited too long for its link
	DropStoreFull                  // a piece of a large message beyond the bounds of its peer or of the node
	DropIncomplete                 // a large message that did not come whole
	DropForgotten                  // a repair of what is no longer there
	DropUnreachable                // a direct message to a node that did not answer
	DropVersions                   // a member that does not understand the others, or is not understood
	DropAnnounced                  // a message that was announced and did not come, however often asked for
	DropOutrun                     // a message that did not come before 65,536 later ones of its origin had
	DropLegacySize                 // a broadcast of more bytes than gwyh 0.1 takes, for a link with such a node
	dropReasons
)

var dropNames = [dropReasons]string{"malformed", "malformed_body", "unknown_session", "forged", "replay",
	"handshake", "self", "unexpected", "unknown_body", "oversize", "held_old", "address", "queue_full",
	"queue_old", "store_full", "incomplete", "forgotten", "unreachable",
	"versions", "announced", "outrun", "legacy_size"}

// String is the label that the drop is counted under.
func (d Drop) String() string { return dropNames[d] }

// Drops lists all reasons, for those who publish them.
func Drops() []Drop {
	all := make([]Drop, dropReasons)
	for i := range all {
		all[i] = Drop(i)
	}
	return all
}
