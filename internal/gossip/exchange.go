package gossip

import (
	"errors"
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/timer"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// StateToken names an exchange in the events that ask the application, and in the commands that answer.
type StateToken uint64

// Bounds of exchanges (docs/PROTOCOL.md, "State of the application").
const (
	oursMax       = 4                      // exchanges of states that we have begun; as many of rolls
	theirsMax     = 64                     // exchanges that others have begun here
	theirsSize    = 2 * MessageMax         // bytes that they declare for those
	pushBurst     = 8                      // exchanges that one peer may begin in a row,
	pushEvery     = 2 * time.Second        // and one more after each of these
	exchangeFor   = 2 * time.Minute        // how long one that nobody waits for may take
	answerFor     = time.Minute            // how long an answer is repeated
	refusalPause  = 50 * time.Millisecond  // between refusals told to one peer
	exchangeRetry = 250 * time.Millisecond // until one that a Join waits for is tried again, up to twice that
	exchangeCheck = 5 * time.Second        // until an exchange is looked at that waits for the rest of a push
)

// Errors of exchanges.
var (
	ErrStateTimeout = errors.New("shook hands, but the exchange of the applications' states did not end in time")
	errStateRefused = errors.New("the other side takes no state now")
)

// phase is how far an exchange has come.
type phase uint8

const (
	receiving phase = iota // theirs: the push is on its way
	asked                  // the application is asked
	ready                  // ours: the push may go out, or waits for another try
	pushed                 // ours: the answer is waited for
	merging                // the application has, or is about to have, what the peer sent
)

// exchange is one exchange of what two nodes hold: the states of their applications, or all the members
// they know. The push of one draws the answer of the other.
type exchange struct {
	token StateToken
	peer  *peer
	use   wire.Use       // of the push
	id    wire.MessageID // of the push
	ours  bool           // we began it
	join  *join          // that waits for it; nil for none
	phase phase
	total int       // bytes of the push, as the peer declared them
	own   []byte    // ours: our state, until the answer came
	got   []byte    // what the peer sent, until the application gets it
	out   *outgoing // our push, until it is acknowledged
	node  *Member   // of a roll: the peer itself, if it is to be judged
	vote  VoteToken // of a roll: the question about node; 0 for none
	until time.Time // of ours: when it fails; of theirs: when it is merged though the peer is no member
	timer timer.Timer
}

// rolls reports whether the exchange is of members.
func (e *exchange) rolls() bool { return e.use == wire.UseRoll }

// answerID is the id of the answer to a push.
func answerID(push wire.MessageID) wire.MessageID {
	push[15] ^= 1
	return push
}

// exchanges is what a core exchanges with others.
type exchanges struct {
	last   StateToken
	byID   map[StateToken]*exchange
	count  [2]int      // of ours: of states, of rolls
	theirs []*exchange // in the order they were begun
	size   int         // bytes that theirs declare
}

// pushes are the exchanges of one peer.
type pushes struct {
	ours, asking *exchange // that we began: of states, of members
	theirs       *exchange // that it began
	level        float64   // exchanges that it may still begin
	since        time.Time // when level was true
	refused      time.Time // when it was last refused one
	introduced   bool      // its own entry has come since the last handshake, and it has not died since
	vetoed       bool      // its own entry is kept out
	vote         *vote     // about its own entry
	approved     *Member   // its own entry that the application has admitted, until it is a member; nil for none
}

// slot is where the exchange of that kind which we began with a peer stands.
func (x *pushes) slot(rolls bool) **exchange {
	if rolls {
		return &x.asking
	}
	return &x.ours
}

// may reports whether the peer may begin one more exchange.
func (x *pushes) may(now time.Time) bool {
	if x.since.IsZero() {
		x.level = pushBurst
	} else {
		x.level = min(x.level+now.Sub(x.since).Seconds()/pushEvery.Seconds(), pushBurst)
	}
	x.since = now
	if x.level < 1 {
		return false
	}
	x.level--
	return true
}

// begin begins an exchange with p, unless one like it is under way or there are too many.
func (c *Core) begin(now time.Time, p *peer, use wire.Use, j *join, until time.Time) *exchange {
	e := &exchange{peer: p, use: use, ours: true, join: j, until: until, phase: asked}
	slot := p.slot(e.rolls())
	n := &c.exchanges.count[btoi(e.rolls())]
	if *slot != nil || *n >= oursMax {
		return nil
	}
	*n++
	*slot = e
	c.register(e)
	e.timer.Fire = func(now time.Time) { c.tickOurs(now, e) }
	c.timers.Set(&e.timer, until)
	return e
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (c *Core) register(e *exchange) {
	x := &c.exchanges
	if x.byID == nil {
		x.byID = make(map[StateToken]*exchange)
	}
	x.last++
	e.token = x.last
	x.byID[e.token] = e
}

// tickOurs tries again to push, or gives up.
func (c *Core) tickOurs(now time.Time, e *exchange) {
	switch {
	case !now.Before(e.until):
		c.endExchange(now, e, ErrStateTimeout)
	case e.phase == ready:
		c.push(now, e)
	default:
		c.timers.Set(&e.timer, e.until)
	}
}

// push sends what we have, if the Join that it is for is agreed upon.
func (c *Core) push(now time.Time, e *exchange) {
	e.phase = ready
	if e.join != nil && !e.join.agreed && !e.rolls() {
		return
	}
	data := e.own
	if e.rolls() {
		data = c.roll(e.peer)
	}
	if len(data) > MessageMax {
		c.endExchange(now, e, errRollTooLarge(len(data)))
		return
	}
	o := &outgoing{id: c.newDirectID(), to: e.peer.set.Path().Remote, use: e.use, until: e.until}
	o.done = func(now time.Time, err error) { c.pushEnded(now, e, o, err) }
	if err := c.submit(now, o, e.peer, data); err != nil {
		c.pushLater(now, e)
		return
	}
	c.stats.StatesSent++
	c.noteState(e, &c.stats.StateLocal, len(data))
	e.id, e.out, e.phase = o.id, o, pushed
	c.timers.Set(&e.timer, e.until)
}

func (c *Core) pushLater(now time.Time, e *exchange) {
	e.phase = ready
	at := now.Add(exchangeRetry + time.Duration(c.rng.Int64N(int64(exchangeRetry))))
	if e.until.Before(at) {
		at = e.until
	}
	c.timers.Set(&e.timer, at)
}

// pushEnded hears that a push has come, or will not.
func (c *Core) pushEnded(now time.Time, e *exchange, o *outgoing, err error) {
	if e.out == o {
		if e.out = nil; err != nil {
			c.endExchange(now, e, err)
		}
	}
}

// withdraw stops what is being sent of an exchange.
func (c *Core) withdraw(now time.Time, e *exchange) {
	if o := e.out; o != nil {
		e.out = nil
		c.endSend(now, o, nil)
	}
}

// answeredBy reports whether a use answers the push of an exchange.
func (e *exchange) answeredBy(u wire.Use) bool {
	if e.rolls() {
		return u == wire.UseRollAnswer || u == wire.UseVeto
	}
	return u == e.use.Answer() || u == wire.UseLargeAnswer
}

// rightSize reports whether the content of a message of an exchange may have so many bytes.
func rightSize(u wire.Use, total uint32) bool {
	switch {
	case u.TellsSize():
		return total == wire.StateSizeLen
	case u == wire.UseVeto:
		return total <= wire.ReasonMax
	}
	return true
}

// expected decides about a piece of a push or an answer before anything of it is kept.
func (c *Core) expected(now time.Time, p *peer, id wire.MessageID, d wire.Direct) bool {
	if !rightSize(d.Use, d.Total) {
		c.drop(DropMalformedBody)
		return false
	}
	if !d.Use.IsAnswer() {
		if e := p.theirs; e != nil && e.id == id {
			if e.phase == receiving && int(d.Total) != e.total {
				c.drop(DropUnexpected)
				return false
			}
			return e.phase == receiving
		}
		return c.admitPush(now, p, id, d)
	}
	e := *p.slot(d.Use.OfRoll())
	if e == nil || e.phase != pushed || !e.answeredBy(d.Use) || id != answerID(e.id) {
		c.drop(DropUnexpected)
		return false
	}
	return true
}

// admitPush begins an exchange that p asks for, if the bounds allow it. One that has no state of an
// application is answered at once with none.
func (c *Core) admitPush(now time.Time, p *peer, id wire.MessageID, d wire.Direct) bool {
	switch {
	case d.Use != wire.UseRoll && !c.cfg.State && c.self.Live():
		if now.Sub(p.refused) >= refusalPause {
			p.refused = now
			c.plain = wire.AppendDirect(c.plain[:0], answerID(id), wire.Direct{Use: d.Use.Answer()})
			c.sendPlain(now, p, c.plain)
		}
		return false
	case !c.self.Live(), p.theirs != nil && !c.giveWay(now, p.theirs), !c.makeWay(now, int(d.Total)), !p.may(now):
		c.stats.StatesRefused++
		if now.Sub(p.refused) >= refusalPause {
			p.refused = now
			c.refuse(now, p, id)
		}
		return false
	}
	x := &c.exchanges
	e := &exchange{peer: p, use: d.Use, id: id, total: int(d.Total)}
	c.register(e)
	x.theirs = append(x.theirs, e)
	x.size += e.total
	p.theirs = e
	e.timer.Fire = func(now time.Time) { c.tickTheirs(now, e) }
	c.timers.Set(&e.timer, now.Add(exchangeCheck))
	return true
}

// makeWay makes room for one more exchange of others, of which those that stand still give way.
func (c *Core) makeWay(now time.Time, size int) bool {
	x := &c.exchanges
	for _, e := range slices.Clone(x.theirs) {
		if len(x.theirs) < theirsMax && x.size+size <= theirsSize {
			break
		}
		c.giveWay(now, e)
	}
	return len(x.theirs) < theirsMax && x.size+size <= theirsSize
}

// giveWay ends an exchange of another whose push does not get on, and reports whether it did.
func (c *Core) giveWay(now time.Time, e *exchange) bool {
	if e.phase != receiving {
		return false
	}
	if a := e.peer.receivingOf(e.id); a != nil && now.Sub(a.progress) <= stallGrace {
		return false
	}
	c.endExchange(now, e, nil)
	return true
}

// receivingOf is the large direct message of an id that p has begun; nil for none.
func (p *peer) receivingOf(id wire.MessageID) *assembly {
	for _, a := range p.receiving {
		if a.direct && a.id == id && a.chunks != nil {
			return a
		}
	}
	return nil
}

// tickTheirs ends an exchange whose push does not come whole, and merges a state that has waited long enough.
func (c *Core) tickTheirs(now time.Time, e *exchange) {
	if e.phase == merging && e.got != nil {
		c.merge(now, e)
	}
	if e.phase != receiving {
		return
	}
	if e.peer.receivingOf(e.id) == nil {
		c.endExchange(now, e, nil)
		return
	}
	c.timers.Set(&e.timer, now.Add(exchangeCheck))
}

// refuse tells p that a push of its is not taken.
func (c *Core) refuse(now time.Time, p *peer, push wire.MessageID) {
	c.plain = wire.AppendStateRefused(c.plain[:0], c.newID(), push)
	c.sendPlain(now, p, c.plain)
}

// handleStateRefused ends an exchange of ours, or puts it off if a Join waits for it.
func (c *Core) handleStateRefused(now time.Time, p *peer, data []byte) {
	id, err := wire.ParseStateRefused(data)
	if err != nil {
		c.drop(DropMalformedBody)
		return
	}
	for _, e := range []*exchange{p.ours, p.asking} {
		switch {
		case e == nil || e.phase != pushed || e.id != id:
		case e.join != nil:
			c.withdraw(now, e)
			c.pushLater(now, e)
		default:
			c.endExchange(now, e, errStateRefused)
		}
	}
}

// handleExchanged takes in a push or an answer that has come whole, and was expected.
func (c *Core) handleExchanged(now time.Time, p *peer, use wire.Use, id wire.MessageID, data []byte) {
	e := p.theirs
	if use.IsAnswer() {
		e = *p.slot(use.OfRoll())
	}
	if e == nil || e.ours != use.IsAnswer() || e.ours && (e.phase != pushed || id != answerID(e.id)) || !e.ours && e.id != id {
		c.drop(DropUnexpected)
		return
	}
	switch {
	case use.TellsSize():
		c.handleLargeState(now, e, data)
		return
	case use == wire.UseVeto:
		c.handleVeto(now, e, data)
		return
	}
	if len(data) > 0 {
		c.stats.StatesReceived++
	}
	c.noteState(e, &c.stats.StateRemote, len(data))
	e.got = data
	switch {
	case e.rolls():
		c.judgeRoll(now, e)
	case e.ours:
		c.withdraw(now, e)
		e.own, e.phase = nil, merging
		c.merge(now, e)
	default:
		e.phase = asked
		c.askState(e)
	}
}

// noteState keeps the size of a state of an application; rolls of members are none.
func (c *Core) noteState(e *exchange, of *int, size int) {
	if !e.rolls() {
		*of = size
	}
}

// answer sends what answers a push. If there is no room for that it refuses the push, and reports false.
func (c *Core) answer(now time.Time, e *exchange, use wire.Use, data []byte) bool {
	o := &outgoing{id: answerID(e.id), to: e.peer.set.Path().Remote, use: use, until: now.Add(answerFor), done: func(time.Time, error) {}}
	if err := c.submit(now, o, e.peer, data); err != nil {
		c.stats.StatesRefused++
		c.refuse(now, e.peer, e.id)
		return false
	}
	c.stats.StatesSent++
	c.noteState(e, &c.stats.StateLocal, len(data))
	return true
}

// endExchange forgets an exchange.
func (c *Core) endExchange(now time.Time, e *exchange, err error) {
	x := &c.exchanges
	if x.byID[e.token] != e {
		return
	}
	delete(x.byID, e.token)
	delete(c.votes.rolls, e.vote)
	c.timers.Stop(&e.timer)
	c.withdraw(now, e)
	if !e.ours {
		x.theirs = slices.DeleteFunc(x.theirs, func(o *exchange) bool { return o == e })
		x.size -= e.total
		e.peer.theirs = nil
		return
	}
	x.count[btoi(e.rolls())]--
	*e.peer.slot(e.rolls()) = nil
	if j := e.join; j != nil {
		c.exchangeEnded(now, j, e, err)
	}
	c.advanceJoins(now)
}

// dropExchanges ends what was exchanged with a peer that is gone.
func (c *Core) dropExchanges(now time.Time, p *peer) {
	for _, e := range []*exchange{p.ours, p.asking, p.theirs} {
		if e != nil {
			c.endExchange(now, e, ErrPeerGone)
		}
	}
}
