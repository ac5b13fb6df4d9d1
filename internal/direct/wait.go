package direct

import (
	"slices"
	"time"
)

// mayWait reports whether a further message of size bytes may wait for a session.
func (x *Sender) mayWait(size int) bool {
	for _, m := range x.waiting {
		size += m.Size()
	}
	return len(x.waiting) < WaitingMax && size <= WaitingBytes
}

// wait makes a message wait for a session with the node at its address. It begins a handshake unless another message
// waits for one.
func (x *Sender) wait(m *Message) {
	m.peer = nil
	i := slices.IndexFunc(x.waiting, func(o *Message) bool { return o.To == m.To })
	x.waiting = append(x.waiting, m)
	if i >= 0 {
		m.dial = x.waiting[i].dial
	} else {
		x.lastDial++
		m.dial = x.lastDial
		x.add(Outcome{Kind: Dial, To: m.To, Until: m.Until, Dial: m.dial})
	}
	x.setTimer(m, m.Until)
}

// takeWaiting removes and returns the messages that wait for one of the given handshakes.
func (x *Sender) takeWaiting(dials ...uint64) (taken []*Message) {
	x.waiting = slices.DeleteFunc(x.waiting, func(m *Message) bool {
		ours := slices.Contains(dials, m.dial)
		if ours {
			taken = append(taken, m)
		}
		return ours
	})
	return taken
}

// SessionReady sends p the messages that waited for one of the given handshakes, all of which ended in a session with p.
// Messages to a gwyh 0.1 node fail.
func (x *Sender) SessionReady(out []Outcome, now time.Time, p *Peer, roundTrip time.Duration, dials ...uint64) []Outcome {
	x.out = out
	for _, m := range x.takeWaiting(dials...) {
		if !p.ID.IsGo() {
			x.end(m, ErrLegacy)
			continue
		}
		x.routes.Set(m.To, p)
		x.send(now, m, p, roundTrip)
	}
	return x.take()
}

// DialFailed ends the messages that waited for a handshake that failed because of err. A message that began to wait
// later, and has time left, gets another handshake.
func (x *Sender) DialFailed(out []Outcome, now time.Time, dial uint64, err error) []Outcome {
	x.out = out
	for _, m := range x.takeWaiting(dial) {
		if m.Until.After(now) {
			x.wait(m)
		} else {
			x.end(m, err)
		}
	}
	return x.take()
}

// ReachedSelf ends the messages whose handshake reached one of this node's own addresses.
func (x *Sender) ReachedSelf(out []Outcome, dial uint64) []Outcome {
	x.out = out
	for _, m := range x.takeWaiting(dial) {
		x.end(m, ErrOneself)
	}
	return x.take()
}
