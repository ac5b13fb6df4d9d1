package direct

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/rangeset"
	"github.com/gwyh-go/gwyh/internal/timer"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// NextTimeout returns when the caller must call Due. Zero means never.
func (x *Sender) NextTimeout() time.Time { return x.timers.Next() }

// Due returns a message that is due, or nil if NextTimeout is later than now. The caller passes it to HandleTimeout with
// the state of the session with its peer.
func (x *Sender) Due(now time.Time) *Message {
	x.timers.RunNext(now)
	m := x.due
	x.due = nil
	return m
}

func (x *Sender) setTimer(m *Message, at time.Time) {
	if m.timer.Fire == nil {
		m.timer.Fire = func(time.Time) { x.due = m }
	}
	x.timers.Set(&m.timer, at)
}

// repeatLater schedules the next retransmission or the end of a message.
func (x *Sender) repeatLater(now time.Time, m *Message) {
	x.setTimer(m, timer.Soonest(now.Add(m.pause), m.Until))
}

// HandleTimeout retransmits a message that Due returned, or ends it if its time is up. If the session is unusable or the
// peer silent, the message waits for a new session.
func (x *Sender) HandleTimeout(out []Outcome, now time.Time, m *Message, s Session) []Outcome {
	x.out = out
	switch {
	case !now.Before(m.Until) && m.peer == nil:
		x.end(m, ErrNoSession)
	case !now.Before(m.Until):
		x.end(m, ErrUnanswered)
	case m.peer == nil:
		x.setTimer(m, m.Until)
	case s.stale(now, m.pause):
		x.routes.Delete(m.To)
		x.wait(m)
	case s.Unwritten:
		x.repeatLater(now, m)
	default:
		x.repeat(m, rangeset.Range{})
		m.pause = min(2*m.pause, repeatMax)
		x.repeatLater(now, m)
	}
	return x.take()
}

// stale reports whether a new handshake is needed. pause is the time for which the acknowledgement was awaited.
func (s *Session) stale(now time.Time, pause time.Duration) bool {
	return !s.Current || now.Sub(s.Heard) > max(redialIdle, 2*pause)
}

// PROTOCOL.md U4.
func (x *Sender) repeat(m *Message, missing rangeset.Range) {
	if m.Large == nil {
		x.Stats.Resent++
	}
	x.add(Outcome{Kind: Repeat, Message: m, Peer: m.peer, Missing: missing})
}

// HandleAck processes an acknowledgement of m by from. Awaited returned m for the id of ack; m may be nil. HandleAck
// ends a completely acknowledged message. Otherwise it repeats the first bytes that the receiver lacks, unless sending
// says that a part of the message has not been sent yet.
func (x *Sender) HandleAck(out []Outcome, now time.Time, m *Message, ack wire.DirectAck, from *Peer, roundTrip time.Duration, sending bool) []Outcome {
	if m == nil || ack.Upto > uint32(m.Size()) {
		return out
	}
	x.out = out
	if ack.Upto == uint32(m.Size()) {
		x.end(m, nil)
		return x.take()
	}
	if sending || m.peer != from || !m.unfinished(ack) {
		return x.take()
	}
	if ack.Upto > m.upto { // the receiver made progress
		m.upto, m.pause = ack.Upto, max(4*roundTrip, repeatMin)
		x.repeatLater(now, m)
	}
	x.repeat(m, rangeset.Range{From: ack.Upto, To: ack.Next})
	return x.take()
}
