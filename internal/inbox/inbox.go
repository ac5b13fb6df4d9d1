// Package inbox is the queue of datagrams between those who read a transport and the loop.
package inbox

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// MaxBytes bounds the bytes that wait, whatever their number.
const MaxBytes = 8 << 20

// smallSize is the capacity of a buffer for an ordinary datagram; larger ones are pooled apart.
const smallSize = 2048

// batch is how many datagrams are taken out at once at most.
const batch = 64

// datagram is one that waits.
type datagram struct {
	path wire.Path
	buf  *[]byte
}

// Inbox is the queue. Put, PutWait and Wake are safe for concurrent use; Wait and Poll belong to one
// goroutine, the loop.
type Inbox struct {
	c       chan datagram
	wake    chan struct{} // holds one when Wake was called
	bytes   atomic.Int64
	dropped atomic.Uint64
	small   sync.Pool
	large   sync.Pool

	// The loop's.

	timer *time.Timer
	due   time.Time // what timer is set to; zero when it has fired
	got   []wire.Datagram
	taken []*[]byte // the buffers of got
}

// New makes an inbox for at most depth datagrams.
func New(depth int) *Inbox {
	return &Inbox{c: make(chan datagram, depth), wake: make(chan struct{}, 1)}
}

// Wait waits until there are datagrams, until due, or until it is woken, and returns the datagrams that
// are there, a batch at most. They are the caller's to overwrite until the next call of Wait or Poll.
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

// Poll returns the datagrams that are there, without waiting. They are the caller's as those of Wait.
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

// free gives back what was taken last.
func (in *Inbox) free() {
	for i, buf := range in.taken {
		in.put(buf)
		in.got[i], in.taken[i] = wire.Datagram{}, nil
	}
	in.got, in.taken = in.got[:0], in.taken[:0]
}

// Wake ends the Wait in progress, or the next one. What the caller did before, Wait's caller sees after.
func (in *Inbox) Wake() {
	select {
	case in.wake <- struct{}{}:
	default:
	}
}

// Stop ends the timer of Wait.
func (in *Inbox) Stop() {
	if in.timer != nil {
		in.timer.Stop()
	}
}

// Put queues a copy of b, and drops it when the queue is full. For transports whose readers must not
// be held up.
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

// PutWait queues a copy of b and waits while too many datagrams are before it: the system's buffer is
// the queue then. It gives up when stop is closed.
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
	if in.bytes.Add(int64(len(b))) > MaxBytes {
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

// put gives a buffer back.
func (in *Inbox) put(buf *[]byte) {
	in.bytes.Add(-int64(len(*buf)))
	if cap(*buf) > smallSize {
		in.large.Put(buf)
	} else {
		in.small.Put(buf)
	}
}

// Dropped counts the datagrams that found the queue full.
func (in *Inbox) Dropped() uint64 { return in.dropped.Load() }
