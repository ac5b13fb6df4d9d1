package gossip

import (
	"encoding/binary"
	"fmt"
	"math"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// A StateTooLargeError ends a Join if the application's state of either side is larger than a message.
type StateTooLargeError struct {
	Size, Max int  // bytes
	Theirs    bool // the other side's, not ours
}

func (e *StateTooLargeError) Error() string {
	whose := "this node's"
	if e.Theirs {
		whose = "the other node's"
	}
	return fmt.Sprintf("%s state has %d bytes, of which at most %d can be sent", whose, e.Size, e.Max)
}

// answerLargeState goes on with an exchange although our own state is larger than a message. A Join that somebody
// waits for fails. Any other exchange tells the peer the size instead, and brings the peer's state.
func (c *Core) answerLargeState(now time.Time, e *exchange, size int) {
	c.stats.StatesTooLarge++
	c.warn(now, "own state", "LocalState returned %d bytes, of which at most %d can be sent: no other node gets it", size, MessageMax)
	told := binary.BigEndian.AppendUint64(nil, uint64(size))
	switch {
	case !e.ours:
		c.answerPush(now, e, wire.UseLargeAnswer, told)
	case e.join.tokenOrNone() != 0:
		c.endExchange(now, e, &StateTooLargeError{Size: size, Max: MessageMax})
	default:
		e.use, e.own = wire.UseLargePush, told
		c.push(now, e)
	}
}

// handleLargeState takes the size of a state that the peer cannot send. It ends an exchange of ours; one of the
// peer's goes on, because the peer wants our state.
func (c *Core) handleLargeState(now time.Time, e *exchange, data []byte) {
	p, size := e.peer, binary.BigEndian.Uint64(data)
	if size <= MessageMax {
		c.drop(DropMalformedBody)
		c.endExchange(now, e, nil)
		return
	}
	c.stats.StatesTooLarge++
	c.warn(now, "state", "the state of %q at %s has %d bytes, of which at most %d can be sent: it is not merged",
		c.nameOf(p), p.set.Path().Remote, size, MessageMax)
	if e.ours {
		c.endExchange(now, e, &StateTooLargeError{Size: int(min(size, math.MaxInt)), Max: MessageMax, Theirs: true})
		return
	}
	e.phase = asked
	c.askState(e)
}
