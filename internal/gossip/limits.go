package gossip

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/delivery"
	"github.com/gwyh-go/gwyh/internal/direct"
	"github.com/gwyh-go/gwyh/internal/joining"
	"github.com/gwyh-go/gwyh/internal/ping"
	"github.com/gwyh-go/gwyh/internal/pushpull"
)

// Errors, limits and times that several files of the package use.

// Errors of sending.
var (
	ErrQueueFull  = direct.ErrQueueFull
	ErrUnanswered = direct.ErrUnanswered
	ErrLegacy     = direct.ErrLegacy
)

// TooLargeError reports that a message exceeds a size limit.
type TooLargeError = delivery.TooLargeError

// MessageMax is the maximum size of a message in bytes.
const MessageMax = delivery.MessageMax

// Errors of exchanges.
var (
	ErrStateTimeout = pushpull.ErrTimeout
	ErrPeerGone     = pushpull.ErrPeerGone
)

// Reasons for which an application refuses a Join.
type (
	VetoError          = pushpull.VetoError
	VersionError       = pushpull.VersionError
	StateTooLargeError = pushpull.StateTooLargeError
)

// Errors of Joins that were not refused.
var (
	ErrJoinTimeout  = joining.ErrTimeout
	ErrJoinCanceled = joining.ErrCanceled
)

// ErrOtherName reports that the node at an address does not have the requested name.
var ErrOtherName = delivery.ErrOtherName

// AckPayloadMax is the maximum payload of the answer to a Ping in bytes, so that the answer fits into any datagram.
const AckPayloadMax = ping.PayloadMax

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
