package gossip

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/logbook"
	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/timer"
)

// A node cannot tell a partition from many crashes while it lasts. When it is over it can: the members are back, and
// were not restarted. Both ends of it are written to the log, and nothing else depends on it.
const (
	partitionApart = 30 * time.Second // deaths further apart than this do not belong together
	partitionCalm  = 5 * time.Second  // after the last death its size is written
	partitionTail  = 30 * time.Second // after the last return the others are not waited for
	partitionLeast = 2                // members that have to fail together
	partitionPart  = 4                // and at least one in so many of all members
)

// A partition is members that failed at about the same time.
type partition struct {
	number    uint16 // that its members have in their rows
	began     time.Time
	died      time.Time // when the last one did
	members   int       // before it began, this node included
	lost      int
	told      int // of lost, in the last line about it
	back      int
	restarted int // of back
}

// partitions is the latest deaths, and the partition whose end is waited for.
type partitions struct {
	last  uint16
	dying *partition // nil for none
	open  *partition // nil for none
	calm  timer.Timer
	tail  timer.Timer
}

// noteLost takes note of a death.
func (c *Core) noteLost(now time.Time, m *members.Entry) {
	x := &c.swim.partitions
	if x.dying == nil || now.Sub(x.dying.died) > partitionApart {
		x.last = max(x.last+1, 1) // 0 means none
		x.dying = &partition{number: x.last, began: now, members: c.members.Count() + 1}
	}
	m.Partition = x.dying.number
	x.dying.lost++
	x.dying.died = now
	c.timers.Set(&x.calm, now.Add(partitionCalm))
}

// tellPartition writes that many members failed together. A partition before is not waited for any longer.
func (c *Core) tellPartition(now time.Time) {
	x := &c.swim.partitions
	d := x.dying
	many := d.lost >= partitionLeast && d.lost*partitionPart >= d.members
	if !many || d.lost == d.told {
		return
	}
	if x.open != nil && x.open != d && x.open.back > 0 {
		c.tellHealed(now)
	}
	d.told, x.open = d.lost, d
	c.log(now, logbook.Partition, "%d of %d members failed within %v: the network is partitioned, or they crashed together",
		d.lost, d.members, d.died.Sub(d.began).Round(time.Millisecond))
}

// noteBack takes note that a dead member is back, or another run of it.
func (c *Core) noteBack(now time.Time, dead *members.Entry, restarted bool) {
	x := &c.swim.partitions
	number := dead.Partition
	dead.Partition = 0
	if number == 0 {
		return
	}
	if d := x.dying; d != nil && d.number == number && d != x.open {
		d.lost--
	}
	d := x.open
	if d == nil || d.number != number {
		return
	}
	if d.back++; restarted {
		d.restarted++
	}
	if d.back == d.lost {
		c.tellHealed(now)
		return
	}
	c.timers.Set(&x.tail, now.Add(partitionTail))
}

// tellHealed writes that members that failed together are back. Members that have failed since belong to another
// partition, which goes on.
func (c *Core) tellHealed(now time.Time) {
	x := &c.swim.partitions
	d := x.open
	c.timers.Stop(&x.tail)
	x.open = nil
	if x.dying == d {
		x.dying = nil
		c.timers.Stop(&x.calm)
	}
	verdict := "the partition is over"
	if d.restarted == d.back {
		verdict = "they were restarted"
	}
	c.log(now, logbook.Partition, "%d of %d members that failed together are back, %v after the first of them failed: %s",
		d.back, d.lost, now.Sub(d.began).Round(time.Millisecond), verdict)
}
