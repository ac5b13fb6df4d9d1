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

// ErrShutdown is returned by calls on a Node that was shut down.
var ErrShutdown = errors.New("the node is shut down")

// A loop is the goroutine that owns the core. It takes datagrams and calls, hands them to the core, and sends what the
// core wants to send. It waits in one place, Carrier.Wait, and for nothing else.
type loop struct {
	core    *gossip.Core // owned by the loop
	carrier *carrier.Carrier
	clock   clock

	small  int          // the largest message in bytes that goes through queue
	queue  intake.Queue // small broadcasts of the application, until the loop takes them
	calls  chan *call
	stop   chan struct{}  // closed by Shutdown
	ended  chan struct{}  // closed when the loop has ended
	others sync.WaitGroup // all goroutines that Shutdown waits for, the loop included
}

// A call is a function that the loop runs. done is closed after what the function sends has been sent.
type call struct {
	f    func(now time.Time)
	done chan struct{}
}

// An owner is told what a loop finds out. It is called by the loop, so it must not block.
type owner interface {
	handleEvents(now time.Time, events []event.Event)
	handleNoRoute(now time.Time, to netip.AddrPort, err error)
	everySecond(now time.Time)
}

const (
	// batch is the number of waiting datagrams, and of calls, that the core gets before the loop sends what it wants
	// to send.
	batch = 64
	// publishSlack is how much later than due everySecond may run, so that the node does not wake for it alone.
	publishSlack = telemetry.Interval / 4
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

// take hands the core the datagrams that were received, and further ones up to about a batch.
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

// takeBroadcasts hands the core the queued broadcasts. Those that the core has no room for stay queued.
func (l *loop) takeBroadcasts(now time.Time) {
	l.queue.Take(func(b []byte) bool { return l.core.Broadcast(now, b) == nil })
}

// runCalls runs the calls that wait and appends them to ran.
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

// send hands the carrier datagrams of the core.
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

// do runs f in the loop and returns after what f sends has been sent. Any goroutine except the loop may call it.
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
	case <-l.ended: // f does not run any more
		return ErrShutdown
	}
}

// broadcast hands msg to the core: by a call, or a small message by a queue without waiting for the loop.
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

// rest gives back the memory that a burst took. Only the loop may call it.
func (l *loop) rest() {
	l.carrier.Rest()
	l.queue.Rest()
}
