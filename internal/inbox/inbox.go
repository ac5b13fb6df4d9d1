// Package inbox is the queue of datagrams between those who read a transport and the loop.
package inbox

import (
	"sync"
	"sync/atomic"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// MaxBytes bounds the bytes that wait, whatever their number.
const MaxBytes = 8 << 20

// smallSize is the capacity of a buffer for an ordinary datagram; larger ones are pooled apart.
const smallSize = 2048

// Datagram is one that waits, or is being taken in. B is the holder's to overwrite until Free.
type Datagram struct {
	Path wire.Path
	B    []byte
	buf  *[]byte
}

// Inbox is the queue. Safe for concurrent use.
type Inbox struct {
	C       chan Datagram
	bytes   atomic.Int64
	dropped atomic.Uint64
	small   sync.Pool
	large   sync.Pool
}

// New makes an inbox for at most depth datagrams.
func New(depth int) *Inbox {
	return &Inbox{C: make(chan Datagram, depth)}
}

// Put queues a copy of b, and drops it when the queue is full. For transports whose readers must not
// be held up.
func (in *Inbox) Put(path wire.Path, b []byte) {
	d, ok := in.copy(path, b)
	if !ok {
		return
	}
	select {
	case in.C <- d:
	default:
		in.dropped.Add(1)
		in.Free(d)
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
	case in.C <- d:
	case <-stop:
	}
}

func (in *Inbox) copy(path wire.Path, b []byte) (Datagram, bool) {
	if in.bytes.Add(int64(len(b))) > MaxBytes {
		in.bytes.Add(-int64(len(b)))
		in.dropped.Add(1)
		return Datagram{}, false
	}
	buf := in.buffer(len(b))
	return Datagram{Path: path, B: append((*buf)[:0], b...), buf: buf}, true
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

// Free gives back what Put took for d.
func (in *Inbox) Free(d Datagram) {
	in.bytes.Add(-int64(len(d.B)))
	if cap(*d.buf) > smallSize {
		in.large.Put(d.buf)
	} else {
		in.small.Put(d.buf)
	}
}

// Dropped counts the datagrams that found the queue full.
func (in *Inbox) Dropped() uint64 { return in.dropped.Load() }
