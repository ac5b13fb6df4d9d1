package session

import (
	"slices"
	"sort"
	"time"
)

const (
	// laterPackets is the number of packets that must overtake a missing one before it is requested; fewer indicate
	// reordering.
	laterPackets = 3
	// maxAsks is how often a missing packet is requested before it counts as lost.
	maxAsks = 5
	// maxGaps is the maximum number of ranges of one session. If it is exceeded, the oldest range counts as lost.
	maxGaps = 256

	// unknownRTT is used until a round-trip time has been measured.
	unknownRTT = 100 * time.Millisecond
	// leastRTT is the minimum round-trip time used: shorter delays come from the scheduling of the nodes.
	// longestRTT prevents overflow.
	leastRTT, longestRTT = time.Millisecond, time.Minute
)

// gaps tracks the missing packets of one direction for loss repair (a Nak names ranges of packet numbers). A
// requested packet is sent again under a new number, so a range ends in one of four ways: its packets arrive late,
// Settle reports that they are not needed, they were requested maxAsks times, or a bound is reached. The last two
// count as lost. A packet number is in at most one range, and in none if it has arrived or is below the window. The
// session owns it (PROTOCOL.md A1).
type gaps struct {
	// ranges are in ascending order, disjoint, not empty, and at most maxGaps. They were detected in this order and
	// become due for the first time in this order, so those not yet requested come last.
	ranges        []gap
	oldestRequest time.Duration // no request for a range is older than this; since the session was made
	advances      uint32        // packets that arrived as the newest, modulo 2^32
	lost          uint64        // packets counted as lost
	highestAt     time.Time     // when the newest packet arrived; zero before the first
}

// A gap is a range of missing packet numbers. It is small because a bad link has many.
type gap struct {
	start uint64
	at    time.Duration // when it was last requested, or detected if it was not; since the session was made
	seen  uint32        // gaps.advances when it was detected, including the packet that revealed it
	n     uint16        // packet numbers in it; above zero and below WindowSize
	asks  uint8         // how often it was requested
}

func (r *gap) end() uint64 { return r.start + uint64(r.n) }

// part returns the part of r between two packet numbers.
func (r *gap) part(start, end uint64) gap {
	p := *r
	p.start, p.n = start, uint16(end-start)
	return p
}

// note records that counter, which is fresh, has arrived at a time since the session was made, when highest was the
// highest packet number before it. The call may be omitted if counter is highest+1 and there are no ranges.
func (g *gaps) note(at time.Duration, highest, counter uint64) {
	if counter < highest {
		g.cut(counter, counter+1)
		return
	}
	var floor uint64 // the lowest packet number that is still accepted
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

// cut removes the packet numbers [start, end) and returns how many of them were missing.
func (g *gaps) cut(start, end uint64) (n uint64) {
	first := sort.Search(len(g.ranges), func(i int) bool { return g.ranges[i].end() > start })
	var rest [2]gap // the remains of the first and of the last affected range
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

// bound removes the oldest range if there is one too many.
func (g *gaps) bound() {
	if len(g.ranges) > maxGaps {
		g.lost += uint64(g.ranges[0].n)
		g.ranges = slices.Delete(g.ranges, 0, 1)
	}
}

// abandon counts all missing packets as lost.
func (g *gaps) abandon() {
	for _, r := range g.ranges {
		g.lost += uint64(r.n)
	}
	g.ranges = nil
}

// unasked returns the index of the first range that was not yet requested.
func (g *gaps) unasked() int {
	return sort.Search(len(g.ranges), func(i int) bool { return g.ranges[i].asks == 0 })
}

// due returns when r, which was not yet requested, must be requested.
func (g *gaps) due(r *gap, rtt time.Duration) time.Duration {
	if g.advances-r.seen >= laterPackets-1 {
		return r.at
	}
	return r.at + rtt*9/8
}

// next returns when the first range is due; there must be one. The result may be too early, but not directly after
// take. It reads only a few ranges, because on a bad link it is called after every packet.
func (g *gaps) next(rtt time.Duration) time.Duration {
	unasked := g.unasked()
	if unasked == len(g.ranges) {
		return g.oldestRequest + rtt*3/2
	}
	due := g.due(&g.ranges[unasked], rtt)
	if unasked > 0 {
		due = min(due, g.oldestRequest+rtt*3/2)
	}
	return due
}

// take yields the ranges that are due until yield returns false, and removes those requested maxAsks times.
func (g *gaps) take(now, rtt time.Duration, yield func(start, end uint64) bool) {
	more := true
	switch unasked := g.unasked(); {
	case unasked == 0:
		g.oldestRequest = now
	case g.oldestRequest+rtt*3/2 <= now:
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

// takeAgain does the same for the ranges that were requested before.
func (g *gaps) takeAgain(now, pause time.Duration, ranges []gap, yield func(start, end uint64) bool) bool {
	more := true
	g.oldestRequest = now
	kept := 0
	for _, r := range ranges {
		if more && r.at+pause <= now {
			if r.asks == maxAsks {
				g.lost += uint64(r.n)
				continue
			}
			more = r.ask(now, yield)
		}
		g.oldestRequest = min(g.oldestRequest, r.at)
		ranges[kept] = r
		kept++
	}
	g.ranges = slices.Delete(g.ranges, kept, len(ranges))
	return more
}

// ask yields r and counts the request.
func (r *gap) ask(now time.Duration, yield func(start, end uint64) bool) bool {
	r.at = now
	r.asks++
	return yield(r.start, r.end())
}

// Missing reports whether packets of the peer are missing that may still be requested. It is cheap, and always
// false for legacy sessions, which have no packet numbers.
func (s *Session) Missing() bool { return len(s.gaps.ranges) > 0 }

// NextNak returns when TakeNaks must be called, given the round-trip time to the peer (zero: unknown), or the zero
// time for never. The result may be too early, and is in the past if a request is due already.
func (s *Session) NextNak(rtt time.Duration) time.Time {
	if !s.Missing() {
		return time.Time{}
	}
	return s.createdAt.Add(s.gaps.next(usable(rtt)))
}

// TakeNaks yields the ranges [start, end) of the peer's packet numbers to request now. A range is requested when it
// has been missing for 9/8 round trips or was overtaken by three packets, and again every 3/2 round trips, five
// times in all; then it counts as lost. A range counts as requested when it is yielded. If yield returns false, the
// others stay due; otherwise NextNak is then zero or later than now. yield must not call Open, Settle or TakeNaks.
func (s *Session) TakeNaks(now time.Time, rtt time.Duration, yield func(start, end uint64) bool) {
	if next := s.NextNak(rtt); !next.IsZero() && !now.Before(next) {
		s.gaps.take(now.Sub(s.createdAt), usable(rtt), yield)
	}
}

// Settle records that the peer's packet numbers [start, end) are no longer needed: their content arrived under
// others, or the peer reports that it cannot send it again. They are neither requested nor counted as lost. Settle
// returns how many of them were missing.
func (s *Session) Settle(start, end uint64) uint64 {
	if start >= end {
		return 0
	}
	return s.gaps.cut(start, end)
}

// Highest returns the highest packet number received, or 0 before the first one and in legacy sessions.
func (s *Session) Highest() uint64 { return s.window.highest }

// HighestAt returns when that packet arrived, or zero before the first one.
func (s *Session) HighestAt() time.Time { return s.gaps.highestAt }

// Lowest returns the lowest packet number of the peer that is missing and may be requested, or Highest plus one if
// none is. The peer need not keep packets below it.
func (s *Session) Lowest() uint64 {
	if s.Missing() {
		return s.gaps.ranges[0].start
	}
	return max(s.window.highest, s.window.highest+1) // there is no number after the last one
}

// Received returns the number of boxes that opened.
func (s *Session) Received() uint64 { return s.opened }

// Lost returns the number of the peer's packets that were missing and count as lost: they were requested five
// times, a bound was reached, or the session closed. A packet that arrives later stays counted.
func (s *Session) Lost() uint64 { return s.gaps.lost }

// Expand returns the packet number of our direction that has the given low half, as in a Nak, and is nearest to the
// last one sealed. The peer may send any value, so the result may be a number that was never used (PROTOCOL.md A2).
func (s *Session) Expand(low32 uint32) uint64 {
	d := int64(int32(low32 - uint32(s.sent)))
	c := s.sent + uint64(d)
	switch {
	case d < 0 && c > s.sent: // before the first packet number
		return c + 1<<32
	case d > 0 && c < s.sent: // after the last one
		return c - 1<<32
	}
	return c
}

// usable returns the round-trip time that gaps uses.
func usable(rtt time.Duration) time.Duration {
	if rtt <= 0 {
		return unknownRTT
	}
	return min(max(rtt, leastRTT), longestRTT)
}
