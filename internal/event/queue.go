package event

import "github.com/gwyh-go/gwyh/internal/members"

// A Queue holds the events of a node until its owner takes them. The zero value is empty. It is not safe for concurrent use.
type Queue struct {
	queue, spare []Event
	largest      int // maximum number of events in one turn since Rest was last called
}

// Add appends an event.
func (q *Queue) Add(e Event) { q.queue = append(q.queue, e) }

// Take returns the events added since the last call. The slice is valid until the next call.
func (q *Queue) Take() []Event {
	taken := q.queue
	q.queue = q.spare[:0]
	if q.spare = taken; cap(taken) > eventsKeep {
		q.spare = nil
	}
	q.largest = max(q.largest, len(taken))
	return taken
}

// eventsKeep is the capacity in events that is kept between turns, and eventsRest the one at rest.
const (
	eventsKeep = 256
	eventsRest = 4
)

// Rest releases the memory of a burst if no turn since the last call came near to needing it.
func (q *Queue) Rest() {
	limit := max(eventsRest, 4*q.largest)
	if cap(q.queue) > limit && len(q.queue) == 0 {
		q.queue = nil
	}
	if cap(q.spare) > limit {
		q.spare = nil
	}
	q.largest = 0
}

// Emit appends the event of a change that the application can see.
func (q *Queue) Emit(change members.Change) {
	if change.Kind != members.Unseen {
		q.Add(Event{Kind: eventOf[change.Kind], Member: change.Member.Member, Heard: change.Heard, DeafSince: change.DeafSince})
	}
}

// EmitMember appends an event that is about a member only.
func (q *Queue) EmitMember(kind Kind, m *members.Entry) {
	q.Add(Event{Kind: kind, Member: m.Member})
}

// eventOf maps a change to the event for the application.
var eventOf = [...]Kind{members.Joined: Join, members.Updated: Update, members.Died: Leave, members.Left: Leave}
