package pushpull

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/members"
)

// HandleTimeout performs the first action that is due, if any. Call it until NextTimeout is later than now.
func (x *Exchanger) HandleTimeout(out []Outcome, now time.Time, t *members.Table) []Outcome {
	if at := x.NextTimeout(); at.IsZero() || at.After(now) {
		return out
	}
	if x.next == x.pull.due {
		return x.pullDue(out, now, t)
	}
	for _, e := range x.byID {
		if e.due != x.next {
			continue
		}
		x.unset(e)
		if e.ours {
			return x.tickOurs(out, now, t, e)
		}
		return x.tickTheirs(out, now, t, e)
	}
	return out
}
