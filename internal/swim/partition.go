package swim

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/timer"
)

// During a partition, a node cannot distinguish it from many crashes. Afterwards it can, because the members come back
// without a restart. Both the beginning and the end of a partition are reported; nothing depends on the reports.
const (
	partitionApart = 30 * time.Second // failures further apart than this do not belong together
	partitionCalm  = 5 * time.Second  // time from the last failure to the report of the size
	partitionTail  = 30 * time.Second // time from the last return until no more returns are awaited
	partitionLeast = 2                // minimum number of members that fail together
	partitionPart  = 4                // minimum share of all members, as a divisor
)

// failures records the latest failures and the partition whose end is awaited.
type failures struct {
	last   uint16     // number of the last partition
	latest *Partition // nil for none
	open   *Partition // reported and not over; nil for none
	calm   timer.Timer
	tail   timer.Timer

	effects effects
}

func (x *failures) init(e effects) {
	x.effects = e
	x.calm.Fire, x.tail.Fire = x.reportFailed, x.reportBack
}

// noteFailed records that m failed. of is the number of members before the failure.
func (x *failures) noteFailed(now time.Time, m *members.Entry, of int) {
	if x.latest == nil || now.Sub(x.latest.Last) > partitionApart {
		x.last = max(x.last+1, 1) // 0 means none
		x.latest = &Partition{number: x.last, Began: now, Members: of}
	}
	m.Partition = x.latest.number
	x.latest.Failed++
	x.latest.Last = now
	x.effects.timers.Set(&x.calm, now.Add(partitionCalm))
}

// reportFailed reports that many members failed together. It ends the wait for the end of an earlier partition.
func (x *failures) reportFailed(now time.Time) {
	p := x.latest
	many := p.Failed >= partitionLeast && p.Failed*partitionPart >= p.Members
	if !many || p.Failed == p.reported {
		return
	}
	if x.open != nil && x.open != p && x.open.Back > 0 {
		x.reportBack(now)
	}
	p.reported, x.open = p.Failed, p
	x.effects.add(Action{Kind: FailedTogether, Partition: p})
}

func (x *failures) noteBack(now time.Time, dead *members.Entry, restarted bool) {
	number := dead.Partition
	dead.Partition = 0
	if number == 0 {
		return
	}
	if p := x.latest; p != nil && p.number == number && p != x.open {
		if p.Failed--; p.Failed == 0 {
			x.latest = nil // the next failure begins another partition
			x.effects.timers.Stop(&x.calm)
		}
	}
	p := x.open
	if p == nil || p.number != number {
		return
	}
	if p.Back++; restarted {
		p.Restarted++
	}
	if p.Back == p.Failed {
		x.reportBack(now)
		return
	}
	x.effects.timers.Set(&x.tail, now.Add(partitionTail))
}

// reportBack reports that members that failed together are back. Members that have failed since then belong to another
// partition, which continues.
func (x *failures) reportBack(time.Time) {
	p := x.open
	x.effects.timers.Stop(&x.tail)
	x.open = nil
	if x.latest == p {
		x.latest = nil
		x.effects.timers.Stop(&x.calm)
	}
	x.effects.add(Action{Kind: BackTogether, Partition: p})
}
