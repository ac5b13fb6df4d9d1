package agent

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/gwyh-go/gwyh/cmd/gwyh/internal/api"
)

// watchDepth is how many events may wait for one reader of the event stream.
const watchDepth = 1024

// A hub hands events to all who watch. Nobody holds up another, nor the agent: who does not take an event in time misses it.
type hub struct {
	mu      sync.Mutex
	readers map[*reader]bool
	last    uint64 // id of the last event
	closed  bool
	missed  atomic.Uint64 // by all readers
}

type reader struct {
	ch     chan api.Event
	missed uint64 // since the last event that it got
}

// publish numbers an event and hands it over.
func (h *hub) publish(e api.Event) api.Event {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.last++
	e.ID = h.last
	for r := range h.readers {
		own := e
		own.Missed = r.missed
		select {
		case r.ch <- own:
			r.missed = 0
		default:
			r.missed++
			h.missed.Add(1)
		}
	}
	return e
}

// watch returns a channel of events, which is closed when ctx is done or the hub is closed.
func (h *hub) watch(ctx context.Context) <-chan api.Event {
	r := &reader{ch: make(chan api.Event, watchDepth)}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		close(r.ch)
		return r.ch
	}
	if h.readers == nil {
		h.readers = map[*reader]bool{}
	}
	h.readers[r] = true
	context.AfterFunc(ctx, func() { h.remove(r) })
	return r.ch
}

func (h *hub) remove(r *reader) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.readers[r] {
		delete(h.readers, r)
		close(r.ch)
	}
}

// close ends all channels.
func (h *hub) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	for r := range h.readers {
		delete(h.readers, r)
		close(r.ch)
	}
}
