package broadcast

import (
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/seen"
	"github.com/gwyh-go/gwyh/internal/timer"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// announcement is a message that a neighbor has announced.
type announcement struct {
	id    wire.MessageID
	total uint32
	tries uint8     // requests made for it
	at    time.Time // when it came
	due   time.Time // when to request the message if it has not come
}

// expected is what one neighbor has announced and nobody has sent. The zero value is empty.
type expected struct {
	due    []announcement // not requested yet, in the order in which they are due
	late   []announcement // that were due and did not come
	lateAt time.Time      // when the first of late is due; zero for none
	tidyAt int            // length of due at which those that came are taken out
}

// tidyFrom is how many announcements wait before those that came are first taken out.
const tidyFrom = 256

func (e *expected) len() int { return len(e.due) + len(e.late) }

func (e *expected) has(id wire.MessageID) bool {
	is := func(a announcement) bool { return a.id == id }
	return slices.ContainsFunc(e.due, is) || slices.ContainsFunc(e.late, is)
}

// add appends an announcement. Messages that have come are taken out now and then, because most come by themselves.
func (e *expected) add(a announcement, met *seen.Set) {
	e.due = append(e.due, a)
	if len(e.due) >= max(e.tidyAt, tidyFrom) {
		e.due = slices.DeleteFunc(e.due, func(a announcement) bool { return met.Has(&a.id) })
		e.tidyAt = 2 * len(e.due)
	}
}

// postpone puts an announcement among those that are late.
func (e *expected) postpone(a announcement) {
	e.late = append(e.late, a)
	e.lateAt = timer.Soonest(e.lateAt, a.due)
}

// next returns when the next announcement is due; zero for never. It gives memory back.
func (e *expected) next() time.Time {
	if len(e.late) == 0 {
		e.late = nil
	}
	if len(e.due) == 0 {
		e.due = nil
		return e.lateAt
	}
	return timer.Soonest(e.lateAt, e.due[0].due)
}
