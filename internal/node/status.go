package node

import (
	"context"
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/inspect"
	"github.com/gwyh-go/gwyh/internal/telemetry"
	"github.com/gwyh-go/gwyh/status"
)

// Status returns what the node knows now, or ErrShutdown.
func (n *Node[N]) Status() (s status.Status, err error) {
	err = n.loop.do(func(now time.Time) {
		figures := n.figures()
		s = inspect.Take(now, n.loop.core, &n.counted, &figures)
		s.History = n.watch.History()
	})
	if err != nil {
		return status.Status{}, err
	}
	keys := n.keys.present()
	s.Keys = slices.Clone(keys.Known)
	inspect.Finish(&s, keys.Warnings)
	return s, nil
}

// Metrics returns the node's counters and gauges, or ErrShutdown.
func (n *Node[N]) Metrics() ([]status.Metric, error) {
	var figures telemetry.Figures
	err := n.loop.do(func(time.Time) { figures = n.figures() })
	if err != nil {
		return nil, err
	}
	return figures.Metrics(), nil
}

// Watch sends what happens to ch until ctx ends or the node is shut down. It never waits: see status.Event.Missed.
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
