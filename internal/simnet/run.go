package simnet

import (
	"net/netip"
	"time"
)

// At calls f at a moment of the network's time, or as soon as possible if that moment has passed.
func (n *Network) At(t time.Time, f func()) { n.after(int64(t.Sub(n.clock)), f) }

// After calls f when d has passed.
func (n *Network) After(d time.Duration, f func()) { n.after(n.now+int64(d), f) }

func (n *Network) after(at int64, f func()) { n.queue.push(max(at, n.now), ^n.actions.add(f), 0) }

// Do gives the host at addr an input that is not a datagram, such as a call of its API: it calls f with the host's
// time and then drains the host. This takes no running time of the loop. Use Do for every call of a Host that the
// network does not make; otherwise its datagrams and timers are seen late. Do does nothing if the host is down. It
// reports whether the host was up.
func (n *Network) Do(addr netip.AddrPort, f func(now time.Time)) bool {
	h := n.host(addr)
	if h.impl == nil {
		return false
	}
	f(h.time(n.now))
	n.deliverDue(h)
	return true
}

// Step runs the next event, whenever it is. It returns false if no event is left.
func (n *Network) Step() bool { return n.step(never - 1) }

// step runs the next event unless it is later than until. Of events at the same moment, datagrams and actions run
// first, in the order in which they were sent and scheduled, then hosts in the order in which they were added.
func (n *Network) step(until int64) bool {
	for {
		queued, wake := n.queue.next(), n.wakes.next()
		if min(queued, wake) > until {
			return false
		}
		if wake < queued {
			n.now = wake
			if n.wake() {
				return true
			}
			continue
		}
		n.now = queued
		if ref, dst := n.queue.pop(); ref >= 0 {
			n.arrive(ref, dst)
		} else {
			n.act(^ref)
		}
		return true
	}
}

func (n *Network) act(i int32) {
	n.note(EventAction, LostNone, nobody, nobody, 0)
	if n.trace.hook != nil {
		n.show(EventAction, LostNone, netip.AddrPort{}, netip.AddrPort{}, nil)
	}
	n.actions.take(i)()
}

// Run runs all events up to and including a moment and sets the time to it, unless Stop is called.
func (n *Network) Run(until time.Time) { n.run(int64(until.Sub(n.clock)), nil) }

// RunFor runs all events of the next d.
func (n *Network) RunFor(d time.Duration) { n.run(n.now+int64(d), nil) }

// RunUntil runs events until done returns true or the limit has passed. It calls done at the start and after every
// event, and returns the last result of done.
func (n *Network) RunUntil(limit time.Duration, done func() bool) bool {
	return n.run(n.now+int64(limit), done)
}

// Stop makes the Run in progress return after the current event.
func (n *Network) Stop() { n.stop = true }

func (n *Network) run(until int64, done func() bool) bool {
	n.stop = false
	if done != nil && done() {
		return true
	}
	for n.step(until) {
		if done != nil && done() {
			return true
		}
		if n.stop {
			return false
		}
	}
	n.now = max(n.now, until)
	return false
}
