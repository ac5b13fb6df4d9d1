package ping

import (
	"bytes"
	"time"
)

// PayloadMax bounds what the answer to a Ping carries, so that it fits into any datagram.
const PayloadMax = 1024

// A Payload is what answers to Pings carry. The application is asked for it anew, at most once in an interval, when an
// answer was sent: its next one may differ. The zero value is empty.
type Payload struct {
	data  []byte
	asked time.Time
	waits bool // for the application's answer
}

// Data returns the payload, which is read-only.
func (p *Payload) Data() []byte { return p.data }

// Want reports whether to ask the application for a payload: it has answered the last question, which was at least an
// interval ago. The core answers with Set.
func (p *Payload) Want(now time.Time, interval time.Duration) bool {
	if p.waits || now.Sub(p.asked) < interval {
		return false
	}
	p.waits, p.asked = true, now
	return true
}

// Set takes the application's answer, of which it keeps a copy. If it has more than PayloadMax bytes, Set returns false
// and nothing is sent in its place.
func (p *Payload) Set(b []byte) bool {
	p.waits = false
	if len(b) > PayloadMax {
		p.data = nil
		return false
	}
	p.data = bytes.Clone(b)
	return true
}
