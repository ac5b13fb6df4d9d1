package node

import (
	"sync"
	"time"

	"github.com/gwyh-go/gwyh/internal/event"
)

// A question is a request of the core to the application: for its state, for a decision, or to merge a state. It is
// answered once, by the goroutine that takes it.
type question struct {
	event event.Event
	at    time.Time
}

// questions is a queue of questions for one goroutine. The loop adds to it without blocking. The core bounds it.
type questions struct {
	wake chan struct{} // contains a token while the queue may be non-empty

	mu    sync.Mutex // guards queue
	queue []question
}

func newQuestions() *questions { return &questions{wake: make(chan struct{}, 1)} }

func (q *questions) put(one question) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.queue = append(q.queue, one)
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// take removes and returns the first question, if it was put no later than latest.
func (q *questions) take(latest time.Time) (first question, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.queue) == 0 || q.queue[0].at.After(latest) {
		return question{}, false
	}
	first = q.queue[0]
	q.queue[0] = question{}
	if q.queue = q.queue[1:]; len(q.queue) == 0 {
		q.queue = nil
	}
	return first, true
}
