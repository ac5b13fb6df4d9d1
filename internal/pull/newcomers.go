package pull

import (
	"bytes"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// Bounds of what new members are sent.
const (
	newcomersMax = 1024                   // newcomers remembered; beyond that, the oldest is forgotten
	newcomerFor  = age                    // how long a newcomer is remembered
	settleFor    = 500 * time.Millisecond // after a join, for the newcomer's links, over which it receives new broadcasts
	heardFor     = 2 * time.Second        // nodes that join this soon get a broadcast on their links (PROTOCOL.md D4)
	repeatsMax   = 16 << 10               // bytes repeated in one poll, plus repeatCost for each message
	repeatCost   = 256
)

// Newcomers are the members that joined recently, in order. It is safe for concurrent use.
type Newcomers struct {
	mu    sync.Mutex // guards the following fields
	list  []newcomer
	count uint64 // newcomers so far; the number of the last one
}

type newcomer struct {
	id wire.NodeID
	at time.Time // when it joined
}

// Add records a member that joined.
func (n *Newcomers) Add(now time.Time, id wire.NodeID) {
	n.mu.Lock()
	defer n.mu.Unlock()
	old, _ := slices.BinarySearchFunc(n.list, now.Add(-newcomerFor), func(x newcomer, t time.Time) int { return x.at.Compare(t) })
	n.list = append(n.list[max(old, len(n.list)-newcomersMax+1):], newcomer{id: id, at: now})
	n.count++
}

// forget forgets the newcomers so far, but not their number.
func (n *Newcomers) forget() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.list = nil
}

// last returns the number of the last newcomer.
func (n *Newcomers) last() uint64 {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.count
}

// after returns the first remembered newcomer after the one with the given number, and its number.
func (n *Newcomers) after(number uint64) (next newcomer, its uint64, ok bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	its = max(number, n.count-uint64(len(n.list))) + 1
	if its > n.count {
		return newcomer{}, 0, false
	}
	return n.list[len(n.list)-1-int(n.count-its)], its, true
}

// welcome repeats a message that the application still returns to the newcomers that lack it. Repeats beyond the bounds
// are sent with the next polls.
func (p *Puller) welcome(now time.Time, m *message) {
	for {
		next, number, ok := p.Newcomers.after(m.repeatedTo)
		if !ok || now.Sub(next.at) < settleFor || p.repeats >= repeatsMax {
			return
		}
		if now.Sub(next.at) < newcomerFor && p.lacks(&next, m) {
			if err := p.Repeat(next.id, m.data); errors.Is(err, ErrFull) {
				return
			}
			p.repeats += len(m.data) + repeatCost
		}
		m.repeatedTo = number
	}
}

// lacks reports whether this node has to repeat a message to a newcomer. Many nodes return a rebroadcast, so a few of
// them suffice.
func (p *Puller) lacks(n *newcomer, m *message) bool {
	small := len(m.data) <= p.Limit
	if small && n.at.Sub(m.first) < heardFor {
		return false
	}
	return !m.rebroadcast || p.Chosen(n.id)
}

// chosenFor is the number of members that repeat a rebroadcast to a newcomer.
const chosenFor = 3

// Chosen reports whether self is one of the few members that repeat rebroadcasts to a newcomer: the members whose ids
// are nearest to the newcomer's id. All nodes with the same members choose the same.
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
