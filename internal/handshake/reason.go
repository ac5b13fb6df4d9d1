package handshake

import (
	"errors"
	"fmt"
)

// A Reason says why a handshake packet was dropped. Every drop has a reason, and has no other effect.
type Reason uint8

// The reasons. The zero value means accepted and is never reported.
const (
	accepted         Reason = iota
	Malformed               // not a handshake, or one without an Hmac
	OwnID                   // sent under our own node id
	TimeOff                 // the Hello's timestamp is too far from our clock
	Replayed                // the Hello's timestamp is recorded, or older than all recorded ones
	BadKey                  // no Hmac verifies under any of our keys, or the label differs
	Reflected               // an Ohai with an Hmac message that we sent
	Unbound                 // a version-8 id without an extension block
	NotGo                   // an extension block under an id that is not of version 8
	BadBlock                // a block with the wrong role, version 0 or an invalid length
	BadBinding              // the block belongs to another packet
	LegacyRefused           // a legacy peer, but legacy peers are not admitted
	WrongPeer               // the answer came from another node than the expected one
	UnknownHandshake        // the packet belongs to no handshake in progress
	OtherContent            // the ids of a handshake in progress with other content
	BadResponse             // an OkBoss that does not answer the challenge
	ZeroSecret              // a public key that makes the shared secret zero
	OverBudget              // the verifications of this second are used up
	CookieWanted            // too many Hellos without a cookie; a cookie was sent to the source of this Hello
	TooManyRepeats          // the limit of answered repetitions is reached
	Unexpected              // a step that is not valid in the current state of the handshake
	Unfinished              // the peer began a handshake and did not answer our answer, until it ended or newer ones took its place
	Returned                // our Hello came back from an address that is not ours
	FalseID                 // an id that the sender does not prove
	Reasons                 // the number of reasons, for arrays of counters
)

var reasonNames = [Reasons]string{
	accepted:         "accepted",
	Malformed:        "malformed",
	OwnID:            "own id",
	TimeOff:          "timestamp too far off",
	Replayed:         "replayed",
	BadKey:           "wrong key or label",
	Reflected:        "reflected",
	Unbound:          "go id without extension block",
	NotGo:            "extension block under a legacy id",
	BadBlock:         "bad extension block",
	BadBinding:       "bad binding",
	LegacyRefused:    "legacy peer not allowed",
	WrongPeer:        "answered by another node",
	UnknownHandshake: "no such handshake",
	OtherContent:     "other content",
	BadResponse:      "wrong response",
	ZeroSecret:       "zero shared secret",
	OverBudget:       "over budget",
	CookieWanted:     "asked for a cookie",
	TooManyRepeats:   "repeated too often",
	Unexpected:       "unexpected step",
	Unfinished:       "not completed",
	Returned:         "own packet sent back",
	FalseID:          "id not proven",
}

// String returns a few lower-case words that are suitable for the name of a counter.
func (r Reason) String() string {
	if r >= Reasons {
		return fmt.Sprintf("reason %d", uint8(r))
	}
	return reasonNames[r]
}

var (
	// ErrNoAnswer is the error of an attempt to which no answer arrived.
	ErrNoAnswer = errors.New("no answer")
	// ErrUnconfirmed is the error of an attempt that got a valid Ohai, but no box opened under the new session.
	ErrUnconfirmed = errors.New("answered, but the session was not confirmed")
)

// A RefusedError is the error of an attempt whose answers were all rejected.
type RefusedError struct {
	Reason Reason // of the last answer
}

func (e *RefusedError) Error() string { return "the answer was refused: " + e.Reason.String() }
