package node

import (
	"context"
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/gossip"
	"github.com/gwyh-go/gwyh/internal/inspect"
	"github.com/gwyh-go/gwyh/internal/telemetry"
	"github.com/gwyh-go/gwyh/internal/wire"
	"github.com/gwyh-go/gwyh/status"
)

// Status returns the node's present status. The error is ErrShutdown.
func (n *Node[N]) Status() (s status.Status, err error) {
	var sending []string
	var taken string
	err = n.loop.do(func(now time.Time) {
		s = inspect.Take(now, n.loop.core, &n.counted, n.figures())
		s.History = n.watch.History()
		sending, taken = n.sending.present(), n.taken.present(now)
	})
	if err != nil {
		return status.Status{}, err
	}
	keys := n.keys.present()
	s.Keys = slices.Clone(keys.Known)
	inspect.Finish(&s, keys.Warnings, sending, taken)
	return s, nil
}

// Metrics returns the node's counters and gauges. The error is ErrShutdown.
func (n *Node[N]) Metrics() ([]status.Metric, error) {
	var figures *telemetry.Figures
	err := n.loop.do(func(time.Time) { figures = n.figures() })
	if err != nil {
		return nil, err
	}
	return figures.Metrics(), nil
}

// Watch sends events to ch until ctx ends or the node is shut down. It never blocks on ch: see status.Event.Missed.
func (n *Node[N]) Watch(ctx context.Context, ch chan<- status.Event) error {
	w := inspect.NewWatcher(ch)
	return n.loop.do(func(time.Time) {
		n.watch.Add(w)
		n.loop.core.SetWatched(true)
		context.AfterFunc(ctx, func() {
			w.End()
			_ = n.loop.do(func(time.Time) { n.loop.core.SetWatched(n.watch.Remove(w) > 0) })
		})
	})
}

// A Coverage lists the members by whether they have a broadcast.
type Coverage[N any] struct {
	Has, Lacks, Unknown []N
}

// BroadcastID is like Broadcast, and returns the id of the message.
func (n *Node[N]) BroadcastID(msg []byte) (id wire.MessageID, err error) {
	var refused error
	err = n.loop.do(func(now time.Time) {
		if refused = n.loop.core.Broadcast(now, msg); refused == nil {
			id = n.loop.core.LastBroadcast()
		}
	})
	if err == nil {
		err = refused
	}
	if err != nil {
		return id, n.config.Public(err)
	}
	return id, nil
}

// Coverage asks all members whether they have a broadcast. It returns when all have answered, or with the answers so
// far when ctx ends. The error is ErrShutdown.
func (n *Node[N]) Coverage(ctx context.Context, id wire.MessageID) (c Coverage[N], err error) {
	q := &coverage{id: id, askedAt: make(map[wire.NodeID]time.Time), has: make(map[wire.NodeID]bool)}
	defer func() { _ = n.loop.do(func(time.Time) { delete(n.coverages.waiting, q) }) }()
	round := time.NewTicker(coverageRound)
	defer round.Stop()
	for ended := false; ; {
		err = n.loop.do(func(now time.Time) {
			n.coverages.waiting[q] = struct{}{}
			open := q.ask(now, n.loop.core)
			if ended = ended || open == 0; ended {
				c = n.covered(q)
			}
		})
		if err != nil || ended {
			return c, err
		}
		select {
		case <-ctx.Done():
			ended = true
		case <-n.loop.stop:
		case <-round.C:
		}
	}
}

// covered sorts the members by their answers.
func (n *Node[N]) covered(q *coverage) (c Coverage[N]) {
	n.loop.core.Members(func(m *gossip.Member) {
		list := &c.Unknown
		if has, ok := q.has[m.ID]; ok && has {
			list = &c.Has
		} else if ok {
			list = &c.Lacks
		}
		*list = append(*list, n.config.Convert(m))
	})
	return c
}
