// Package entries sends the entries of the member table: news along the links, and what a comparison of tables shows that a
// peer lacks.
//
// Entries owns the queue of news, the timer that sends it, and the comparisons of tables (internal/antientropy). It reads the
// member table and the failure detector's accusations. It says which entries must be refused, but never changes the
// table: its caller does that, and tells it what to spread.
//
// Reading order: entries.go (state), writer.go (packs entries into datagrams), self.go, news.go, compare.go, receive.go, admit.go
// and claims.go (which entries are refused). new.go makes an Entries; no other file uses it.
package entries

import (
	"github.com/gwyh-go/gwyh/internal/antientropy"
	"github.com/gwyh-go/gwyh/internal/delivery"
	"github.com/gwyh-go/gwyh/internal/event"
	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/outcome"
	"github.com/gwyh-go/gwyh/internal/report"
	"github.com/gwyh-go/gwyh/internal/stats"
	"github.com/gwyh-go/gwyh/internal/swim"
	"github.com/gwyh-go/gwyh/internal/timer"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// Config configures an Entries. All fields are required.
type Config struct {
	Delivery *delivery.Delivery
	Members  *members.Table
	Detector *swim.Detector // has the accusations
	Comparer antientropy.Comparer
	IDs      *wire.IDs
	Timers   *timer.Heap // timers of the node
	Events   *event.Queue
	Report   *report.Reporter
	Stats    *stats.Stats
}

// batchSize is how many entries of a message are read together, so that the member table can fetch what they are about.
const batchSize = 16

// Entries sends the entries of one node. Create it with New. It is not safe for concurrent use.
type Entries struct {
	Comparer antientropy.Comparer

	cfg      Config
	sender   *delivery.Sender // of cfg.Delivery
	news     members.News
	timer    timer.Timer // when the news is sent
	outcomes outcome.Buffer[antientropy.Outcome]
	entry    wire.Member            // scratch: one entry being written
	batch    [batchSize]wire.Member // scratch: entries being handled
}

// newID returns the id of a message of entries.
func (e *Entries) newID() wire.MessageID { return e.cfg.IDs.Control() }

func (e *Entries) drop(d stats.Drop) { e.cfg.Stats.Dropped[d]++ }
