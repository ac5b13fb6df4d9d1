package session

import (
	"slices"
	"sort"
	"time"
)

const (
	// laterPackets is how many packets must overtake a missing one before it is asked for: fewer are
	// reordering.
	laterPackets = 3
	// maxAsks is how often a missing packet is asked for before it is given up.
	maxAsks = 5
	// maxGaps bounds the ranges of one session. The oldest gives way.
	maxGaps = 256

	// unknownRTT stands for a round trip not measured yet.
	unknownRTT = 100 * time.Millisecond
	// leastRTT is the shortest round trip reckoned with: below it, what delays a packet is the
	// scheduling of either end. longestRTT keeps the arithmetic from overflowing.
	leastRTT, longestRTT = time.Millisecond, time.Minute
)

// gaps is what is missing of the packets of one direction, for loss repair (PROTOCOL.md 4: a Nak
// names ranges of counters). What is asked for is sent again under a new counter, so a range ends in
// one of four ways: its packets come late, Settle says that they need not come, they were asked for
// often enough, or a bound is reached; the last two count as lost. A counter is in at most one range,
// and in none when it has come or is below the window. Owned by its session.
type gaps struct {
	// ranges ascend and are disjoint; not empty, at most maxGaps. They were seen in that order, and
	// become due for the first time in that order, so those not asked for yet come last.
	ranges    []gap
	asked     time.Duration // no range asked for was asked for before this; since the session was made
	advances  uint32        // packets that came as the newest, modulo 2^32
	lost      uint64        // packets given up
	highestAt time.Time     // when the newest came; zero before the first
}

// A gap is a range of counters that have not come. Small, for a bad link has many.
type gap struct {
	start uint64
	at    time.Duration // when it was asked for last, or else seen; since the session was made
	seen  uint32        // gaps.advances when it was seen, the packet that showed it included
	n     uint16        // counters in it; above zero and below WindowSize
	asks  uint8         // how often it was asked for
}

func (r *gap) end() uint64 { return r.start + uint64(r.n) }

// part is what lies between two counters of r.
func (r *gap) part(start, end uint64) gap {
	p := *r
	p.start, p.n = start, uint16(end-start)
	return p
}

// note records that counter, which is fresh, has come at a time since the session was made, when
// highest was the highest counter before it. It need not be called when counter is the next one and
// no range is open.
func (g *gaps) note(at time.Duration, highest, counter uint64) {
	if counter < highest {
		g.cut(counter, counter+1)
		return
	}
	var floor uint64 // the lowest counter that may still come
	if counter >= WindowSize {
		floor = counter - WindowSize + 1
	}
	if len(g.ranges) > 0 && g.ranges[0].start < floor {
		g.lost += g.cut(0, floor)
	}
	start := max(highest+1, floor)
	g.lost += start - (highest + 1)
	if start < counter {
		g.ranges = append(g.ranges, gap{start: start, n: uint16(counter - start), at: at, seen: g.advances})
		g.bound()
	}
}

// cut takes the counters [start, end) out and returns how many of them were missing.
func (g *gaps) cut(start, end uint64) (n uint64) {
	first := sort.Search(len(g.ranges), func(i int) bool { return g.ranges[i].end() > start })
	var rest [2]gap // what is left of the first and of the last range touched
	parts, last := 0, first
	for ; last < len(g.ranges) && g.ranges[last].start < end; last++ {
		r := &g.ranges[last]
		n += min(end, r.end()) - max(start, r.start)
		if r.start < start {
			rest[parts] = r.part(r.start, start)
			parts++
		}
		if end < r.end() {
			rest[parts] = r.part(end, r.end())
			parts++
		}
	}
	if n > 0 {
		g.ranges = slices.Replace(g.ranges, first, last, rest[:parts]...)
		g.bound()
	}
	return n
}

// bound lets the oldest range give way when there is one too many.
func (g *gaps) bound() {
	if len(g.ranges) > maxGaps {
		g.lost += uint64(g.ranges[0].n)
		g.ranges = slices.Delete(g.ranges, 0, 1)
	}
}

// abandon gives everything up.
func (g *gaps) abandon() {
	for _, r := range g.ranges {
		g.lost += uint64(r.n)
	}
	g.ranges = nil
}

// unasked is the index of the first range that was not asked for yet.
func (g *gaps) unasked() int {
	return sort.Search(len(g.ranges), func(i int) bool { return g.ranges[i].asks == 0 })
}

// due is when r, which was not asked for yet, is to be.
func (g *gaps) due(r *gap, rtt time.Duration) time.Duration {
	if g.advances-r.seen >= laterPackets-1 {
		return r.at
	}
	return r.at + rtt*9/8
}

// next is when the first range is due; there must be one. It may be early, but not right after take. It
// looks at a few ranges only, for on a bad link it is asked after every packet.
func (g *gaps) next(rtt time.Duration) time.Duration {
	unasked := g.unasked()
	if unasked == len(g.ranges) {
		return g.asked + rtt*3/2
	}
	due := g.due(&g.ranges[unasked], rtt)
	if unasked > 0 {
		due = min(due, g.asked+rtt*3/2)
	}
	return due
}

// take yields the ranges that are due until one is refused, and forgets those asked for often enough.
func (g *gaps) take(now, rtt time.Duration, yield func(start, end uint64) bool) {
	more := true
	switch unasked := g.unasked(); {
	case unasked == 0:
		g.asked = now
	case g.asked+rtt*3/2 <= now:
		more = g.takeAgain(now, rtt*3/2, g.ranges[:unasked], yield)
	}
	for i := g.unasked(); more && i < len(g.ranges); i++ {
		r := &g.ranges[i]
		if g.due(r, rtt) > now {
			return
		}
		more = r.ask(now, yield)
	}
}

// takeAgain does so for the ranges that were asked for before.
func (g *gaps) takeAgain(now, pause time.Duration, ranges []gap, yield func(start, end uint64) bool) bool {
	more := true
	g.asked = now
	kept := 0
	for _, r := range ranges {
		if more && r.at+pause <= now {
			if r.asks == maxAsks {
				g.lost += uint64(r.n)
				continue
			}
			more = r.ask(now, yield)
		}
		g.asked = min(g.asked, r.at)
		ranges[kept] = r
		kept++
	}
	g.ranges = slices.Delete(g.ranges, kept, len(ranges))
	return more
}

// ask yields r.
func (r *gap) ask(now time.Duration, yield func(start, end uint64) bool) bool {
	r.at = now
	r.asks++
	return yield(r.start, r.end())
}

// Missing reports whether any packet of the peer is missing that may still be asked for. It is cheap,
// and always false for legacy sessions, which have no counters.
func (s *Session) Missing() bool { return len(s.gaps.ranges) > 0 }

// NextNak is when TakeNaks has something to do, given the round trip to the peer (zero: unknown); the
// zero time means never. It may be early, and is past when something is due already.
func (s *Session) NextNak(rtt time.Duration) time.Time {
	if !s.Missing() {
		return time.Time{}
	}
	return s.createdAt.Add(s.gaps.next(usable(rtt)))
}

// TakeNaks yields the ranges [start, end) of the peer's counters to ask for now: missing for 9/8 round
// trips or overtaken by three packets, and again every 3/2 round trips, five times in all. A range
// counts as asked for when it was yielded; after a false the others stay due. What was asked for five
// times without coming is given up instead. Unless yield returned false NextNak is zero or later than
// now afterwards. yield must not call what changes the session's gaps: Open, Settle, TakeNaks.
func (s *Session) TakeNaks(now time.Time, rtt time.Duration, yield func(start, end uint64) bool) {
	if next := s.NextNak(rtt); !next.IsZero() && !now.Before(next) {
		s.gaps.take(now.Sub(s.createdAt), usable(rtt), yield)
	}
}

// Settle notes that the peer's counters [start, end) need not come any more: what they carried came
// under others, or the peer says that it cannot send it again. Those missing among them are neither
// asked for nor counted as lost; their number is returned.
func (s *Session) Settle(start, end uint64) uint64 {
	if start >= end {
		return 0
	}
	return s.gaps.cut(start, end)
}

// Highest is the highest counter of the peer that came; 0 before the first and for legacy sessions.
func (s *Session) Highest() uint64 { return s.window.highest }

// HighestAt is when it came; zero before the first.
func (s *Session) HighestAt() time.Time { return s.gaps.highestAt }

// Lowest is the lowest counter of the peer that is missing and worth asking for, and the one after the
// highest if none is. The peer need not keep what is below it.
func (s *Session) Lowest() uint64 {
	if s.Missing() {
		return s.gaps.ranges[0].start
	}
	return max(s.window.highest, s.window.highest+1) // there is none after the last of all
}

// Received is the number of boxes that opened.
func (s *Session) Received() uint64 { return s.opened }

// Lost is the number of the peer's packets that were missing and given up, be it that they were asked
// for five times, that a bound was reached, or that the session closed. One that comes after all stays
// counted.
func (s *Session) Lost() uint64 { return s.gaps.lost }

// Expand returns the counter of our own direction that has the given low half, as a Nak carries it, and
// is nearest to the one sealed under last. What the peer writes may be nonsense: the result may be a
// counter that was never used.
func (s *Session) Expand(low32 uint32) uint64 {
	d := int64(int32(low32 - uint32(s.sent)))
	c := s.sent + uint64(d)
	switch {
	case d < 0 && c > s.sent: // before the first counter of all
		return c + 1<<32
	case d > 0 && c < s.sent: // behind the last
		return c - 1<<32
	}
	return c
}

// usable is the round trip that gaps reckon with.
func usable(rtt time.Duration) time.Duration {
	if rtt <= 0 {
		return unknownRTT
	}
	return min(max(rtt, leastRTT), longestRTT)
}
