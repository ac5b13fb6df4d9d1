package session

import (
	"container/heap"
	"encoding/binary"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// A world has two ends with a Set each, a network between them, and virtual time. The ends behave as a core does,
// with handshakes (their packets can be lost too, but their cryptography is omitted), identity boxes, heartbeats,
// pings and acks.
type world struct {
	t      testing.TB
	now    time.Time
	events events
	order  int
	source *rand.ChaCha8
	rng    *rand.Rand
	loss   float64 // of each datagram
	twice  float64 // chance that a datagram arrives twice
	deaf   bool    // nothing is delivered
	suite  Suite
	low    *end
	high   *end
}

// An end is one of the two nodes.
type end struct {
	w       *world
	id      wire.NodeID
	addr    wire.Path // its address in the network; a NAT may change it
	set     *Set
	byNonce map[[16]byte]*Session
	over    map[[16]byte]bool // sessions that have ended
	peer    *end
	hears   bool // if false, it accepts no handshake, as a node with another key

	confirmed int // sessions
	renewals  int // requests
	lost      int // boxes under sessions that have ended
	replays   int
	heard     int       // heartbeats
	heardAt   time.Time // time of the last one
	moved     int       // changes of path
	probes    []Probe   // all that were requested
	closed    []Closed
}

type event struct {
	at    time.Time
	order int
	do    func()
}

type events []event

func (e events) Len() int { return len(e) }
func (e events) Less(i, j int) bool {
	if c := e[i].at.Compare(e[j].at); c != 0 {
		return c < 0
	}
	return e[i].order < e[j].order
}
func (e events) Swap(i, j int) { e[i], e[j] = e[j], e[i] }
func (e *events) Push(x any)   { *e = append(*e, x.(event)) }
func (e *events) Pop() any {
	last := (*e)[len(*e)-1]
	*e = (*e)[:len(*e)-1]
	return last
}

func newWorld(t testing.TB, seed byte) *world {
	w := &world{t: t, now: epoch, source: random(seed), suite: Null}
	w.rng = rand.New(w.source)
	w.low = &end{w: w, id: lowID, addr: lowPath, hears: true}
	w.high = &end{w: w, id: highID, addr: highPath, hears: true}
	w.low.peer, w.high.peer = w.high, w.low
	for _, e := range []*end{w.low, w.high} {
		e.set = NewSet(e.id, e.peer.id, w.source)
		e.byNonce, e.over = map[[16]byte]*Session{}, map[[16]byte]bool{}
	}
	return w
}

func (w *world) after(d time.Duration, do func()) {
	w.order++
	heap.Push(&w.events, event{at: w.now.Add(d), order: w.order, do: do})
}

// run lets d pass.
func (w *world) run(d time.Duration) {
	w.t.Helper()
	until := w.now.Add(d)
	for {
		at := until
		if len(w.events) > 0 && w.events[0].at.Before(at) {
			at = w.events[0].at
		}
		for _, e := range []*end{w.low, w.high} {
			if next := e.set.NextTimeout(); !next.IsZero() && next.Before(at) {
				at = next
			}
		}
		if at.After(w.now) {
			w.now = at
		}
		if !w.now.Before(until) {
			return
		}
		w.low.handleTimeout()
		w.high.handleTimeout()
		for len(w.events) > 0 && !w.events[0].at.After(w.now) {
			heap.Pop(&w.events).(event).do()
		}
	}
}

// deliver calls do after a delay, unless the network loses the datagram.
func (w *world) deliver(do func()) {
	if w.deaf || w.rng.Float64() < w.loss {
		return
	}
	w.after(time.Duration(5+w.rng.IntN(40))*time.Millisecond, do)
	if w.rng.Float64() < w.twice {
		w.after(time.Duration(5+w.rng.IntN(100))*time.Millisecond, do)
	}
}

// send sends a datagram. The node that has the address when it arrives receives it.
func (w *world) send(from wire.Path, to wire.Path, datagram []byte) {
	w.deliver(func() {
		for _, e := range []*end{w.low, w.high} {
			if e.addr == to {
				e.receive(from, datagram)
			}
		}
	})
}

// The plaintexts of the ends are a kind and a number.
const (
	identity  = 'I'
	heartbeat = 'H'
	ping      = 'P'
	ack       = 'A'
)

func (e *end) sealed(s *Session, kind byte, number uint64) []byte {
	return s.Seal(e.w.now, nil, binary.BigEndian.AppendUint64([]byte{kind}, number))
}

func (e *end) sendUnder(s *Session, to wire.Path, kind byte, number uint64) {
	e.w.send(e.addr, to, e.sealed(s, kind, number))
}

func (e *end) receive(from wire.Path, datagram []byte) {
	p := parse(e.w.t, datagram)
	s := e.byNonce[[16]byte(p.Box.Nonce[:16])]
	if s == nil {
		if e.over[[16]byte(p.Box.Nonce[:16])] {
			e.lost++
		}
		return
	}
	plain, err := s.Open(e.w.now, p)
	if err == ErrReplay {
		e.replays++
		return
	}
	if err != nil {
		e.w.t.Errorf("%v: box from %v: %v", e.id, from.Remote, err)
		return
	}
	if e.set.Opened(e.w.now, s, from) {
		e.confirmed++
	}
	switch number := binary.BigEndian.Uint64(plain[1:]); plain[0] {
	case heartbeat:
		e.heard++
		e.heardAt = e.w.now
	case ping:
		e.sendUnder(s, from, ack, number)
	case ack:
		e.set.ProbeAnswered(e.w.now, number)
	}
}

func (e *end) handleTimeout() {
	a := e.set.HandleTimeout(e.w.now)
	if next := e.set.NextTimeout(); !next.IsZero() && !next.After(e.w.now) {
		e.w.t.Fatalf("after HandleTimeout at %v the next is at %v", e.w.now, next)
	}
	for _, c := range a.Closed {
		e.forget(c.Session)
	}
	e.closed = append(e.closed, a.Closed...)
	if a.Renew {
		e.renewals++
		e.handshake()
	}
	for _, p := range a.Probes {
		e.sendUnder(p.Session, p.To, ping, p.Token)
	}
	e.probes = append(e.probes, a.Probes...)
	if a.PathChanged {
		e.moved++
	}
}

// add adds a session to the set, as a core does after a handshake.
func (e *end) add(p Params) *Session {
	s := New(e.w.now, p)
	for _, old := range e.set.Add(e.w.now, s) {
		e.forget(old)
	}
	e.byNonce[s.Prefix()] = s
	return s
}

var handshakeRepeats = []time.Duration{0, 100 * time.Millisecond, 300 * time.Millisecond, time.Second, 3 * time.Second}

func (e *end) forget(s *Session) {
	delete(e.byNonce, s.Prefix())
	e.over[s.Prefix()] = true
}

// handshake starts a handshake from e: Hello and Ohai are one event, then OkBoss and identity until a box opens.
func (e *end) handshake() {
	p, q := params(e.w.source, e.w.now, e.id == lowID, e.w.suite)
	if e.id != lowID {
		p, q = q, p
	}
	p.Path, q.Path = e.peer.addr, e.addr
	begun := false
	for _, d := range handshakeRepeats {
		e.w.after(d, func() { e.hello(&begun, p, q) })
	}
}

func (e *end) hello(begun *bool, p, q Params) {
	if *begun || !e.peer.hears {
		return
	}
	e.w.deliver(func() {
		e.w.deliver(func() {
			if *begun {
				return
			}
			*begun = true
			a := &attempt{from: e, q: q, s: e.add(p)}
			a.identity = e.sealed(a.s, identity, 0)
			for _, d := range handshakeRepeats {
				e.w.after(d, a.okBoss)
			}
		})
	})
}

// An attempt is a handshake whose Ohai has arrived.
type attempt struct {
	from     *end
	s        *Session // the initiator's
	identity []byte   // its first box
	q        Params
	r        *Session // the responder's, after an OkBoss has arrived
	answer   []byte   // its first box
}

// okBoss sends the OkBoss, which makes the responder's session, and the identity. A repetition gets the stored answer.
func (a *attempt) okBoss() {
	e := a.from
	if a.s.Confirmed() || a.s.Closed() {
		return
	}
	e.w.deliver(func() {
		if a.r == nil {
			a.r = e.peer.add(a.q)
			a.answer = e.peer.sealed(a.r, identity, 0)
		}
		e.w.send(e.peer.addr, a.q.Path, a.answer)
	})
	e.w.send(e.addr, a.s.Path(), a.identity)
}

// heartbeats sends one now and after every interval, from both ends, until the world ends.
func (w *world) heartbeats(interval time.Duration) {
	for _, e := range []*end{w.low, w.high} {
		e.beat(interval)
	}
}

func (e *end) beat(interval time.Duration) {
	if s := e.set.Current(e.w.now); s != nil {
		e.sendUnder(s, e.set.Path(), heartbeat, 0)
	}
	e.w.after(interval, func() { e.beat(interval) })
}

// connect makes one session by a handshake of the lower id and links both ends.
func (w *world) connect() {
	w.t.Helper()
	w.low.handshake()
	w.run(5 * time.Second)
	if w.low.set.Current(w.now) == nil || w.high.set.Current(w.now) == nil {
		w.t.Fatal("the ends have no session")
	}
	w.low.set.SetLinked(w.now, true)
	w.high.set.SetLinked(w.now, true)
}

// works reports whether a box that e seals now would open at its peer.
func (e *end) works() bool {
	s := e.set.Current(e.w.now)
	if s == nil {
		return false
	}
	there := e.peer.byNonce[s.Prefix()]
	return there != nil && !there.Closed()
}
