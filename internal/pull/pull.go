// Package pull polls an application for the messages in its queue, as memberlist does, and broadcasts each new message once
// (docs/DESIGN.md, "GetBroadcasts"). It knows no members and no protocol. To read it: pull.go, pace.go, table.go,
// newcomers.go.
package pull

import (
	"bytes"
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

const (
	overhead  = 3                     // bytes per message that Get is asked to count
	pollsMax  = 3                     // maximum polls in one Interval; memberlist polls once for each of its GossipNodes
	aloneFor  = 30 * time.Second      // without a link for this time, the queue is drained and counted
	fullPause = 10 * time.Millisecond // before Send is retried after ErrFull
)

// ErrFull is returned by Send and Repeat while they have no room.
var ErrFull = errors.New("the queue is full")

// A Puller polls an application's queue. The queues of memberlist's users return the same message many times, because
// in memberlist each copy reaches only a few nodes. Here one broadcast reaches all nodes, so a message that is returned
// again is sent only to the nodes that joined since. The exported fields are set before Run; Run owns the others.
type Puller struct {
	Get      func(overhead, limit int) [][]byte // the application's GetBroadcasts; nil disables polling
	Interval time.Duration                      // between polls; zero disables polling
	Limit    int                                // bytes available to a poll
	Size     int                                // maximum bytes of the slices that are remembered
	Send     func([]byte) error                 // broadcasts a message; does not keep the slice
	Linked   func() bool                        // reports whether a broadcast would reach another node
	Warn     func(format string, args ...any)
	Asked    <-chan struct{} // contains a token while the core has a question to the application
	Answer   func()          // answers all questions

	Delivered func([]byte) bool               // reports whether every node was just sent the same bytes; nil means never
	Newcomers Newcomers                       // filled by the owner of the member table
	Repeat    func(wire.NodeID, []byte) error // sends to one node; does not keep the slice
	Chosen    func(newcomer wire.NodeID) bool // reports whether this node repeats rebroadcasts to newcomer

	Rebroadcasts atomic.Uint64 // messages not sent because every node had just been sent the same bytes

	pace    pace
	known   table
	before  map[uint64]*message // the messages of the last poll, by content
	waiting [][]byte            // messages that Send had no room for
	alone   time.Time           // since when there has been no link; zero if there is one
	drained int                 // messages dropped because there was no link
	repeats int                 // bytes of messages repeated in this poll
}

// gave holds the results of one poll.
type gave struct {
	messages int
	again    int  // number of slices that were returned before
	fresh    bool // at least one message was new
	full     bool // there was no room for another such message
}

// Run polls the application and answers questions until stop is closed.
func (p *Puller) Run(stop <-chan struct{}) {
	t := time.NewTimer(p.Interval)
	defer t.Stop()
	if p.Get == nil || p.Interval == 0 {
		t.Stop()
	}
	for {
		select {
		case <-stop:
			return
		case <-p.Asked:
			p.Answer()
		case <-t.C:
			if !p.turn(time.Now(), stop) {
				return
			}
			t.Reset(p.pause(time.Now()))
		}
	}
}

// turn polls, and repeats that while polls return new messages and are full, up to pollsMax times in an Interval. It
// returns false if stop is closed.
func (p *Puller) turn(now time.Time, stop <-chan struct{}) bool {
	for p.ready(now) && p.send() && p.pace.mayPoll(now, p.Interval) {
		g := p.poll(now)
		p.pace.note(now, &g)
		if !g.fresh || !g.full {
			return true
		}
		select {
		case <-stop:
			return false
		case <-p.Asked:
			p.Answer()
		default:
		}
	}
	return true
}

// pause returns the time until the next turn.
func (p *Puller) pause(now time.Time) time.Duration {
	if len(p.waiting) > 0 {
		return min(p.Interval, fullPause)
	}
	return p.pace.pause(now, p.Interval)
}

// ready reports whether to poll. Without a link, messages stay in the application's queue for up to aloneFor, because a
// Join may follow.
func (p *Puller) ready(now time.Time) bool {
	switch {
	case p.Linked():
		p.alone = time.Time{}
		return true
	case p.alone.IsZero():
		p.alone = now
	}
	return now.Sub(p.alone) >= aloneFor
}

// poll polls once and sends the new messages. It sends the last message first, because memberlist's receivers take the
// messages of a packet in that order.
func (p *Puller) poll(now time.Time) (g gave) {
	p.known.forget(now, p.Size)
	if p.known.recent.Len() == 0 && len(p.before) == 0 {
		p.Newcomers.forget() // the nodes that joined before a message is new need no repeat of it
	}
	p.known.polls++
	p.repeats = 0
	given := p.Get(overhead, p.Limit)
	fresh := make([]*message, 0, len(given))
	var contents map[uint64]*message
	if len(given) > 0 { // most polls of an idle node return nothing, so they allocate nothing
		contents = make(map[uint64]*message, len(given))
	}
	for _, b := range given {
		m, again := p.known.take(now, b)
		if again {
			g.again++
			p.welcome(now, m)
		} else {
			m.repeatedTo = p.Newcomers.last()
			fresh = append(fresh, m)
		}
		contents[m.hash] = m
	}
	if g.messages, g.full = len(given), p.fills(given); !g.full {
		p.known.room = p.known.polls
	}
	p.known.forget(now, p.Size)
	for _, m := range slices.Backward(fresh) { // a TransmitLimitedQueue returns the newest first
		g.fresh = p.accept(now, m) || g.fresh
	}
	p.before = contents
	p.send()
	p.keepWaiting()
	if p.drained > 0 && (!g.fresh || p.alone.IsZero()) {
		p.Warn("%d messages of GetBroadcasts dropped: no other node for %v", p.drained, aloneFor)
		p.drained = 0
	}
	return g
}

// accept queues the content of a new slice for sending and reports whether the content is new. It is not new if the
// last poll returned the same bytes in another slice: such a queue encodes its messages again for each poll.
func (p *Puller) accept(now time.Time, m *message) bool {
	if same := p.before[m.hash]; same != nil {
		m.first, m.repeatedTo, m.rebroadcast = same.first, same.repeatedTo, same.rebroadcast
		p.welcome(now, m)
		return false
	}
	switch {
	case p.Delivered != nil && p.Delivered(m.data):
		m.rebroadcast = true
		p.Rebroadcasts.Add(1)
	case !p.alone.IsZero():
		p.drained++
	default:
		p.waiting = append(p.waiting, m.data)
	}
	return true
}

// fills reports whether given leaves no room for another message as long as its longest. Then the queue may contain
// more.
func (p *Puller) fills(given [][]byte) bool {
	sum, longest := 0, 0
	for _, b := range given {
		sum += len(b) + overhead
		longest = max(longest, len(b)+overhead)
	}
	return longest > 0 && sum+longest > p.Limit
}

// send sends the waiting messages until Send has no room. It reports whether it sent all of them.
func (p *Puller) send() bool {
	for i, msg := range p.waiting {
		err := p.Send(msg)
		if errors.Is(err, ErrFull) {
			p.waiting = p.waiting[i:]
			return false
		}
		if err != nil {
			p.Warn("message of GetBroadcasts not sent: %v", err)
		}
	}
	p.waiting = nil
	return true
}

// keepWaiting copies the waiting messages, because the application may reuse its slices.
func (p *Puller) keepWaiting() {
	for i, msg := range p.waiting {
		p.waiting[i] = bytes.Clone(msg)
	}
}
