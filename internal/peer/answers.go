package peer

import "time"

// Answer sends an answer to the packet in progress, with other answers to it in as few datagrams as hold them. The caller calls EndPacket when
// the packet has been taken in.
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

// EndPacket sends the answers to a packet that wait, and asks for packets that are missing and due. It sets the timer for those that will be.
func (ch *Channel) EndPacket(now time.Time) {
	if len(ch.peer.endpoint.answers) > 0 {
		ch.sendAnswers(now)
	}
	ch.askMissing(now)
}
