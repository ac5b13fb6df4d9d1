package node

import (
	"cmp"
	"errors"
	"net/netip"
	"sync"
	"time"

	"github.com/gwyh-go/gwyh/internal/carrier"
	"github.com/gwyh-go/gwyh/internal/event"
	"github.com/gwyh-go/gwyh/internal/gossip"
	"github.com/gwyh-go/gwyh/internal/intake"
	"github.com/gwyh-go/gwyh/internal/outbox"
	"github.com/gwyh-go/gwyh/internal/telemetry"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// ErrShutdown is returned by calls on a Node that has been shut down.
var ErrShutdown = errors.New("the node is shut down")

// A loop is the goroutine that owns the core. It passes datagrams and calls to the core and sends the core's
// datagrams. It blocks in one place only, Carrier.Wait.
type loop struct {
	core    *gossip.Core // owned by the loop
	carrier *carrier.Carrier
	clock   clock

	small  int          // maximum size in bytes of a message that goes through queue
	queue  intake.Queue // small broadcasts of the application that the loop has not taken yet
	calls  chan *call
	stop   chan struct{}  // closed by Shutdown
	ended  chan struct{}  // closed when the loop has ended
	others sync.WaitGroup // all goroutines that Shutdown waits for, including the loop
}

// A call is a function that the loop runs. done is closed after the datagrams that f causes have been sent.
type call struct {
	f    func(now time.Time)
	done chan struct{}
}

// An owner receives the loop's results. The loop calls it, so it must not block.
type owner interface {
	handleEvents(now time.Time, events []event.Event)
	handleNoRoute(now time.Time, to netip.AddrPort, err error)
	everySecond(now time.Time)
}

const (
	// batch is the number of datagrams, and of calls, that the loop passes to the core before it sends the core's
	// datagrams.
	batch = 64
	// publishSlack is how late everySecond may run, so that the node does not wake up for it alone.
	publishSlack = telemetry.Interval / 2
	// smallMax bounds loop.small. For messages up to this size the core returns no error except ErrQueueFull.
	smallMax = 16 << 10
)

func newLoop(core *gossip.Core) *loop {
	return &loop{
		core: core, small: min(core.BroadcastMax(), smallMax),
		calls: make(chan *call, batch), stop: make(chan struct{}), ended: make(chan struct{}),
	}
}

// run runs the loop until stop is closed.
func (l *loop) run(o owner) {
	defer close(l.ended)
	defer l.carrier.Stop()
	due := time.Now()
	var publish time.Time // when everySecond is due
	var ran []*call
	send := l.send
	for {
		got := l.carrier.Wait(due)
		if l.isShutdown() {
			return
		}
		now := time.Now()
		if l.clock.jumped(now) {
			l.core.Resume(now)
		}
		l.take(now, got)
		l.takeBroadcasts(now)
		ran = l.runCalls(now, ran[:0])
		if t := l.core.NextTimeout(); !t.IsZero() && !t.After(now) {
			l.core.HandleTimeout(now)
		}
		l.core.DrainRuns(now, send)
		for _, r := range l.carrier.Refused() {
			if r.TooBig || r.Pause {
				l.core.Refused(now, r.To, r.Size, r.TooBig)
			}
			if r.NoRoute != nil {
				o.handleNoRoute(now, r.To.Remote, r.NoRoute)
			}
		}
		o.handleEvents(now, l.core.Events())
		for i, c := range ran {
			close(c.done)
			ran[i] = nil
		}
		if !now.Before(publish) {
			publish = now.Add(telemetry.Interval)
			o.everySecond(now)
		}
		due = publish.Add(publishSlack)
		if t := l.core.NextTimeout(); !t.IsZero() && t.Before(due) {
			due = t
		}
	}
}

// take passes the received datagrams to the core, and then further ones up to about a batch.
func (l *loop) take(now time.Time, got []wire.Datagram) {
	for taken := 0; len(got) > 0; got = l.carrier.More() {
		for i := range got {
			l.core.HandleDatagram(now, got[i].Path, got[i].B)
		}
		if taken += len(got); taken >= batch {
			return
		}
	}
}

// takeBroadcasts passes the queued broadcasts to the core. Those that the core has no room for stay queued.
func (l *loop) takeBroadcasts(now time.Time) {
	l.queue.Take(func(b []byte) bool { return l.core.Broadcast(now, b) == nil })
}

// runCalls runs the waiting calls and appends them to ran.
func (l *loop) runCalls(now time.Time, ran []*call) []*call {
	for len(ran) < batch {
		select {
		case c := <-l.calls:
			c.f(now)
			ran = append(ran, c)
		default:
			return ran
		}
	}
	return ran
}

// send passes datagrams of the core to the carrier.
func (l *loop) send(r outbox.Run) {
	switch {
	case r.Probe:
		l.carrier.SendWhole(r.To, r.Bytes)
	case r.Packets > 0:
		l.carrier.SendPackets(r.To, r.Bytes, r.Packets)
	default:
		l.carrier.SendRun(r.To, r.Bytes, r.Size)
	}
}

// do runs f in the loop and returns after f's datagrams have been sent. Any goroutine except the loop may call it.
func (l *loop) do(f func(now time.Time)) error {
	c := &call{f: f, done: make(chan struct{})}
	select {
	case l.calls <- c:
	case <-l.stop:
		return ErrShutdown
	}
	l.carrier.Wake()
	select {
	case <-c.done:
		return nil
	case <-l.ended: // f will not run
		return ErrShutdown
	}
}

// broadcast passes msg to the core: a small message by a queue without waiting for the loop, a larger one by a call.
func (l *loop) broadcast(msg []byte) error {
	if len(msg) > l.small {
		var refused error
		err := l.do(func(now time.Time) { refused = l.core.Broadcast(now, msg) })
		return cmp.Or(err, refused)
	}
	if l.isShutdown() {
		return ErrShutdown
	}
	first, ok := l.queue.Put(msg)
	if !ok {
		return gossip.ErrQueueFull
	}
	if first {
		l.carrier.Wake()
	}
	return nil
}

func (l *loop) isShutdown() bool {
	select {
	case <-l.stop:
		return true
	default:
		return false
	}
}

// rest releases the memory that a burst has used. Only the loop may call it.
func (l *loop) rest() {
	l.carrier.Rest()
	l.queue.Rest()
}
