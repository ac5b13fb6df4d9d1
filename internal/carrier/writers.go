package carrier

import (
	"bytes"
	"net/netip"
	"sync"
	"time"
)

// Bounds of what waits for a foreign transport.
const (
	queuedMost  = 2048        // datagrams
	queuedSize  = 32 << 20    // bytes
	writersMost = 1024        // goroutines in a write
	slowWrite   = time.Second // a flush does not wait for a write that takes longer
)

// writers hand datagrams to a foreign transport, each to its destination in the order in which they were
// put. A write may block, and then delays its own destination only.
//
// Destinations with something to write stand in a list. A writer goroutine takes the first, writes one
// datagram, and puts the destination back to the end of the list if there is more. While the list is not
// empty a writer is on its way to it: a writer that is about to write starts another one unless that is so.
// So a transport that never blocks needs one or two writers, one that blocks gets a writer for each slow
// destination, and a writer that finds the list empty ends.
//
// Safe for concurrent use.
type writers struct {
	write Write
	stop  <-chan struct{}

	mu      sync.Mutex                      // guards what follows
	to      map[netip.AddrPort]*destination // those with a datagram that waits or is being written
	ready   list                            // those with a datagram that waits, and none being written
	spare   []*destination                  // for reuse
	coming  bool                            // a writer has been started and has not looked at ready yet
	running int                             // writers
	queued  int                             // datagrams that wait
	size    int                             // their bytes
	flushes []*flush                        // in progress
	idle    chan struct{}                   // closed when no writer runs; nil while nobody waits for that

	full, late, failed uint64 // datagrams: not taken, waited too long, refused by the transport
}

// put queues copies of the datagrams that lie end to end in b, of size bytes each except the last. What
// exceeds the bounds is dropped and counted.
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

// pack is put for one datagram of so many packets, to which more may be added until it is written.
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

// queue calls add with the destination of an address, and has it written to.
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
		w.summon()
	default:
		w.forget(d)
	}
}

// add queues one datagram if there is room. A destination may have half of the room that the others leave:
// so the destinations that are slow share it evenly, and one that is not always finds some.
func (w *writers) add(d *destination, b []byte, packets int, now time.Time) {
	if d.len() >= queuedMost-w.queued || d.size+len(b) > queuedSize-w.size {
		w.full++
		return
	}
	d.push(waiting{bytes.Clone(b), packets, now})
	d.taken++
	w.grow(d, 1, len(b))
}

// grow counts datagrams and bytes that wait.
func (w *writers) grow(d *destination, n, size int) {
	w.queued += n
	w.size += size
	d.size += size
}

// summon starts a writer unless one is on its way or there are too many.
func (w *writers) summon() {
	if w.coming || w.running == writersMost {
		return
	}
	w.coming = true
	w.running++
	go w.run()
}

// run is a writer. It ends when no destination is ready, or stop is closed.
func (w *writers) run() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.coming = false
	for d := w.ready.pop(); d != nil && !w.stopped(); d = w.ready.pop() {
		if !w.ready.empty() {
			w.summon()
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

// writeOne writes the oldest datagram that is not late. It gives mu up meanwhile.
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
			w.failed++
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

// spareMost is how many destinations are kept for reuse.
const spareMost = 32

// at is the destination of an address.
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

// forget gives back a destination for which nothing waits.
func (w *writers) forget(d *destination) {
	delete(w.to, d.addr)
	if len(w.spare) < spareMost {
		w.spare = append(w.spare, d)
	}
}

// ended waits until no writer runs, at most so long. stop has been closed.
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
