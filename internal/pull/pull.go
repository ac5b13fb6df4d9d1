// Package pull asks an application for the messages that wait in its queue, as memberlist does, and tells those
// that it was handed before from new ones (docs/DESIGN.md, "GetBroadcasts").
package pull

import (
	"bytes"
	"container/list"
	"errors"
	"slices"
	"time"
	"unsafe"
)

const (
	overhead   = 3                     // bytes per message that Get is told to count
	trafficFor = time.Second           // after a poll that gave something polls are Interval apart
	restFactor = 2                     // and at rest so many times that: a wake costs what a message does
	aloneFor   = 30 * time.Second      // with no link for so long the queue is drained and counted
	age        = 30 * time.Second      // how long a slice handed out is known
	maxBytes   = 8 << 20               // how many bytes of such slices are kept
	fullPause  = 10 * time.Millisecond // before Send is tried again after ErrFull
)

// ErrFull is what Send returns while it has no room.
var ErrFull = errors.New("too much waits to be sent")

// A Puller polls an application's queue. The queues of memberlist's users hand out the same message many
// times, since there each copy reaches a few nodes only. Here one reaches all: a slice that is handed out
// again is not sent again. A slice is known by address and length, and is kept as long as that, so that
// nothing else comes to its address. What begins with a capital is set before Run; all is Run's.
type Puller struct {
	Get      func(overhead, limit int) [][]byte // the application's GetBroadcasts; nil for no polls
	Interval time.Duration                      // between polls; zero for none
	Limit    int                                // bytes of a poll
	Send     func([]byte) error                 // after ErrFull it is tried again, and Get not asked meanwhile
	Linked   func() bool                        // whether anybody would get what is sent
	Warn     func(format string, args ...any)
	Asked    <-chan struct{} // holds a token while the core asks the application something
	Answer   func()          // answers all that is asked

	known   map[slice]*list.Element // of recent
	recent  list.List               // of handedOut, renewed last at the back
	bytes   int                     // of recent
	before  [][]byte                // what the poll before gave
	waiting [][]byte                // what was given and Send had no room for
	alone   time.Time               // since when there has been no link; zero with one
	drained int                     // messages given up for want of a link
}

// slice is the identity of a message that was handed out.
type slice struct {
	first *byte
	size  int
}

type handedOut struct {
	data []byte
	at   time.Time
}

// Run polls and answers until stop is closed. It polls again at once while that brings something new.
func (p *Puller) Run(stop <-chan struct{}) {
	t := time.NewTimer(p.Interval)
	defer t.Stop()
	if p.Get == nil || p.Interval == 0 {
		t.Stop()
	}
	var traffic time.Time // when a poll last gave something
	for {
		select {
		case <-stop:
			return
		case <-p.Asked:
			p.Answer()
			continue
		case <-t.C:
		}
		now := time.Now()
		for p.ready(now) && p.send() && p.poll(now) {
			traffic = now
			select {
			case <-stop:
				return
			case <-p.Asked:
				p.Answer()
			default:
			}
		}
		switch {
		case len(p.waiting) > 0:
			t.Reset(min(p.Interval, fullPause))
		case now.Sub(traffic) < trafficFor:
			t.Reset(p.Interval)
		default:
			t.Reset(restFactor * p.Interval)
		}
	}
}

// ready reports whether to poll. Without a link the application keeps its messages, which a Join may
// yet find, but not for ever.
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

// poll asks once and sends what is new, what was given last first: so do memberlist's receivers take the
// messages of a packet. It reports whether anything was.
func (p *Puller) poll(now time.Time) (sent bool) {
	p.forget(now)
	given := p.Get(overhead, p.Limit)
	fresh := make([][]byte, 0, len(given))
	for _, msg := range given {
		if !p.renew(now, msg) {
			fresh = append(fresh, msg)
		}
	}
	for _, msg := range slices.Backward(fresh) { // a TransmitLimitedQueue gives the newest first
		p.remember(now, msg)
		if p.repeats(msg) {
			continue
		}
		sent = true
		if !p.alone.IsZero() {
			p.drained++
		} else {
			p.waiting = append(p.waiting, msg)
		}
	}
	p.send()
	p.before = given
	if p.drained > 0 && (!sent || p.alone.IsZero()) {
		p.Warn("%d messages of GetBroadcasts dropped: no other node for %v", p.drained, aloneFor)
		p.drained = 0
	}
	return sent
}

// send sends what waits, as far as there is room. It reports whether nothing waits any more.
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

// repeats reports whether the poll before gave the same bytes in another slice: a queue that makes its
// messages anew for each poll.
func (p *Puller) repeats(msg []byte) bool {
	return slices.ContainsFunc(p.before, func(b []byte) bool { return bytes.Equal(b, msg) })
}

// renew reports whether msg is a slice that is known, and keeps it known.
func (p *Puller) renew(now time.Time, msg []byte) bool {
	e := p.known[identity(msg)]
	if e == nil {
		return false
	}
	e.Value = handedOut{data: msg, at: now}
	p.recent.MoveToBack(e)
	return true
}

func (p *Puller) remember(now time.Time, msg []byte) {
	if len(msg) == 0 {
		return
	}
	if p.known == nil {
		p.known = make(map[slice]*list.Element)
	}
	p.known[identity(msg)] = p.recent.PushBack(handedOut{data: msg, at: now})
	p.bytes += len(msg)
}

// forget lets go of slices that were not handed out for long, and of the oldest when they are too
// many bytes.
func (p *Puller) forget(now time.Time) {
	for e := p.recent.Front(); e != nil; e = p.recent.Front() {
		h := e.Value.(handedOut)
		if now.Sub(h.at) < age && p.bytes <= maxBytes {
			return
		}
		p.recent.Remove(e)
		delete(p.known, identity(h.data))
		p.bytes -= len(h.data)
	}
}

func identity(msg []byte) slice { return slice{first: unsafe.SliceData(msg), size: len(msg)} }
