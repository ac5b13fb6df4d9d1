// Package carrier connects a node's loop to a transport: one wait returns what was received, and sending never blocks. It
// knows nothing of the protocol. To read it: carrier.go, send.go; then foreign.go, writers.go, destination.go, flush.go.
package carrier

import (
	"errors"
	"net"
	"sync"
	"time"

	"github.com/gwyh-go/gwyh/internal/inbox"
	"github.com/gwyh-go/gwyh/internal/udp"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// A Carrier carries datagrams over sockets, or over a foreign transport, which may block. The loop reads a single socket
// itself if the system supports that (udp.Reader), and writes to any number of sockets itself. Otherwise goroutines read
// into an inbox. Goroutines that exist only while there is something to write (writers) write to a foreign transport.
//
// Start must be called first. Put, Ingest, Wake, Flushed and Stats are safe for concurrent use. Only the loop may call the
// other methods.
type Carrier struct {
	in      *inbox.Inbox
	sockets udp.Sockets // nil for a foreign transport
	reader  *udp.Reader // of a single socket; nil if goroutines read
	errorf  func(format string, args ...any)
	foreign *writers // nil over sockets
	stop    <-chan struct{}
	failed  failures

	// The following fields are owned by the loop.

	refused []Refusal // since the last call of Refused
	closed  bool      // the socket of reader is closed
	resume  time.Time // when reading is retried after an error; zero if there was none
}

// Room limits the datagrams that wait in a Carrier.
type Room struct {
	Depth    int // datagrams that wait for the loop
	Received int // their total bytes
	Written  int // bytes of the datagrams that wait for a foreign transport
}

// ingestDepth is the number of ingested packets that wait for a loop that reads its own socket.
const ingestDepth = 16

// New returns a Carrier over sockets, of which it is the only reader, until stop is closed. If the loop does not read
// itself, at most room.Depth datagrams wait for it. errorf is called with read errors.
func New(sockets udp.Sockets, room Room, errorf func(format string, args ...any), stop <-chan struct{}) *Carrier {
	c := &Carrier{sockets: sockets, errorf: errorf, stop: stop}
	if len(sockets) == 1 {
		c.reader = udp.NewReader(sockets[0])
	}
	if c.reader != nil {
		room.Depth = ingestDepth
	}
	c.in = inbox.New(room.Depth, room.Received)
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

// read queues the datagrams of a socket. It blocks while the inbox is full; the system's buffer then queues datagrams.
func (c *Carrier) read(s *udp.Conn) {
	s.ReadEach(c.stop, func(path wire.Path, b []byte) { c.in.PutWait(path, b, c.stop) }, func(err error) { c.readError(s, err) })
}

func (c *Carrier) readError(s *udp.Conn, err error) {
	c.errorf("read UDP packet at %s: %v", s.LocalAddr(), err)
}

// Wait waits for datagrams, until due, or until Wake is called. It returns the datagrams received. The loop may
// overwrite them until it calls Wait, More or Rest.
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

// More returns further datagrams without waiting. The loop may overwrite them, as with Wait.
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

// readFailed pauses reading, so that a permanent error does not use a whole CPU. A closed socket is not read again.
func (c *Carrier) readFailed(err error) {
	if errors.Is(err, net.ErrClosed) {
		c.closed = true
		return
	}
	c.readError(c.sockets[0], err)
	c.resume = time.Now().Add(udp.ErrorPause)
}

// Rest releases the memory that a burst has used. It invalidates the datagrams that Wait and More returned last.
func (c *Carrier) Rest() {
	if c.reader != nil {
		c.reader.Rest()
	}
}

// Wake ends the current Wait, or the next one. Writes before Wake are visible to the loop when Wait returns.
func (c *Carrier) Wake() {
	c.in.Wake()
	if c.reader != nil {
		c.reader.Wake()
	}
}

// Stop stops the timer of Wait.
func (c *Carrier) Stop() { c.in.Stop() }

// Put queues a copy of a datagram from a foreign transport. If the queue is full, it drops the datagram and counts it.
func (c *Carrier) Put(path wire.Path, b []byte) { c.in.Put(path, b) }

// Ingest queues a datagram for a node on sockets that arrived in another way. It blocks while the queue is full.
func (c *Carrier) Ingest(path wire.Path, b []byte) {
	c.in.PutWait(path, b, c.stop)
	c.Wake()
}

// Stats holds the counters of a Carrier, in datagrams.
type Stats struct {
	InboxDropped  uint64         // the queue for the loop was full
	OutboxDropped uint64         // the queue for the foreign transport was full
	OutboxLate    uint64         // queued at the foreign transport for so long that they were no longer worth sending
	WriteErrors   [Causes]uint64 // datagrams that the system or the foreign transport did not accept
}

// Stats returns the present counters.
func (c *Carrier) Stats() Stats {
	s := Stats{InboxDropped: c.in.Dropped()}
	for cause, f := range c.Failures() {
		s.WriteErrors[cause] = f.Count
	}
	if w := c.foreign; w != nil {
		w.mu.Lock()
		defer w.mu.Unlock()
		s.OutboxDropped, s.OutboxLate = w.full, w.late
	}
	return s
}

// Failures returns the failure of each cause.
func (c *Carrier) Failures() [Causes]Failure { return c.failed.list() }
