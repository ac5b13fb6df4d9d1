package agent

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/gwyh-go/gwyh/cmd/gwyh/internal/api"
)

// watchDepth is the number of events that may be queued for one reader of the event stream.
const watchDepth = 1024

// A hub passes events to all readers. If a reader's queue is full, it drops the event for that reader.
type hub struct {
	mu      sync.Mutex
	readers map[*reader]bool
	last    uint64 // id of the last event
	closed  bool
	missed  atomic.Uint64 // by all readers
}

type reader struct {
	ch     chan api.Event
	missed uint64 // number of events dropped since the last one that it got
}

// publish numbers an event and sends it to all readers.
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

// close closes all channels.
func (h *hub) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	for r := range h.readers {
		delete(h.readers, r)
		close(r.ch)
	}
}
