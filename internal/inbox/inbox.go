// Package inbox is the queue of datagrams between the readers of a transport and the loop. It never looks into a datagram.
package inbox

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// smallSize is the capacity in bytes of a buffer for an ordinary datagram. Larger buffers have their own pool.
const smallSize = 2048

// batch is the maximum number of datagrams taken out at once.
const batch = 64

// datagram is a queued datagram.
type datagram struct {
	path wire.Path
	buf  *[]byte
}

// Inbox is the queue. Put, PutWait, Wake and Dropped are safe for concurrent use. Wait, Poll and Stop belong to one
// goroutine, the loop.
type Inbox struct {
	c       chan datagram
	wake    chan struct{} // contains a token after Wake
	max     int64         // bytes of the queued datagrams
	bytes   atomic.Int64
	dropped atomic.Uint64
	small   sync.Pool
	large   sync.Pool

	// The following fields are owned by the loop.

	timer *time.Timer
	due   time.Time // the present deadline of timer; zero when it has fired
	got   []wire.Datagram
	taken []*[]byte // the buffers of got
}

// New returns an inbox for at most depth datagrams of at most size bytes in total.
func New(depth, size int) *Inbox {
	return &Inbox{max: int64(size), c: make(chan datagram, depth), wake: make(chan struct{}, 1)}
}

// Wait waits for datagrams, until due, or until Wake is called. It returns at most a batch of datagrams. The caller may
// overwrite them until the next call of Wait or Poll.
func (in *Inbox) Wait(due time.Time) []wire.Datagram {
	in.free()
	if in.timer == nil {
		in.timer = time.NewTimer(time.Until(due))
		in.due = due
	}
	if !due.Equal(in.due) {
		in.due = due
		in.timer.Reset(time.Until(due))
	}
	select {
	case d := <-in.c:
		in.take(d)
	case <-in.wake:
	case <-in.timer.C:
		in.due = time.Time{}
	}
	return in.more()
}

// Poll returns the queued datagrams without waiting. The caller may overwrite them, as with Wait.
func (in *Inbox) Poll() []wire.Datagram {
	in.free()
	return in.more()
}

func (in *Inbox) more() []wire.Datagram {
	for len(in.got) < batch {
		select {
		case d := <-in.c:
			in.take(d)
		default:
			return in.got
		}
	}
	return in.got
}

func (in *Inbox) take(d datagram) {
	in.got = append(in.got, wire.Datagram{Path: d.path, B: *d.buf})
	in.taken = append(in.taken, d.buf)
}

// free releases the buffers taken last.
func (in *Inbox) free() {
	for i, buf := range in.taken {
		in.put(buf)
		in.got[i], in.taken[i] = wire.Datagram{}, nil
	}
	in.got, in.taken = in.got[:0], in.taken[:0]
}

// Wake ends the current Wait, or the next one. Writes before Wake are visible to the loop when Wait returns.
func (in *Inbox) Wake() {
	select {
	case in.wake <- struct{}{}:
	default:
	}
}

// Stop stops the timer of Wait.
func (in *Inbox) Stop() {
	if in.timer != nil {
		in.timer.Stop()
	}
}

// Put queues a copy of b. If the queue is full, it drops the datagram and counts it. It never blocks the reader of a
// transport.
func (in *Inbox) Put(path wire.Path, b []byte) {
	d, ok := in.copy(path, b)
	if !ok {
		return
	}
	select {
	case in.c <- d:
	default:
		in.dropped.Add(1)
		in.put(d.buf)
	}
}

// PutWait queues a copy of b and blocks while depth datagrams are queued; the system's buffer then queues datagrams. It
// gives up when stop is closed. It drops and counts a datagram beyond the maximum size.
func (in *Inbox) PutWait(path wire.Path, b []byte, stop <-chan struct{}) {
	d, ok := in.copy(path, b)
	if !ok {
		return
	}
	select {
	case in.c <- d:
	case <-stop:
	}
}

func (in *Inbox) copy(path wire.Path, b []byte) (datagram, bool) {
	if in.bytes.Add(int64(len(b))) > in.max {
		in.bytes.Add(-int64(len(b)))
		in.dropped.Add(1)
		return datagram{}, false
	}
	buf := in.buffer(len(b))
	*buf = append((*buf)[:0], b...)
	return datagram{path: path, buf: buf}, true
}

func (in *Inbox) buffer(n int) *[]byte {
	pool, size := &in.small, smallSize
	if n > smallSize {
		pool, size = &in.large, n
	}
	if buf, ok := pool.Get().(*[]byte); ok && cap(*buf) >= n {
		return buf
	}
	buf := make([]byte, 0, size)
	return &buf
}

// put returns a buffer to its pool.
func (in *Inbox) put(buf *[]byte) {
	in.bytes.Add(-int64(len(*buf)))
	if cap(*buf) > smallSize {
		in.large.Put(buf)
	} else {
		in.small.Put(buf)
	}
}

// Dropped returns the number of datagrams for which the queue was full.
func (in *Inbox) Dropped() uint64 { return in.dropped.Load() }
