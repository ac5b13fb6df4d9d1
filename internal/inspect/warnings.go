package inspect

import (
	"fmt"
	"time"

	"github.com/gwyh-go/gwyh/internal/handshake"
	"github.com/gwyh-go/gwyh/internal/telemetry"
	"github.com/gwyh-go/gwyh/status"
)

// Counted records when each counter of drops and refusals last grew. The zero Counted is ready to use.
type Counted struct {
	drops, refusals growths
}

// growths records, by reason, the counters that are not zero. Most always are.
type growths map[string]growth

// growth is a counter as it was when it last grew.
type growth struct {
	count uint64
	at    time.Time
}

// Update records the present counters.
func (c *Counted) Update(now time.Time, f *telemetry.Figures) {
	f.Drops(func(v uint64, reason string) { c.drops.note(now, reason, v) })
	for r := handshake.Malformed; r < handshake.Reasons; r++ {
		c.refusals.note(now, r.String(), f.Core.Rejected[r])
	}
}

// note records the counter v of a reason.
func (g *growths) note(now time.Time, reason string, v uint64) {
	if v == (*g)[reason].count {
		return
	}
	if *g == nil {
		*g = make(growths)
	}
	(*g)[reason] = growth{count: v, at: now}
}

// lists returns all drops and refusals, with the counters that Update recorded last.
func (c *Counted) lists(f *telemetry.Figures) (drops, refusals []status.Drop) {
	f.Drops(func(v uint64, reason string) {
		drops = append(drops, status.Drop{Reason: reason, Count: v, Last: c.drops[reason].at})
	})
	for r := handshake.Malformed; r < handshake.Reasons; r++ {
		refusals = append(refusals, status.Drop{Reason: r.String(), Count: f.Core.Rejected[r], Last: c.refusals[r.String()].at, From: f.Core.RejectedFrom[r]})
	}
	return drops, refusals
}

// recentFor is how long after a drop or a refusal a warning about it is shown.
const recentFor = 10 * time.Minute

// deafFor is how long a warning about a handshake that was not completed is shown. A node that does not hear this one
// begins handshakes again and again, and one that stopped in the middle does not.
const deafFor = 2 * time.Minute

// warnings returns the warnings for an operator.
func warnings(s *status.Status, keyWarnings, sendWarnings []string, nameWarning string) (list []status.Warning) {
	warn := func(code status.Code, about status.Node, since time.Time, format string, args ...any) {
		list = append(list, status.Warning{Code: code, Text: fmt.Sprintf(format, args...), Node: about, Since: since})
	}
	var here status.Node
	for _, text := range keyWarnings {
		warn(status.WeakKey, here, time.Time{}, "%s", text)
	}
	if nameWarning != "" {
		warn(status.NameTaken, here, time.Time{}, "%s", nameWarning)
	}
	for _, text := range sendWarnings {
		warn(status.CannotSend, here, time.Time{}, "%s", text)
	}
	for _, r := range s.Refusals {
		if r.Last.IsZero() || s.At.Sub(r.Last) > recentFor {
			continue
		}
		switch r.Reason {
		case handshake.TimeOff.String():
			warn(status.Clock, here, r.Last, "handshakes of other nodes were refused because their clocks differ from this node's by more than a minute: "+
				"check NTP here and there (%d so far, the last one from %s)", r.Count, r.From)
		case handshake.BadKey.String():
			warn(status.WrongKey, here, r.Last, "handshakes of other nodes were refused because they have a different key or label (%d so far, the last one from %s)",
				r.Count, r.From)
		case handshake.Unfinished.String():
			if s.At.Sub(r.Last) <= deafFor {
				warn(status.DeafNode, here, r.Last, "a node begins handshakes and does not receive this node's answers: check the firewall and NAT on the way there "+
					"(%d so far, the last one from %s)", r.Count, r.From)
			}
		}
	}
	for _, d := range s.Drops {
		if d.Reason == telemetry.SlowDelegate && !d.Last.IsZero() && s.At.Sub(d.Last) <= recentFor {
			warn(status.SlowApplication, here, d.Last, "messages were dropped because the application's NotifyMsg took too long (%d so far)", d.Count)
		}
	}
	for i := range s.Links {
		l := &s.Links[i]
		if l.Narrow {
			warn(status.NarrowPath, l.Node, time.Time{}, "datagrams of more than %d bytes do not reach %q, although Config.UDPBufferSize is larger: messages to it are cut",
				l.MTU, l.Name)
		}
		if !l.DeafSince.IsZero() {
			warn(status.DeafNeighbor, l.Node, l.DeafSince, "%q says that it hears nothing of this node: check the firewall and NAT on the way there", l.Name)
		}
	}
	if s.Alone {
		warn(status.NobodyHeard, here, time.Time{}, "nothing comes from any other node: this node is cut off, or cannot receive, or is the only one left")
	}
	if s.Health > 0 {
		warn(status.Unwell, here, time.Time{}, "this node lacks CPU, loses packets or hears nobody (health score %d): it waits longer before it accuses others", s.Health)
	}
	return list
}
