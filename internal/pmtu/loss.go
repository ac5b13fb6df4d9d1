package pmtu

import "time"

const (
	lostMax = 8           // lost datagrams of a size that was just seen to arrive, with none of it arriving, before it is probed
	recent  = time.Second // how long the arrival of a datagram shows that its size passes
)

// passes reports whether a datagram of so many bytes would arrive unless it was lost by chance: any path carries it, or
// one as large arrived lately.
func (m *Path) passes(now time.Time, bytes int) bool {
	return bytes <= Min || bytes <= m.arrived && now.Sub(m.arrivedAt) <= recent
}

// Risky reports whether a datagram of so many bytes may be too large for its path, so that its loss has to be noticed even
// if nothing is sent after it: none as large arrived lately, or one was lost since.
func (m *Path) Risky(now time.Time, bytes int) bool {
	return bytes > Min && (m.lost != 0 || !m.passes(now, bytes))
}

// Arrived notes that a datagram of so many bytes arrived at the peer.
func (m *Path) Arrived(now time.Time, bytes int) {
	if bytes >= m.arrived || now.Sub(m.arrivedAt) > recent {
		m.arrived, m.arrivedAt = bytes, now
	}
	if bytes >= m.lostSize {
		m.lost = 0
	}
}

// Lost notes that a datagram of so many bytes was lost. The path may have become narrower: the size in use is probed at
// once if none as large arrived lately, otherwise if several are lost in a row.
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

// Refused notes that the system itself refused a datagram of so many bytes as too large for the path, which ends the use,
// or the probing, of that size. It reports whether it was a datagram of the size in use, so that what was refused has to
// be sent again.
func (m *Path) Refused(now time.Time, bytes int) (used bool) {
	if used = bytes <= m.size; used {
		m.confirm(now)
	}
	if m.trying != 0 {
		m.tries, m.due = confirmTries, now
	}
	return used
}

// confirm probes the size in use. Datagrams are small meanwhile.
func (m *Path) confirm(now time.Time) {
	if !m.confirming() && m.size > Min {
		m.try(now, m.size)
	}
}

// stepBack gives up the size in use, because neither datagrams of it nor probes arrive. The configured size is probed
// next if it is smaller.
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
