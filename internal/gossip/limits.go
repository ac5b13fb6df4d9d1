package gossip

import (
	"errors"
	"fmt"
	"time"

	"github.com/gwyh-go/gwyh/internal/assembly"
	"github.com/gwyh-go/gwyh/internal/direct"
	"github.com/gwyh-go/gwyh/internal/joining"
	"github.com/gwyh-go/gwyh/internal/ping"
	"github.com/gwyh-go/gwyh/internal/pmtu"
	"github.com/gwyh-go/gwyh/internal/pushpull"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// Errors, bounds and times that several files of the package use.

// Errors of sending.
var (
	ErrQueueFull  = direct.ErrQueueFull
	ErrUnanswered = direct.ErrUnanswered
	ErrLegacy     = direct.ErrLegacy
)

// TooLargeError says that a message does not fit into what carries it.
type TooLargeError struct{ Size, Max int }

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("message of %d bytes is larger than %d", e.Size, e.Max)
}

// MessageMax is the largest message in bytes.
const MessageMax = assembly.MessageMax

// Errors of exchanges.
var (
	ErrStateTimeout = pushpull.ErrTimeout
	ErrPeerGone     = pushpull.ErrPeerGone
)

// Reasons why Joins fail because of the applications.
type (
	VetoError          = pushpull.VetoError
	VersionError       = pushpull.VersionError
	StateTooLargeError = pushpull.StateTooLargeError
)

// Why a Join fails that was not refused.
var (
	ErrJoinTimeout   = joining.ErrTimeout
	ErrJoinCancelled = joining.ErrCancelled
)

// ErrOtherName says that the node at an address goes by another name than the one asked for.
var ErrOtherName = errors.New("the node at this address has another name")

// AckPayloadMax bounds what the answer to a Ping carries, so that it fits into any datagram.
const AckPayloadMax = ping.PayloadMax

// controlMax is the most bytes of a plaintext of control that goes in pieces.
const controlMax = pmtu.Max - wire.BoxOverhead

// route is how a membership entry reached this node.
type route uint8

const (
	byNews       route = iota // along a link: this node passes it on if it is new
	byComparison              // by a comparison of tables: the neighbors compare theirs too
)

const (
	dialFor = 5 * time.Second  // how long a handshake with a member may take before the member is avoided
	wardFor = 15 * time.Second // how long a new member without a link to this node is watched
)

// meetFor is how long a contact with a node that may be there again takes at most.
const meetFor = 10 * time.Second
