package peer

import "time"

// Answer queues an answer to the packet in progress. Answers to one packet share datagrams: a full datagram is sent at
// once, the rest by EndPacket, which the caller calls after it has processed the packet.
func (ch *Channel) Answer(now time.Time, plain []byte) {
	e := ch.peer.endpoint
	if len(e.answers) > 0 && len(e.answers)+len(plain) > ch.peer.Room() {
		ch.sendAnswers(now)
	}
	e.answers = append(e.answers, plain...)
}

func (ch *Channel) sendAnswers(now time.Time) {
	e := ch.peer.endpoint
	ch.Send(now, ch.peer.sessions.Path(), e.answers)
	e.answers = e.answers[:0]
}

// EndPacket sends the queued answers to a packet and the Naks that are due. It sets the timer for later Naks.
func (ch *Channel) EndPacket(now time.Time) {
	if len(ch.peer.endpoint.answers) > 0 {
		ch.sendAnswers(now)
	}
	ch.askMissing(now)
}
