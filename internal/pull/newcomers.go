package pull

import (
	"bytes"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// Bounds of what newcomers are sent.
const (
	newcomersMax = 1024                   // that are known; the oldest is forgotten
	newcomerFor  = age                    // how long one is known
	settleFor    = 500 * time.Millisecond // a newcomer is given for its links, on which it hears of what is new
	heardFor     = 2 * time.Second        // whoever joins in this time after a broadcast hears of it on its links (PROTOCOL.md D6)
	repeatsMax   = 16 << 10               // bytes repeated in one poll, each message counted with repeatCost more
	repeatCost   = 256
)

// Newcomers are the members that joined lately, in order. Safe for concurrent use.
type Newcomers struct {
	mu    sync.Mutex // guards what follows
	list  []newcomer
	count uint64 // of all there were; the number of the last
}

type newcomer struct {
	id wire.NodeID
	at time.Time // when it joined
}

// Add tells of a member that joined.
func (n *Newcomers) Add(now time.Time, id wire.NodeID) {
	n.mu.Lock()
	defer n.mu.Unlock()
	old, _ := slices.BinarySearchFunc(n.list, now.Add(-newcomerFor), func(x newcomer, t time.Time) int { return x.at.Compare(t) })
	n.list = append(n.list[max(old, len(n.list)-newcomersMax+1):], newcomer{id: id, at: now})
	n.count++
}

// last is the number of the last newcomer.
func (n *Newcomers) last() uint64 {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.count
}

// after returns the first newcomer that is known behind the one with a number, and its own number.
func (n *Newcomers) after(number uint64) (next newcomer, its uint64, ok bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	its = max(number, n.count-uint64(len(n.list))) + 1
	if its > n.count {
		return newcomer{}, 0, false
	}
	return n.list[len(n.list)-1-int(n.count-its)], its, true
}

// welcome repeats a message, which the application still hands out, to the newcomers that have not got it. What
// there is no room for follows with the next polls.
func (p *Puller) welcome(now time.Time, m *message) {
	for {
		next, number, ok := p.Newcomers.after(m.told)
		if !ok || now.Sub(next.at) < settleFor || p.repeats >= repeatsMax {
			return
		}
		if now.Sub(next.at) < newcomerFor && p.lacks(&next, m) {
			if err := p.Repeat(next.id, m.data); errors.Is(err, ErrFull) {
				return
			}
			p.repeats += len(m.data) + repeatCost
		}
		m.told = number
	}
}

// lacks reports whether it is for this node to repeat a message to a newcomer. A rebroadcast is handed out by many
// nodes, so that a few of them suffice.
func (p *Puller) lacks(n *newcomer, m *message) bool {
	small := len(m.data) <= p.Limit
	if small && n.at.Sub(m.first) < heardFor {
		return false
	}
	return !m.rebroadcast || p.Chosen(n.id)
}

// chosenFor is how many members repeat a rebroadcast to a newcomer.
const chosenFor = 3

// Chosen reports whether self is one of the few members that repeat rebroadcasts to a newcomer: those whose ids
// are nearest to its own, which is the same at all nodes.
func Chosen(self, newcomer wire.NodeID, members func(yield func(wire.NodeID) bool)) bool {
	nearer, own := 0, distance(self, newcomer)
	for id := range members {
		if d := distance(id, newcomer); id != newcomer && bytes.Compare(d[:], own[:]) < 0 {
			nearer++
		}
	}
	return nearer < chosenFor
}

func distance(a, b wire.NodeID) (d wire.NodeID) {
	for i := range d {
		d[i] = a[i] ^ b[i]
	}
	return d
}
