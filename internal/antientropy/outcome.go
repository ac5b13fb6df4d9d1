package antientropy

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// A Kind says what an Outcome asks the caller to do.
type Kind uint8

const (
	SendBuckets Kind = iota // send Buckets
	SendWant                // send Want
	SendEntries             // send Entries in at most Max messages, then call Sent
	SendSelf                // send this node's own entry
	SendRoot                // send this node's root
	Wait                    // call Tick at At, or earlier
)

// An Outcome is an action for the caller in a comparison with one peer. The caller executes outcomes in order, and owns
// the memory they point to.
type Outcome struct {
	Kind    Kind
	Buckets wire.SyncBuckets
	Want    wire.SyncWant
	Entries []*members.Entry
	Max     int
	At      time.Time
}
