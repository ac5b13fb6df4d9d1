package swim

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/timer"
)

// While a partition lasts, a node cannot tell it from many crashes. When it is over it can: the members are back and
// were not restarted. Both ends of a partition are told, and nothing else depends on it.
const (
	partitionApart = 30 * time.Second // failures further apart than this do not belong together
	partitionCalm  = 5 * time.Second  // after the last failure the size is told
	partitionTail  = 30 * time.Second // after the last return the others are not waited for
	partitionLeast = 2                // members that have to fail together
	partitionPart  = 4                // and at least one in so many of all members
)

// failures is the latest failures, and the partition whose end is waited for.
type failures struct {
	last   uint16     // number of the last partition
	latest *Partition // nil for none
	open   *Partition // that was told and is not over; nil for none
	calm   timer.Timer
	tail   timer.Timer

	effects effects
}

func (x *failures) init(e effects) {
	x.effects = e
	x.calm.Fire, x.tail.Fire = x.tellFailed, x.tellBack
}

// noteFailed notes that m failed, one of so many members.
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

// tellFailed tells that many members failed together. An earlier partition is not waited for any longer.
func (x *failures) tellFailed(now time.Time) {
	p := x.latest
	many := p.Failed >= partitionLeast && p.Failed*partitionPart >= p.Members
	if !many || p.Failed == p.told {
		return
	}
	if x.open != nil && x.open != p && x.open.Back > 0 {
		x.tellBack(now)
	}
	p.told, x.open = p.Failed, p
	x.effects.add(Action{Kind: FailedTogether, Partition: p})
}

func (x *failures) noteBack(now time.Time, dead *members.Entry, restarted bool) {
	number := dead.Partition
	dead.Partition = 0
	if number == 0 {
		return
	}
	if p := x.latest; p != nil && p.number == number && p != x.open {
		p.Failed--
	}
	p := x.open
	if p == nil || p.number != number {
		return
	}
	if p.Back++; restarted {
		p.Restarted++
	}
	if p.Back == p.Failed {
		x.tellBack(now)
		return
	}
	x.effects.timers.Set(&x.tail, now.Add(partitionTail))
}

// tellBack tells that members that failed together are back. Members that have failed since belong to another
// partition, which goes on.
func (x *failures) tellBack(time.Time) {
	p := x.open
	x.effects.timers.Stop(&x.tail)
	x.open = nil
	if x.latest == p {
		x.latest = nil
		x.effects.timers.Stop(&x.calm)
	}
	x.effects.add(Action{Kind: BackTogether, Partition: p})
}
