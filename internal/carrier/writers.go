package carrier

import (
	"bytes"
	"net/netip"
	"sync"
	"time"
)

// Bounds of the queues for a foreign transport.
const (
	queuedMax  = 2048        // datagrams
	writersMax = 1024        // goroutines that write
	slowWrite  = time.Second // a flush does not wait for a write that takes longer
)

// writers pass datagrams to a foreign transport. Each destination gets its datagrams in the order in which they were
// queued. A write may block, and then delays only its own destination.
//
// Destinations with queued datagrams are in the list ready. A writer goroutine takes the first, writes one datagram,
// and appends the destination to the list again if it has more. While the list is not empty, a writer is coming to it:
// before a writer writes, it starts another one if necessary. So a transport that never blocks needs one or two
// writers, a transport that blocks gets a writer for each slow destination, and a writer that finds the list empty
// ends.
//
// It is safe for concurrent use.
type writers struct {
	write  Write
	stop   <-chan struct{}
	failed *failures // of the Carrier
	max    int       // bytes queued

	mu      sync.Mutex                      // guards the following fields
	to      map[netip.AddrPort]*destination // destinations with a datagram queued or being written
	ready   list                            // destinations with a datagram queued and none being written
	spare   []*destination                  // for reuse
	coming  bool                            // a writer has been started and has not read ready yet
	running int                             // number of writers
	queued  int                             // datagrams queued
	size    int                             // bytes queued
	flushes []*flush                        // in progress
	idle    chan struct{}                   // closed when no writer runs; nil while no goroutine waits for that

	full, late uint64 // datagrams: not queued, queued too long
}

// put queues copies of the datagrams that lie end to end in b. Each has size bytes, except the last. Datagrams beyond
// the bounds are dropped and counted.
func (w *writers) put(to netip.AddrPort, b []byte, size int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.queue(to, func(d *destination, now time.Time) {
		for len(b) > 0 {
			n := min(size, len(b))
			w.add(d, b[:n], 0, now)
			b = b[n:]
		}
	})
}

// pack is like put for one datagram with the given number of packets. More packets may be added to it until it is written.
func (w *writers) pack(to netip.AddrPort, b []byte, packets int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.queue(to, func(d *destination, now time.Time) {
		last := d.last()
		if last == nil || !last.takes(b, packets) {
			w.add(d, b, packets, now)
			return
		}
		last.b = append(last.b, b...)
		last.packets += packets
		w.grow(d, 0, len(b))
	})
}

// queue calls add with the destination of an address, and makes a writer write to the destination.
func (w *writers) queue(to netip.AddrPort, add func(d *destination, now time.Time)) {
	d := w.at(to)
	listed := d.busy()
	var now time.Time
	if listed {
		now = time.Now()
	}
	add(d, now)
	switch {
	case listed:
	case d.busy():
		w.ready.push(d)
		w.startWriter()
	default:
		w.forget(d)
	}
}

// add queues one datagram if there is room. A destination may use half of the room that the other destinations leave.
// So slow destinations share the room evenly, and a fast one always finds some.
func (w *writers) add(d *destination, b []byte, packets int, now time.Time) {
	if d.len() >= queuedMax-w.queued || d.size+len(b) > w.max-w.size {
		w.full++
		return
	}
	d.push(waiting{bytes.Clone(b), packets, now})
	d.taken++
	w.grow(d, 1, len(b))
}

// grow adds to the counts of queued datagrams and bytes.
func (w *writers) grow(d *destination, n, size int) {
	w.queued += n
	w.size += size
	d.size += size
}

// startWriter starts a writer, unless one is coming or there are writersMax.
func (w *writers) startWriter() {
	if w.coming || w.running == writersMax {
		return
	}
	w.coming = true
	w.running++
	go w.run()
}

// run is the goroutine of a writer. It ends when no destination is ready or stop is closed.
func (w *writers) run() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.coming = false
	for d := w.ready.pop(); d != nil && !w.stopped(); d = w.ready.pop() {
		if !w.ready.empty() {
			w.startWriter()
		}
		w.writeOne(d)
		w.checkFlushes()
		if d.len() > 0 {
			w.ready.push(d)
		} else {
			w.forget(d)
		}
	}
	if w.running--; w.running == 0 && w.idle != nil {
		close(w.idle)
		w.idle = nil
	}
}

// writeOne writes the oldest datagram that is not late. It releases mu during the write.
func (w *writers) writeOne(d *destination) {
	for d.len() > 0 {
		o := d.pop()
		w.grow(d, -1, -len(o.b))
		if o.late() {
			w.late++
			d.done++
			continue
		}
		d.writing = true
		w.mu.Unlock()
		err := w.write(d.addr, o.b)
		w.mu.Lock()
		d.writing = false
		d.done++
		if err != nil {
			w.failed.add(d.addr, err)
		}
		return
	}
}

func (w *writers) stopped() bool {
	select {
	case <-w.stop:
		return true
	default:
		return false
	}
}

// spareMax is the number of destinations kept for reuse.
const spareMax = 32

// at returns the destination of an address. It makes one if necessary.
func (w *writers) at(to netip.AddrPort) *destination {
	if d := w.to[to]; d != nil {
		return d
	}
	d := new(destination)
	if n := len(w.spare); n > 0 {
		d, w.spare = w.spare[n-1], w.spare[:n-1]
	}
	d.addr = to
	w.to[to] = d
	return d
}

// forget releases a destination that has no queued datagram.
func (w *writers) forget(d *destination) {
	delete(w.to, d.addr)
	if len(w.spare) < spareMax {
		w.spare = append(w.spare, d)
	}
}

// ended waits until no writer runs, for at most atMost. stop must be closed.
func (w *writers) ended(atMost time.Duration) {
	w.mu.Lock()
	if w.running == 0 {
		w.mu.Unlock()
		return
	}
	idle := make(chan struct{})
	w.idle = idle
	w.mu.Unlock()
	t := time.NewTimer(atMost)
	defer t.Stop()
	select {
	case <-idle:
	case <-t.C:
	}
}
