package members

import (
	"cmp"
	"time"

	"github.com/gwyh-go/gwyh/internal/quota"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// A program that was restarted has a new id, and claims the name and the address of its earlier run, which is still a
// live member. An insider can claim the same of a node that runs. So the table remembers the claim, and the caller of
// Claim finds out which node is at the address. An insider is not at the address of another node, unless it has just
// forged the address.

const (
	contendersMax    = 1024             // number of names for which a claim is remembered
	contenderMetaMax = 512              // a claim with more bytes of metadata is not remembered
	formerNamesMax   = 1024             // number of former names that are remembered
	formerNameHold   = 30 * time.Second // how long the former name of a live member is reserved for it
	conflictNames    = 1024             // number of names whose last report is remembered
	conflictInterval = 30 * time.Second // minimum time between two reports of a conflict about a name
	addressSettled   = 10 * time.Second // age of an address that its node would have corrected if it were false
)

// contestRate limits how often this node searches for the node at an address because of a claim.
var contestRate = quota.Rate{Burst: 16, Every: 100 * time.Millisecond}

func newContests() contests {
	return contests{contenders: quota.NewMap[string, Member](contendersMax), former: quota.NewMap[string, formerName](formerNamesMax),
		conflicts: quota.NewMap[string, time.Time](conflictNames)}
}

// noteContender remembers the claim of a new run of holder.
func (c *contests) noteContender(t *Table, e *wire.Member, holder *Entry) {
	if len(e.Meta) <= contenderMetaMax {
		c.contenders.Set(holder.Name, t.MemberOf(e))
	}
}

// isSettled reports whether a live member has had its address for so long that the address is not a false one.
func (m *Entry) isSettled(now time.Time) bool {
	return m.moved == 0 || now.Sub(time.Unix(int64(m.moved), 0)) > addressSettled
}

// Contender returns the entry of the new run that claims the name and the address of holder, or nil if there is none.
// holder is a live member, or has just failed.
func (t *Table) Contender(holder *Entry) *wire.Member {
	c, ok := t.contests.contenders.Get(holder.Name)
	if !ok || c.Addr != holder.Addr || t.IsLive(c.ID) {
		return nil
	}
	x := Entry{Member: c}
	return x.Fill(new(wire.Member))
}

// Contended returns the member whose name and address the node with an id claims, live or just failed, or nil if there
// is none.
func (t *Table) Contended(id wire.NodeID) *Entry {
	for name, c := range t.contests.contenders.All {
		if c.ID == id {
			return cmp.Or(t.Named(name), t.reserved[name])
		}
	}
	return nil
}

// noteRenamed reserves the present name of a live member, which an entry is about to change.
func (c *contests) noteRenamed(now time.Time, m *Entry) {
	c.former.Set(m.Name, formerName{m.ID, now.Add(formerNameHold)})
}

// formerOwner returns the live member of t that had a name a short time ago, or nil if there is none.
func (c *contests) formerOwner(now time.Time, t *Table, name string) *Entry {
	f, ok := c.former.Get(name)
	if !ok || !now.Before(f.until) || !t.IsLive(f.id) {
		return nil
	}
	return t.Get(f.id)
}

// reportConflict reports whether a conflict about a name should be reported, at most once per conflictInterval.
func (c *contests) reportConflict(now time.Time, name string) bool {
	if c.inConflict(now, name) {
		return false
	}
	c.conflicts.Set(name, now)
	return true
}

// inConflict reports whether a conflict about a name was reported a short time ago.
func (c *contests) inConflict(now time.Time, name string) bool {
	last, ok := c.conflicts.Get(name)
	return ok && now.Sub(last) < conflictInterval
}
