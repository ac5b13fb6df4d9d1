package node

import (
	"errors"
	"time"

	"github.com/gwyh-go/gwyh/internal/gossip"
	"github.com/gwyh-go/gwyh/internal/pull"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// startPuller starts the goroutine that polls the application's queue and answers the questions that belong to no
// Join. It starts nothing if the application has no callback for it.
func (n *Node[N]) startPuller() {
	c := &n.config
	if !c.Application.answers() {
		return
	}
	p := &n.puller
	p.Interval, p.Limit, p.Size = c.PollInterval, c.PollLimit, c.Core.Memory.Polled
	if p.Limit == 0 {
		p.Limit = n.loop.core.BroadcastMax()
	}
	p.Linked = func() bool { return n.snapshots.current.Load().links > 0 }
	p.Send, p.Repeat, p.Warn = n.sendPolled, n.repeatPolled, c.Log.Warnf
	p.Chosen = n.chosen
	p.Asked, p.Answer = n.questions.wake, n.answerAll
	if c.RebroadcastWindow > 0 {
		p.Delivered = func(msg []byte) bool { return n.dispatch.DeliveredWithin(time.Now(), c.RebroadcastWindow, msg) }
	}
	if d := c.Application.Delegate; d != nil {
		p.Get = d.GetBroadcasts
	}
	go p.Run(n.loop.stop)
}

// sendPolled broadcasts a message of GetBroadcasts. ErrShutdown is not an error here.
func (n *Node[N]) sendPolled(msg []byte) error {
	switch err := n.loop.broadcast(msg); {
	case errors.Is(err, gossip.ErrQueueFull):
		return pull.ErrFull
	case err == nil, errors.Is(err, ErrShutdown):
		return nil
	default:
		return n.config.Public(err)
	}
}

// repeatPolled sends a message of GetBroadcasts to a member that joined after the message was broadcast.
func (n *Node[N]) repeatPolled(to wire.NodeID, msg []byte) error {
	var refused error
	err := n.loop.do(func(now time.Time) {
		refused = n.loop.core.SendMember(now, to, wire.UseRepeat, msg, now.Add(n.config.Timeout))
	})
	if errors.Is(refused, gossip.ErrQueueFull) {
		return pull.ErrFull
	}
	return errors.Join(err, refused)
}

// chosen reports whether this node is one of the few that repeat rebroadcasts to a new member.
func (n *Node[N]) chosen(newcomer wire.NodeID) bool {
	snap := n.snapshots.current.Load()
	return pull.Chosen(n.config.ID(snap.self), newcomer, func(yield func(wire.NodeID) bool) {
		for m := range snap.each {
			if !yield(n.config.ID(m)) {
				return
			}
		}
	})
}

// answerAll answers the questions that wait for the puller.
func (n *Node[N]) answerAll() {
	for q, ok := n.questions.take(time.Now()); ok; q, ok = n.questions.take(time.Now()) {
		n.asker.answer(&q)
	}
}
