package pmtu

import "time"

const (
	lostMax = 8           // consecutive lost datagrams after which a size that recently passed is probed again
	recent  = time.Second // time for which the arrival of a datagram proves that its size passes
)

// passes reports whether a datagram of the given size would arrive unless it is lost by chance: any path carries it, or
// one at least as large arrived recently.
func (m *Path) passes(now time.Time, bytes int) bool {
	return bytes <= Min || bytes <= m.arrived && now.Sub(m.arrivedAt) <= recent
}

// Risky reports whether a datagram may be too large for its path, because none as large arrived recently or one was lost
// since. The loss of such a datagram must be noticed even if nothing is sent after it.
func (m *Path) Risky(now time.Time, bytes int) bool {
	return bytes > Min && (m.lost != 0 || !m.passes(now, bytes))
}

// Arrived records that a datagram of the given size arrived at the peer.
func (m *Path) Arrived(now time.Time, bytes int) {
	if bytes >= m.arrived || now.Sub(m.arrivedAt) > recent {
		m.arrived, m.arrivedAt = bytes, now
	}
	if bytes >= m.lostSize {
		m.lost = 0
	}
}

// Lost records that a datagram of the given size was lost. The path may have become narrower: the size in use is probed
// at once if none as large arrived recently, otherwise after several consecutive losses (PROTOCOL.md Z3).
func (m *Path) Lost(now time.Time, bytes int) {
	if bytes <= Min || bytes > m.size {
		return
	}
	if m.lost++; m.lost == 1 || bytes < m.lostSize {
		m.lostSize = bytes
	}
	if m.lost >= lostMax || !m.passes(now, bytes) {
		m.confirm(now)
	}
}

// Refused records that the operating system refused a datagram as too large for the path. This ends the use or the
// probing of its size. Refused reports whether the datagram had a size in use, so that its content must be sent again.
func (m *Path) Refused(now time.Time, bytes int) (used bool) {
	if used = bytes <= m.size; used {
		m.confirm(now)
	}
	if m.trying != 0 {
		m.tries, m.due = confirmTries, now
	}
	return used
}

// confirm probes the size in use. Until it is confirmed, datagrams are small.
func (m *Path) confirm(now time.Time) {
	if !m.confirming() && m.size > Min {
		m.try(now, m.size)
	}
}

// stepBack gives up the size in use, because neither its datagrams nor its probes arrive. If the configured size is
// smaller, it is probed next.
func (m *Path) stepBack(now time.Time) {
	m.lost, m.arrived = 0, 0
	if m.size > m.cfg.Size {
		m.size = m.cfg.Size
	} else {
		m.size = min(m.size, Min)
	}
	m.reported = m.size
	m.searchAfter(now, searchAgainIn)
	if m.size > Min {
		m.try(now, m.size)
		return
	}
	m.trying, m.paused = 0, now.Add(searchAgainIn)
}
