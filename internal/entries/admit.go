package entries

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/stats"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// Admissible reports whether an alive entry may be accepted from any peer. Otherwise it counts and logs the entry.
func (e *Entries) Admissible(now time.Time, m *wire.Member) bool {
	d, err := e.refusal(m)
	if err != nil {
		e.drop(d)
		e.cfg.Report.Refusal(now, d.String(), m, err)
	}
	return err == nil
}

// Veto returns why this node refuses a node that wants to join it, or nil. It counts the refusal. m is nil if the node is a
// member already, which is not refused.
func (e *Entries) Veto(m *members.Member) error {
	if m == nil {
		return nil
	}
	d, err := e.refusal((&members.Entry{Member: *m}).Fill(&e.entry))
	if err != nil {
		e.drop(d)
	}
	return err
}

// refusal returns why an alive entry must not be accepted, and the counter for it. The error is nil if it may be accepted.
func (e *Entries) refusal(m *wire.Member) (stats.Drop, error) {
	r := e.cfg.Members.Refusal(m)
	if r.Address {
		return stats.DropAddress, r.Err
	}
	return stats.DropOversize, r.Err
}
