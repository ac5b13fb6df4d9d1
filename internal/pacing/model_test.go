package pacing

import (
	"container/heap"
	"math/rand/v2"
	"slices"
	"time"
)

// The model consists of senders, a bottleneck and receivers, simulated event by event. A receiver names a missing
// datagram 9/8 round trips after it saw the gap (or after three later datagrams), and again after 1.5. It reports as
// PROTOCOL.md T1 says: the first datagram at once, then every max(RTT, 20 ms) while datagrams arrive, or every max(RTT,
// 2 ms) if 32 KiB or more did. A sender retransmits what was named, and its timers are exact.

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

const (
	ms   = time.Millisecond
	mbit = 1e6
	gbit = 1e9
	mib  = 1 << 20
)

type event struct {
	at  time.Time
	seq int
	do  func()
}

type events []event

func (e events) Len() int { return len(e) }
func (e events) Less(i, j int) bool {
	return e[i].at.Before(e[j].at) || e[i].at.Equal(e[j].at) && e[i].seq < e[j].seq
}
func (e events) Swap(i, j int) { e[i], e[j] = e[j], e[i] }
func (e *events) Push(x any)   { *e = append(*e, x.(event)) }
func (e *events) Pop() any {
	last := len(*e) - 1
	x := (*e)[last]
	*e = (*e)[:last]
	return x
}

// A world is virtual time and its future events.
type world struct {
	now   time.Time
	queue events
	seq   int
	rng   *rand.Rand
}

func newWorld(seed uint64) *world {
	return &world{now: epoch, rng: rand.New(rand.NewPCG(seed, 1))}
}

func (w *world) after(d time.Duration, do func()) {
	w.seq++
	heap.Push(&w.queue, event{w.now.Add(max(d, 0)), w.seq, do})
}

// runFor processes the events within d, or until done returns true. A nil done never does.
func (w *world) runFor(d time.Duration, done func() bool) {
	until := w.now.Add(d)
	for len(w.queue) > 0 && !w.queue[0].at.After(until) {
		e := heap.Pop(&w.queue).(event)
		w.now = e.at
		if e.do(); done != nil && done() {
			return
		}
	}
	w.now = until
}

func (w *world) elapsed() time.Duration { return w.now.Sub(epoch) }

// A pipe is a bottleneck with a drop-tail queue.
type pipe struct {
	w     *world
	bits  float64 // bits per second
	queue int     // size in bytes
	free  time.Time

	sent, dropped int // datagrams
}

func (p *pipe) loss() float64 { return float64(p.dropped) / float64(max(p.sent, 1)) }

// send returns the time until a datagram has left the pipe; ok is false if the datagram is dropped.
func (p *pipe) send(size int) (d time.Duration, ok bool) {
	p.sent++
	wait := max(p.free.Sub(p.w.now), 0)
	if queued := int(wait.Seconds() * p.bits / 8); wait > 0 && queued+size > p.queue {
		p.dropped++
		return 0, false
	}
	p.free = p.w.now.Add(wait + time.Duration(float64(size)*8/p.bits*float64(time.Second)))
	return p.free.Sub(p.w.now), true
}

// A link is the path of one flow.
type link struct {
	pipe     *pipe
	rtt      time.Duration // without queues
	loss     float64       // probability for each datagram, in both directions
	jitter   time.Duration // mean of an exponential delay, added in each direction; it reorders datagrams
	datagram int           // bytes; 1,400 if zero
	quick    bool          // Naks after three later datagrams
	stalled  bool          // the receiver reads nothing,
	socket   int           // its socket buffers this many bytes, and the rest is lost
}

type sentDatagram struct {
	at    time.Time
	size  int
	total uint64 // bytes sent, including this datagram
	chunk int    // index in the message; -1 for a tail probe
	named bool
}

type gap struct {
	seq  int
	due  time.Time
	asks int
}

// A flow sends chunks to its receiver.
type flow struct {
	w *world
	l *link
	c *Controller

	chunks    int // chunks in the message
	may       int // chunks that the application has handed over
	next      int // the next chunk never sent
	again     []int
	log       []sentDatagram
	wake      time.Time
	tails     int
	tailSet   bool
	maxFlight int

	got      []bool
	unique   int
	received uint64
	highest  int
	heard    time.Time // when highest arrived
	gaps     []gap
	nakAt    time.Time
	backlog  []int

	unreported        int // bytes since the last report
	reportAt, quickAt time.Time
}

func newFlow(w *world, l *link, bytes int) *flow {
	if l.datagram == 0 {
		l.datagram = 1400
	}
	f := &flow{w: w, l: l, highest: -1, chunks: (bytes + l.datagram - 1) / l.datagram}
	f.may = f.chunks
	f.got = make([]bool, f.chunks)
	f.c = New(w.now, l.rtt, w.rng.Int64N, l.datagram)
	w.after(0, f.pump)
	return f
}

func (f *flow) done() bool { return f.unique == f.chunks }

// allow hands over n more bytes for sending.
func (f *flow) allow(n int) {
	f.may = min(f.may+n/f.l.datagram, f.chunks)
	f.pump()
}

func (f *flow) pump() {
	for f.more() {
		if d := f.c.Wait(f.w.now, f.l.datagram); d > 0 {
			f.wakeIn(d)
			return
		}
		chunk := f.next
		if len(f.again) > 0 {
			chunk, f.again = f.again[0], f.again[1:]
		} else {
			f.next++
		}
		f.transmit(f.l.datagram, chunk)
		f.tails = 0
	}
	f.probeTail()
}

func (f *flow) more() bool {
	for len(f.again) > 0 && f.got[f.again[0]] {
		f.again = f.again[1:]
	}
	return len(f.again) > 0 || f.next < f.may
}

func (f *flow) wakeIn(d time.Duration) {
	at := f.w.now.Add(d)
	f.wake = at
	f.w.after(d, func() {
		if f.wake.Equal(at) {
			f.pump()
		}
	})
}

func (f *flow) transmit(size, chunk int) {
	f.c.Sent(f.w.now, size)
	f.maxFlight = max(f.maxFlight, f.c.InFlight())
	seq := len(f.log)
	f.log = append(f.log, sentDatagram{f.w.now, size, f.c.flight.sent, chunk, false})
	d, ok := f.l.pipe.send(size)
	if !ok || f.w.rng.Float64() < f.l.loss {
		return
	}
	if f.l.jitter > 0 {
		d += time.Duration(f.w.rng.ExpFloat64() * float64(f.l.jitter))
	}
	f.w.after(d+f.l.rtt/2, func() { f.arrive(seq) })
}

// probeTail sends a small datagram if nothing follows, at growing intervals. It reveals losses at the end.
func (f *flow) probeTail() {
	if f.tailSet || f.tails > 6 || f.unique == f.next {
		return
	}
	f.tailSet = true
	n := len(f.log)
	f.w.after(max(2*f.c.RTT(), 10*ms)<<f.tails, func() {
		f.tailSet = false
		if f.more() {
			return
		}
		if len(f.log) == n && f.unique < f.next {
			f.transmit(40, -1)
			f.tails++
		}
		f.probeTail()
	})
}

func (f *flow) arrive(seq int) {
	s := &f.log[seq]
	if f.l.stalled {
		if f.l.socket >= s.size {
			f.l.socket -= s.size
			f.backlog = append(f.backlog, seq)
		}
		return
	}
	f.received += uint64(s.size)
	f.unreported += s.size
	if s.chunk >= 0 && !f.got[s.chunk] {
		f.got[s.chunk] = true
		f.unique++
	}
	f.noteGaps(seq)
	f.reportSoon()
}

// resume makes the receiver read the buffered datagrams and later ones.
func (f *flow) resume() {
	f.l.stalled = false
	for _, seq := range f.backlog {
		f.arrive(seq)
	}
	f.backlog = nil
}

func (f *flow) noteGaps(seq int) {
	if seq < f.highest {
		for i := range f.gaps {
			if f.gaps[i].seq == seq {
				f.gaps = slices.Delete(f.gaps, i, i+1)
				return
			}
		}
		return
	}
	for s := f.highest + 1; s < seq; s++ {
		f.gaps = append(f.gaps, gap{seq: s, due: f.w.now.Add(f.rtt() * 9 / 8)})
	}
	if seq > f.highest+1 {
		f.nakIn(f.rtt() * 9 / 8)
	}
	f.highest, f.heard = seq, f.w.now
	if f.l.quick && len(f.gaps) > 0 {
		f.nak()
	}
}

// rtt returns the receiver's estimate, which is as good as the sender's.
func (f *flow) rtt() time.Duration { return f.c.RTT() }

func (f *flow) nakIn(d time.Duration) {
	at := f.w.now.Add(d)
	if f.nakAt.After(f.w.now) && !at.Before(f.nakAt) {
		return
	}
	f.nakAt = at
	f.w.after(d, func() {
		if f.nakAt.Equal(at) {
			f.nak()
		}
	})
}

// nak requests the missing datagrams that are due.
func (f *flow) nak() {
	var ask []int
	next := f.w.now.Add(time.Hour)
	for i := range f.gaps {
		g := &f.gaps[i]
		if quick := f.l.quick && g.asks == 0 && f.highest-g.seq >= 3; quick || !g.due.After(f.w.now) {
			g.asks++
			g.due = f.w.now.Add(f.rtt() * 3 / 2)
			ask = append(ask, g.seq)
		}
		if g.due.Before(next) {
			next = g.due
		}
	}
	f.gaps = slices.DeleteFunc(f.gaps, func(g gap) bool { return g.asks == 12 })
	if len(f.gaps) > 0 {
		f.nakIn(max(next.Sub(f.w.now), ms))
	}
	if len(ask) > 0 && f.w.rng.Float64() >= f.l.loss {
		f.w.after(f.l.rtt/2, func() { f.named(ask) })
	}
}

func (f *flow) named(seqs []int) {
	lost := 0
	for _, seq := range seqs {
		s := &f.log[seq]
		if !s.named {
			s.named = true
			lost += s.size
		}
		if s.chunk >= 0 && !f.got[s.chunk] {
			f.again = append(f.again, s.chunk)
		}
	}
	f.c.Lost(f.w.now, lost)
	f.pump()
}

// reportSoon sends a report as soon as it is due.
func (f *flow) reportSoon() {
	f.w.after(max(f.reportDue().Sub(f.w.now), 0), func() {
		if f.unreported == 0 || f.reportDue().After(f.w.now) {
			return
		}
		f.unreported = 0
		f.reportAt, f.quickAt = f.w.now.Add(max(f.rtt(), 20*ms)), f.w.now.Add(QuickReport(f.rtt()))
		f.report()
	})
}

// reportDue returns when the receiver may send a report (PROTOCOL.md T1).
func (f *flow) reportDue() time.Time {
	if f.unreported >= 32<<10 {
		return f.quickAt
	}
	return f.reportAt
}

func (f *flow) report() {
	if f.l.stalled || f.w.rng.Float64() < f.l.loss {
		return
	}
	newest := f.log[f.highest]
	held := f.w.now.Sub(f.heard)
	r := Report{Delivered: f.received, InFlightSent: newest.total, SentAt: newest.at}
	f.w.after(f.l.rtt/2, func() {
		r.RTT = f.w.now.Sub(newest.at) - held
		f.c.Report(f.w.now, r)
		f.pump()
	})
}
