package handshake

import (
	"errors"
	"fmt"
)

// A Reason says why a handshake packet was dropped. Every drop has one and changes nothing else.
type Reason uint8

// The reasons. The zero value is "accepted" and never reported.
const (
	accepted         Reason = iota
	Malformed               // not a handshake, or one without an Hmac
	OwnID                   // sent under our own node id
	TimeOff                 // the Hello's timestamp is too far from our clock
	Replayed                // the Hello's timestamp was seen, or is older than all that are remembered
	BadKey                  // no Hmac verifies under any of our keys, or their label differs
	Reflected               // an Ohai with an Hmac message that we sent
	Unbound                 // a version-8 id without an extension block
	NotGo                   // an extension block under an id that is not of version 8
	BadBlock                // a block of another role, version 0, or a broken length
	BadBinding              // the block belongs to another packet
	LegacyRefused           // a legacy peer where none is allowed
	WrongPeer               // another node answered than the one that was meant
	UnknownHandshake        // answers no handshake in progress
	OtherContent            // the ids of a handshake in progress with another content
	BadResponse             // an OkBoss that does not answer the challenge
	ZeroSecret              // a public key that makes the shared secret zero
	OverBudget              // verifications are used up for this second
	CookieWanted            // too many Hellos without a cookie: its sender was asked for one
	TooManyRepeats          // a repeat that was answered often enough
	Unexpected              // a step that this handshake does not have now
	GaveWay                 // a half-open handshake gave way to a newer one
	Returned                // a Hello of ours came back from an address that is not ours
	Reasons                 // how many there are, for arrays of counters
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
	GaveWay:          "gave way",
	Returned:         "own packet sent back",
}

// String is a few lower-case words, stable enough for the name of a counter.
func (r Reason) String() string {
	if r >= Reasons {
		return fmt.Sprintf("reason %d", uint8(r))
	}
	return reasonNames[r]
}

var (
	// ErrNoAnswer ends an attempt that heard nothing at all.
	ErrNoAnswer = errors.New("no answer")
	// ErrUnconfirmed ends an attempt whose Ohai was right, but nothing opened under the new session.
	ErrUnconfirmed = errors.New("answered, but the session was not confirmed")
)

// A RefusedError ends an attempt that was answered, but wrongly.
type RefusedError struct {
	Reason Reason // of the last answer
}

func (e *RefusedError) Error() string { return "the answer was refused: " + e.Reason.String() }
