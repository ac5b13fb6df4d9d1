package gossip

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/delivery"
	"github.com/gwyh-go/gwyh/internal/direct"
)

// Errors, limits and times that several files of the package use.

// ErrQueueFull reports that a message was not accepted because of a backlog.
var ErrQueueFull = direct.ErrQueueFull

// TooLargeError reports that a message exceeds a size limit.
type TooLargeError = delivery.TooLargeError

// MessageMax is the maximum size of a message in bytes.
const MessageMax = delivery.MessageMax

// route is how a membership entry reached this node.
type route uint8

const (
	byNews       route = iota // along a link: this node passes the entry on if it is new
	byComparison              // by a comparison of tables: the neighbors compare theirs as well
)

const (
	nameHold   = 30 * time.Second // default time for which the name of a dead node is reserved for its address
	dialFor    = 5 * time.Second  // maximum time of a handshake with a member, which is avoided afterwards
	wardFor    = 15 * time.Second // how long a new member without a link to this node is monitored
	contactFor = 10 * time.Second // maximum time of a contact with a node that may have returned
)
