package event

import "github.com/gwyh-go/gwyh/internal/members"

// A Queue holds the events of a node until its owner takes them. The zero value is empty. Not for concurrent use.
type Queue struct {
	queue, spare []Event
	most         int // of one turn since Rest was last called
}

// Add appends an event.
func (q *Queue) Add(e Event) { q.queue = append(q.queue, e) }

// Take returns what was added since the last call; it is valid until the next call.
func (q *Queue) Take() []Event {
	taken := q.queue
	q.queue = q.spare[:0]
	if q.spare = taken; cap(taken) > eventsKeep {
		q.spare = nil
	}
	q.most = max(q.most, len(taken))
	return taken
}

// eventsKeep is how many events there is room kept for between turns, and eventsRest at rest.
const (
	eventsKeep = 256
	eventsRest = 16
)

// Rest gives back what a burst took, if no turn since the last call came near to needing it.
func (q *Queue) Rest() {
	most := max(eventsRest, 4*q.most)
	if cap(q.queue) > most && len(q.queue) == 0 {
		q.queue = nil
	}
	if cap(q.spare) > most {
		q.spare = nil
	}
	q.most = 0
}

// Emit tells the application of a change that it can see.
func (q *Queue) Emit(change members.Change) {
	if change.Kind != members.Unseen {
		q.EmitMember(eventOf[change.Kind], change.Member)
	}
}

// EmitMember appends an event that is about a member only.
func (q *Queue) EmitMember(kind Kind, m *members.Entry) {
	q.Add(Event{Kind: kind, Member: m.Member})
}

// eventOf is what the application hears of a change.
var eventOf = [...]Kind{members.Joined: Join, members.Updated: Update, members.Died: Leave, members.Left: Leave}
