package broadcast

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// Times and bounds of requests (docs/PROTOCOL.md, "Announcements").
const (
	requestsMax = AnnouncedMax          // messages of which it is known of whom they were requested
	openMax     = 128                   // messages requested of one neighbor at once: half of what it may begin to send
	triesMax    = 5                     // requests for one announcement
	rangesMax   = 32                    // missing ranges of one message that are requested at once
	pauseMax    = 10 * time.Second      // after a request, at most
	graceMin    = 10 * time.Millisecond // beyond a round trip, for the scheduling of either end
	graceMax    = 40 * time.Millisecond
	graceCalm   = 4 // times the grace without a request made too early, before it is halved
)

// request is of whom a message was last requested, and when.
type request struct {
	at time.Time
	of *Neighbor
}

// requests are the messages that were announced, did not come and were requested.
type requests struct {
	byID map[wire.MessageID]request
}

// put notes that a message is requested of n. If the table is full, it forgets all requests, so that some are made
// again too early.
func (r *requests) put(now time.Time, id wire.MessageID, n *Neighbor) {
	r.forget(id)
	if len(r.byID) >= requestsMax {
		for _, q := range r.byID {
			q.of.open = 0
		}
		clear(r.byID)
	}
	r.byID[id] = request{now, n}
	n.open++
}

// forget forgets the request of a message that is here, or was given up.
func (r *requests) forget(id wire.MessageID) {
	if q, ok := r.byID[id]; ok {
		q.of.open--
		delete(r.byID, id)
	}
}

// forgetAll forgets what was requested of n.
func (r *requests) forgetAll(n *Neighbor) {
	if n.open == 0 {
		return
	}
	for id, q := range r.byID {
		if q.of == n {
			delete(r.byID, id)
		}
	}
	n.open = 0
}

// grace is how long, beyond a round trip, announced messages have to come by themselves. It grows while this node is
// slow, and so requests messages that are on their way.
type grace struct {
	length time.Duration
	grown  time.Time // when it was last changed
}

// tooEarly notes that a requested message came from another neighbor.
func (g *grace) tooEarly(now time.Time) {
	if now.Sub(g.grown) > g.length {
		g.length, g.grown = min(2*g.length, graceMax), now
	}
}

// relax shortens the grace if no request was too early for a while.
func (g *grace) relax(now time.Time) {
	if now.Sub(g.grown) > graceCalm*g.length {
		g.length, g.grown = max(g.length/2, graceMin), now
	}
}
