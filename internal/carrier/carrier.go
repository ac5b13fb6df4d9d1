// Package carrier is a transport as a node's loop uses it: what was received comes out of one wait, and
// sending never waits.
package carrier

import (
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gwyh-go/gwyh/internal/inbox"
	"github.com/gwyh-go/gwyh/internal/udp"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// A Carrier carries datagrams over sockets, or over a foreign transport, which may block. The loop reads a
// single socket itself where the system allows that (udp.Reader), and writes to any number of sockets itself.
// Otherwise goroutines read, into an inbox. Datagrams for a foreign transport are written by goroutines that
// exist while there is something to write (writers).
//
// Start comes first. Put, Ingest, Wake, Flushed and Stats are safe for concurrent use, the rest is the loop's.
type Carrier struct {
	in      *inbox.Inbox
	sockets udp.Sockets // nil for a foreign transport
	reader  *udp.Reader // of the one socket; nil when others read
	errorf  func(format string, args ...any)
	foreign *writers // nil over sockets
	stop    <-chan struct{}
	failed  atomic.Uint64 // datagrams that a socket returned an error for

	// The loop's.

	refused []Refusal // since it last looked
	closed  bool      // the socket of reader is
	resume  time.Time // when reading is tried again after an error; zero after none
}

// ingestDepth is how many ingested packets wait for a loop that reads its own socket.
const ingestDepth = 16

// New makes a Carrier over sockets that nobody else reads. Where the loop does not read itself, at most
// depth datagrams wait for it. Errors of reading are told to errorf. It is of use until stop is closed.
func New(sockets udp.Sockets, depth int, errorf func(format string, args ...any), stop <-chan struct{}) *Carrier {
	c := &Carrier{sockets: sockets, errorf: errorf, stop: stop}
	if len(sockets) == 1 {
		c.reader = udp.NewReader(sockets[0])
	}
	if c.reader != nil {
		depth = ingestDepth
	}
	c.in = inbox.New(depth)
	return c
}

// Start starts the goroutines that read sockets, in g. They end when stop and the sockets are closed.
func (c *Carrier) Start(g *sync.WaitGroup) {
	if c.foreign != nil || c.reader != nil {
		return
	}
	for _, s := range c.sockets {
		g.Go(func() { c.read(s) })
	}
}

// read queues what comes to a socket. It waits while the inbox is full: the system's buffer is the queue then.
func (c *Carrier) read(s *udp.Conn) {
	s.ReadEach(c.stop, func(path wire.Path, b []byte) { c.in.PutWait(path, b, c.stop) }, func(err error) { c.readError(s, err) })
}

func (c *Carrier) readError(s *udp.Conn, err error) {
	c.errorf("read UDP packet at %s: %v", s.LocalAddr(), err)
}

// Wait waits until there are datagrams, until due, or until Wake is called, and returns the datagrams
// that are there. They are the loop's to overwrite until it calls Wait, More or Rest.
func (c *Carrier) Wait(due time.Time) []wire.Datagram {
	if c.reader == nil || c.closed {
		return c.in.Wait(due)
	}
	if !c.resume.IsZero() {
		if wait := time.Until(c.resume); wait > 0 {
			return c.in.Wait(time.Now().Add(min(wait, time.Until(due))))
		}
		c.resume = time.Time{}
	}
	got, err := c.reader.Wait(due)
	if err != nil {
		c.readFailed(err)
	}
	if len(got) == 0 {
		return c.in.Poll()
	}
	return got
}

// More returns further datagrams that are there, as Wait does, without waiting.
func (c *Carrier) More() []wire.Datagram {
	if c.reader == nil || c.closed {
		return nil
	}
	if got := c.in.Poll(); len(got) > 0 {
		return got
	}
	got, err := c.reader.More()
	if err != nil {
		c.readFailed(err)
	}
	return got
}

// readFailed keeps an error that stays from taking a whole CPU. A socket that is closed is not read again.
func (c *Carrier) readFailed(err error) {
	if errors.Is(err, net.ErrClosed) {
		c.closed = true
		return
	}
	c.readError(c.sockets[0], err)
	c.resume = time.Now().Add(udp.ErrorPause)
}

// Rest gives back memory that a burst took. What Wait and More returned last is gone.
func (c *Carrier) Rest() {
	if c.reader != nil {
		c.reader.Rest()
	}
}

// Wake ends the Wait in progress, or the next one. What the caller did before, Wait's caller sees after.
func (c *Carrier) Wake() {
	c.in.Wake()
	if c.reader != nil {
		c.reader.Wake()
	}
}

// Stop ends the timer of Wait.
func (c *Carrier) Stop() { c.in.Stop() }

// Put queues a datagram of a foreign transport, of which it makes a copy, and drops it when too many wait.
func (c *Carrier) Put(path wire.Path, b []byte) { c.in.Put(path, b) }

// Ingest queues a datagram that came to a node on sockets by another way. It waits while many others wait.
func (c *Carrier) Ingest(path wire.Path, b []byte) {
	c.in.PutWait(path, b, c.stop)
	c.Wake()
}

// Stats is what a Carrier counts, in datagrams.
type Stats struct {
	InboxDropped  uint64 // too many waited for the loop
	OutboxDropped uint64 // too many waited for the foreign transport
	OutboxLate    uint64 // the foreign transport was so slow that they were not worth sending any more
	WriteErrors   uint64 // not taken by the system, or the foreign transport
}

// Stats is what was counted so far.
func (c *Carrier) Stats() Stats {
	s := Stats{InboxDropped: c.in.Dropped(), WriteErrors: c.failed.Load()}
	if w := c.foreign; w != nil {
		w.mu.Lock()
		defer w.mu.Unlock()
		s.OutboxDropped, s.OutboxLate, s.WriteErrors = w.full, w.late, w.failed
	}
	return s
}
