package pushpull

import (
	"errors"
	"fmt"
)

// Errors that end an exchange and the Join that waits for it.
var (
	ErrTimeout  = errors.New("the handshake is complete, but the exchange of the applications' states did not end in time")
	ErrPeerGone = errors.New("the node does not answer")
	errRefused  = errors.New("the other node has too many exchanges in progress: try again later")

	errTooManyVersions = errors.New("its members have too many kinds of versions")
)

// A VetoError says that the other end of a Join refuses to become one cluster with this node.
type VetoError struct{ Reason string }

func (e *VetoError) Error() string { return fmt.Sprintf("the other side refuses: %q", e.Reason) }

// A StateTooLargeError ends a Join because the application's state at one end is larger than a message.
type StateTooLargeError struct {
	Size, Max int  // bytes
	Theirs    bool // the state is the other node's
}

func (e *StateTooLargeError) Error() string {
	whose := "this node's"
	if e.Theirs {
		whose = "the other node's"
	}
	return fmt.Sprintf("%s state has %d bytes, of which at most %d can be sent", whose, e.Size, e.Max)
}

// A VersionError says that two nodes use versions of the application's protocol, or of memberlist's, that they do not
// mutually understand.
type VersionError struct {
	Names    [2]string
	Versions [2][6]byte
}

func (e *VersionError) Error() string {
	return fmt.Sprintf("%q and %q do not understand each other: versions (least, greatest, spoken of the library; of the application) are %v and %v",
		e.Names[0], e.Names[1], e.Versions[0], e.Versions[1])
}

func errListTooLarge(size, limit int) error {
	return fmt.Errorf("the list of all members has %d bytes, of which at most %d can be sent", size, limit)
}
