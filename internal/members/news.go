package members

import (
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// Times that an entry waits for further entries, so that many joins share datagrams. While news keeps arriving, the
// wait doubles with each sending, because a mass start costs mainly by its number of datagrams. Deaths, departures and
// accusations do not wait.
const (
	newsWait    = 10 * time.Millisecond
	newsWaitMax = 160 * time.Millisecond
)

// News is a queue of the entries to send along the links, each at most once. Create it with NewNews (PROTOCOL.md M6).
type News struct {
	items []NewsItem
	sent  time.Time     // when news was last sent
	wait  time.Duration // time until news is sent again
}

// A NewsItem is an entry queued for the links.
type NewsItem struct {
	Member      *Entry
	From        wire.NodeID // the node that sent it, which does not need it; zero for this node or several senders
	Accusations bool        // only accusations of Member are new
}

// NewNews returns an empty queue.
func NewNews() News { return News{wait: newsWait} }

// Len returns the number of queued entries.
func (n *News) Len() int { return len(n.items) }

// Add queues the entry of m. It returns when the queue should be sent: now or later, because a time in the past would
// look as if this node were late. It returns zero if the entry is queued already.
func (n *News) Add(now time.Time, m *Entry, from wire.NodeID) (due time.Time) {
	if m.queued {
		n.merge(m, from).Accusations = false
		return time.Time{}
	}
	n.push(NewsItem{Member: m, From: from})
	if due = n.sent.Add(n.wait); due.Before(now) {
		due = now
	}
	return due
}

// AddAccusations queues the accusations of m, which should be sent at once.
func (n *News) AddAccusations(m *Entry, from wire.NodeID) {
	if m.queued {
		n.merge(m, from)
		return
	}
	n.push(NewsItem{Member: m, From: from, Accusations: true})
}

func (n *News) push(item NewsItem) {
	item.Member.queued = true
	n.items = append(n.items, item)
}

// merge returns the queued item of m, and records one more sender.
func (n *News) merge(m *Entry, from wire.NodeID) *NewsItem {
	item := &n.items[slices.IndexFunc(n.items, func(i NewsItem) bool { return i.Member == m })]
	if item.From != from {
		item.From = wire.NodeID{}
	}
	return item
}

// Begin returns the queued items, in the order in which they were queued, to be sent now. The caller calls Done after
// sending them.
func (n *News) Begin(now time.Time) []NewsItem {
	if len(n.items) == 0 {
		return nil
	}
	if now.Sub(n.sent) > 2*n.wait {
		n.wait = newsWait
	} else {
		n.wait = min(2*n.wait, newsWaitMax)
	}
	n.sent = now
	return n.items
}

// Done empties the queue.
func (n *News) Done() {
	for _, item := range n.items {
		item.Member.queued = false
	}
	clear(n.items)
	n.items = n.items[:0]
}
