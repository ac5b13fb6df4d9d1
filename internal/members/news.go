package members

import (
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// How long an entry waits for others: many joins at once share datagrams. While news keeps coming the wait doubles
// with each sending, because the cost of a mass start lies in the number of datagrams. Deaths, departures and
// accusations do not wait.
const (
	newsWait    = 10 * time.Millisecond
	newsWaitMax = 160 * time.Millisecond
)

// News is the entries that wait to be sent along the links, each once. Make it with NewNews.
type News struct {
	items []NewsItem
	sent  time.Time     // when news was last sent
	wait  time.Duration // until news is sent again
}

// A NewsItem is an entry that waits to be sent along the links.
type NewsItem struct {
	Member      *Entry
	From        wire.NodeID // the node that sent it to us, which need not get it; zero if it is our own, or if several sent it
	Accusations bool        // only accusations of Member are new
}

// NewNews returns an empty queue.
func NewNews() News { return News{wait: newsWait} }

// Len is the number of entries that wait.
func (n *News) Len() int { return len(n.items) }

// Add queues the entry of m. It returns when the queue should be sent: not before now, since a time in the past
// would look as if this node were late. The time is zero if the entry waits already.
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

// merge returns the item of m, which now comes from one more node.
func (n *News) merge(m *Entry, from wire.NodeID) *NewsItem {
	item := &n.items[slices.IndexFunc(n.items, func(i NewsItem) bool { return i.Member == m })]
	if item.From != from {
		item.From = wire.NodeID{}
	}
	return item
}

// Begin returns what waits, in the order in which it was queued, to be sent now. The caller calls Done when it has
// sent it.
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
