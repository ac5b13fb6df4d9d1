package udp

import (
	"errors"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// A Reader reads a Conn for a goroutine that has other things to do as well: it waits for datagrams, for
// a time, and for others to wake it, all in one system call. It takes several datagrams at once, and takes
// apart what the system put together (UDP_GRO). Wait and More belong to one goroutine, Wake to any.
type Reader struct {
	c       *Conn
	raw     syscall.RawConn
	batch   *batch
	receive func(fd uintptr) bool // r.tryWaiting: a method value made once
	control func(fd uintptr)      // r.try, likewise
	state   atomic.Uint32         // running, waiting or woken
	armed   time.Time             // what the read deadline is set to; zero when that is not known
	got     []wire.Datagram       // what was received last
	full    bool                  // the batch was: there may be more
	tried   bool                  // the socket was read since Wait began
	err     error
}

// What a Reader's goroutine does.
const (
	running uint32 = iota
	waiting        // in Wait: whoever wakes it ends the read by its deadline
	woken          // somebody called Wake since the last Wait
)

// NewReader makes the Reader of c, of which nobody else may read any more. It is nil where the system
// lacks what it takes.
func NewReader(c *Conn) *Reader {
	raw, err := c.c.SyscallConn()
	if err != nil {
		return nil
	}
	r := &Reader{c: c, raw: raw}
	if err := raw.Control(func(fd uintptr) { r.batch = newBatch(fd) }); err != nil || r.batch == nil {
		return nil
	}
	r.receive, r.control = r.tryWaiting, r.try
	return r
}

// Wait waits until there are datagrams, until due, or until it is woken, and returns the datagrams that
// are there. They are the caller's to overwrite until the next call of Wait or More. After Close of the
// Conn it returns net.ErrClosed.
func (r *Reader) Wait(due time.Time) ([]wire.Datagram, error) {
	r.got, r.full, r.tried, r.err = r.got[:0], false, false, nil
	if r.state.CompareAndSwap(running, waiting) {
		err := r.wait(due)
		if r.state.Swap(running) == woken {
			r.armed = time.Time{} // to the past by who woke us, or soon
		}
		if err != nil || r.tried {
			return r.got, err
		}
	} else {
		r.state.Store(running)
	}
	return r.poll()
}

// wait sleeps in a read. Who wakes a Reader sets its deadline to the past, perhaps so late that it ends
// the sleep after that: so one that ends too early is taken up again. Perhaps, too, so early that the
// deadline set here takes its place: so it is asked once more before the sleep whether it is wanted.
func (r *Reader) wait(due time.Time) error {
	if due.IsZero() { // which as a deadline would mean never
		due = longAgo
	}
	for {
		if r.armed.IsZero() || due.Before(r.armed) {
			r.armed = due
			if err := r.c.SetReadDeadline(due); err != nil {
				return closed(err)
			}
		}
		if r.state.Load() == woken {
			return nil
		}
		err := r.raw.Read(r.receive)
		if err == nil {
			return r.err
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return closed(err)
		}
		r.armed = time.Time{}
		if r.state.Load() == woken || !time.Now().Before(due) {
			return nil
		}
	}
}

// closed is err, or just net.ErrClosed if it says that.
func closed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return net.ErrClosed
	}
	return err
}

// More returns further datagrams that are there, if there may be any, without waiting. They are the
// caller's as those of Wait.
func (r *Reader) More() ([]wire.Datagram, error) {
	if !r.full {
		return nil, nil
	}
	return r.poll()
}

// Rest is to be called now and then, by the goroutine of Wait: it gives back memory that a burst took, and
// with it what Wait and More returned last.
func (r *Reader) Rest() { r.batch.rest() }

// poll does not mind the deadline, so that datagrams are taken in even if each Wait is due when it begins.
func (r *Reader) poll() ([]wire.Datagram, error) {
	r.got, r.full, r.err = r.got[:0], false, nil
	if err := r.raw.Control(r.control); err != nil {
		return nil, closed(err)
	}
	return r.got, r.err
}

func (r *Reader) tryWaiting(fd uintptr) bool {
	r.tried = true
	r.try(fd)
	return len(r.got) > 0 || r.err != nil
}

// Wake ends the Wait in progress, or the next one. What the caller did before, Wait's caller sees after.
func (r *Reader) Wake() {
	if r.state.Swap(woken) == waiting {
		_ = r.c.SetReadDeadline(longAgo)
	}
}

var longAgo = time.Unix(1, 0)
