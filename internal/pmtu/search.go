package pmtu

import "time"

const (
	searchTries   = 3 // unanswered probes of a size after which it counts as too large
	confirmTries  = 4 // unanswered probes of the size in use after which it is given up
	probePause    = 200 * time.Millisecond
	searchBegin   = time.Second      // minimum delay after a link comes up; the maximum is twice that
	searchAgain   = 10 * time.Minute // interval of searches
	searchAgainIn = time.Minute      // interval after a size was given up or the configured one was not found
)

// SeqBit marks the sequence numbers of probes. Other Pings count from one or have the top bit set.
const SeqBit = 1 << 62

// Actions are the results of a Tick.
type Actions struct {
	Probe   int    // send a Ping in a datagram of this many bytes, then call ProbeSent; 0 for none
	Seq     uint64 // sequence number of that Ping
	GivenUp int    // datagrams of this many bytes no longer arrive, so smaller ones are used from now on; 0 for none
}

// Tick continues a search or a confirmation. rtt is the round-trip time to the peer. The caller then calls Found
// (PROTOCOL.md Z2).
func (m *Path) Tick(now time.Time, rtt time.Duration) (a Actions) {
	if next := m.NextTimeout(); next.IsZero() || next.After(now) {
		return a
	}
	switch {
	case m.trying == 0:
		m.try(now, m.candidate(Max+1))
	case m.confirming() && m.tries >= confirmTries:
		a.GivenUp = m.size
		m.stepBack(now)
	case !m.confirming() && m.tries >= searchTries:
		m.try(now, m.candidate(m.trying))
	}
	if m.trying == 0 {
		return a
	}
	m.tries++
	m.seq = SeqBit | (m.seq+1)&(SeqBit-1)
	m.probed = 0
	m.due = now.Add(max(4*rtt, probePause))
	a.Probe, a.Seq = m.trying, m.seq
	return a
}

// ProbeSent records the size of the datagram with the last probe.
func (m *Path) ProbeSent(bytes int) { m.probed = bytes }

// ProbesWhole reports whether the current probe must not be fragmented on its path. Sizes up to the configured one are
// probed in the way in which they are used.
func (m *Path) ProbesWhole() bool { return m.trying > m.cfg.Size }

// Widen searches for a larger size because a message does not fit into the one in use. It reports whether it began a
// search; the caller then calls Tick and Found (PROTOCOL.md Z1).
func (m *Path) Widen(now time.Time) bool {
	if m.trying != 0 || !m.mayWiden(now) {
		return false
	}
	m.try(now, m.candidate(Max+1))
	return true
}

// mayWiden reports whether the size in use is below the configured one and no search for that one failed recently.
func (m *Path) mayWiden(now time.Time) bool {
	return !m.fixed && !m.paused.After(now) && m.size < min(m.cfg.Size, m.peerMax)
}

// Answered processes the answer to a Ping. It reports whether the Ping was the last probe; the caller then calls Found.
func (m *Path) Answered(now time.Time, seq uint64) bool {
	if seq != m.seq || seq&SeqBit == 0 || m.trying == 0 {
		return false
	}
	if m.probed == 0 { // the probe was never sent
		return true
	}
	beyond := m.confirming() || m.probed > m.cfg.Size
	m.size, m.trying = max(m.size, m.probed), 0
	m.Arrived(now, m.probed)
	switch {
	case m.search.IsZero(), m.search.After(now):
		m.found = true
	case beyond:
		m.searchAfter(now, searchAgain)
		m.found = true
	default: // the configured size passes: the search that is due continues with larger sizes
	}
	return true
}

// candidate returns the largest size below a limit that may be probed, or 0 if there is none. Sizes above the configured
// one are probed only after that one is known to pass.
func (m *Path) candidate(below int) (best int) {
	expected := min(m.cfg.Size, m.peerMax)
	largest := m.cfg.Size
	if m.size >= expected {
		largest = m.cfg.Max
	}
	largest = min(largest, m.peerMax, below-1)
	for _, size := range append(sizes[:len(sizes):len(sizes)], m.cfg.Size, expected) {
		if size > m.size && size <= largest {
			best = max(best, size)
		}
	}
	return best
}

// try begins to probe a size. 0 ends the search.
func (m *Path) try(now time.Time, size int) {
	m.trying, m.tries, m.due = size, 0, now
	if size != 0 {
		return
	}
	again := searchAgain
	if m.size < m.cfg.Size {
		again = searchAgainIn
	}
	m.paused = now.Add(again)
	m.found = true
	if !m.search.After(now) {
		m.searchAfter(now, again)
	}
}

// searchAfter schedules the next search if the peer has a link and the node searches.
func (m *Path) searchAfter(now time.Time, after time.Duration) {
	if m.linked && !m.fixed && m.cfg.searches() {
		m.search = now.Add(after)
	}
}

// Narrow reports whether datagrams of the configured size were found not to pass.
func (m *Path) Narrow() bool {
	return !m.fixed && !m.paused.IsZero() && m.size < min(m.cfg.Size, m.peerMax)
}
