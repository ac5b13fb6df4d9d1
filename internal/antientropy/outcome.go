package antientropy

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// A Kind is what an Outcome asks for.
type Kind uint8

const (
	SendBuckets Kind = iota // send Buckets
	SendWant                // send Want
	SendEntries             // send Entries in at most Most messages, then call Sent
	SendSelf                // send this node's own entry
	SendRoot                // send this node's root
	Wait                    // call Tick at At, or earlier
)

// An Outcome is something that the caller does for a comparison with one peer, in the order of the outcomes. What
// it points to is the caller's.
type Outcome struct {
	Kind    Kind
	Buckets wire.SyncBuckets
	Want    wire.SyncWant
	Entries []*members.Entry
	Most    int
	At      time.Time
}
