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

// A Reader reads a Conn for a goroutine that also has other work: one system call waits for datagrams, for a deadline
// and for Wake. It receives several datagrams per call and splits datagrams that the system has merged (UDP_GRO). One
// goroutine calls Wait, More and Rest; any goroutine may call Wake.
type Reader struct {
	c       *Conn
	raw     syscall.RawConn
	batch   *batch
	receive func(fd uintptr) bool // r.tryWaiting; stored to avoid an allocation per call
	control func(fd uintptr)      // r.try, stored for the same reason
	state   atomic.Uint32         // running, waiting or woken
	armed   time.Time             // the current read deadline; zero when it is unknown
	got     []wire.Datagram       // the datagrams received last
	full    bool                  // the batch was full, so there may be more
	tried   bool                  // the socket has been read since Wait began
	err     error
}

// States of a Reader's goroutine.
const (
	running uint32 = iota
	waiting        // in Wait: a caller of Wake ends the read by its deadline
	woken          // Wake has been called since the last Wait
)

// NewReader returns the Reader of c, which must then be the only reader of c. It returns nil if the system lacks the
// required calls.
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

// Wait waits for datagrams, until due, or until Wake is called. It returns the datagrams received. The caller may
// overwrite them until the next call of Wait, More or Rest. After Close of the Conn it returns net.ErrClosed.
func (r *Reader) Wait(due time.Time) ([]wire.Datagram, error) {
	r.got, r.full, r.tried, r.err = r.got[:0], false, false, nil
	if r.state.CompareAndSwap(running, waiting) {
		err := r.wait(due)
		if r.state.Swap(running) == woken {
			r.armed = time.Time{} // Wake sets the deadline to the past, now or soon
		}
		if err != nil || r.tried {
			return r.got, err
		}
	} else {
		r.state.Store(running)
	}
	return r.poll()
}

// wait sleeps in a read. Wake sets the read deadline to the past. If it does so after the sleep has ended, it would cut
// the next sleep short, so wait resumes a sleep that ends too early. If it does so before wait sets its own deadline,
// that deadline replaces it, so wait checks the state once more before it sleeps.
func (r *Reader) wait(due time.Time) error {
	if due.IsZero() { // as a deadline, the zero time would mean never
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

// closed returns net.ErrClosed if err wraps it, and err otherwise.
func closed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return net.ErrClosed
	}
	return err
}

// More returns further datagrams without waiting, if the last batch was full. The caller may overwrite them, as with
// Wait.
func (r *Reader) More() ([]wire.Datagram, error) {
	if !r.full {
		return nil, nil
	}
	return r.poll()
}

// Rest releases the memory that a burst has used. The goroutine of Wait calls it occasionally. It invalidates the
// datagrams that Wait and More returned last.
func (r *Reader) Rest() { r.batch.rest() }

// poll ignores the deadline, so that datagrams are received even if each Wait is due when it begins.
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

// Wake ends the current Wait, or the next one. Writes before Wake are visible to the goroutine of Wait when Wait
// returns.
func (r *Reader) Wake() {
	if r.state.Swap(woken) == waiting {
		_ = r.c.SetReadDeadline(longAgo)
	}
}

var longAgo = time.Unix(1, 0)
