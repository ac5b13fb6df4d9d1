package simnet

import (
	"net/netip"
	"time"
)

// At calls f at a moment of the network's time, or as soon as possible if that is past.
func (n *Network) At(t time.Time, f func()) { n.after(int64(t.Sub(n.clock)), f) }

// After calls f when a time has passed.
func (n *Network) After(d time.Duration, f func()) { n.after(n.now+int64(d), f) }

func (n *Network) after(at int64, f func()) { n.queue.push(max(at, n.now), ^n.actions.add(f), 0) }

// Do gives the host at addr an input that is no datagram, such as a call of its API: f gets the
// host's time, then the host is drained. It takes none of the loop's time. Whoever calls a Host past
// the network must use Do, lest its datagrams and timers be seen late. It does nothing when the host
// is down, and reports whether it was up.
func (n *Network) Do(addr netip.AddrPort, f func(now time.Time)) bool {
	h := n.host(addr)
	if h.impl == nil {
		return false
	}
	f(h.time(n.now))
	n.settle(h)
	return true
}

// Step lets the next thing happen, whenever it is. It reports false when there is nothing left.
func (n *Network) Step() bool { return n.step(never - 1) }

// step lets the next thing happen if that is not after until. Of things at the same moment,
// datagrams and actions come first, in the order they were sent and scheduled, then hosts in the
// order they were added.
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

// Run lets everything happen up to and including a moment, which then is now, unless Stop is called.
func (n *Network) Run(until time.Time) { n.run(int64(until.Sub(n.clock)), nil) }

// RunFor lets time pass.
func (n *Network) RunFor(d time.Duration) { n.run(n.now+int64(d), nil) }

// RunUntil lets time pass until done reports true, which is asked at once and after every event, or
// the limit has passed. It returns what done reported last.
func (n *Network) RunUntil(limit time.Duration, done func() bool) bool {
	return n.run(n.now+int64(limit), done)
}

// Stop makes the Run in progress return after the present event.
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
