package ping

import (
	"bytes"
	"time"
)

// PayloadMax is the maximum size in bytes of the payload of an Ack, so that it fits into any datagram.
const PayloadMax = 1024

// A Payload is the content of answers to Pings. After an answer is sent, the application is asked for new content, at
// most once per interval. The zero value is empty.
type Payload struct {
	data    []byte
	askedAt time.Time
	waits   bool // the application has not answered yet
}

// Data returns the payload, which is read-only.
func (p *Payload) Data() []byte { return p.data }

// Want reports whether to ask the application for a payload: it has answered the last question, which was at least
// interval ago. The core then calls Set with the answer.
func (p *Payload) Want(now time.Time, interval time.Duration) bool {
	if p.waits || now.Sub(p.askedAt) < interval {
		return false
	}
	p.waits, p.askedAt = true, now
	return true
}

// Set stores a copy of the application's answer. If it exceeds PayloadMax bytes, Set returns false and the payload
// becomes empty.
func (p *Payload) Set(b []byte) bool {
	p.waits = false
	if len(b) > PayloadMax {
		p.data = nil
		return false
	}
	p.data = bytes.Clone(b)
	return true
}
