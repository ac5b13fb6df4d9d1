package pacing

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// FuzzAnySequenceOfCallsKeepsTheBounds checks the bounds of a Controller for any calls and reports. The input is a
// sequence of calls of nine bytes each.
func FuzzAnySequenceOfCallsKeepsTheBounds(f *testing.F) {
	call := func(op byte, arg uint64) []byte { return binary.LittleEndian.AppendUint64([]byte{op}, arg) }
	rng := rand.New(rand.NewPCG(1, 1))
	for range 20 {
		var b []byte
		for range 30 {
			b = append(b, call(byte(rng.Uint32()), rng.Uint64()>>rng.UintN(64))...)
		}
		f.Add(uint64(rng.Uint32()), uint16(rng.Uint32()), b)
	}
	f.Fuzz(func(t *testing.T, rtt uint64, datagram uint16, calls []byte) {
		now := epoch
		c := New(now, time.Duration(rtt), rand.New(rand.NewPCG(2, 2)).Int64N, int(datagram))
		check(t, c)
		for calls = calls[:min(len(calls), 9*100)]; len(calls) >= 9; calls = calls[9:] { // longer inputs add nothing
			x := binary.LittleEndian.Uint64(calls[1:])
			now = now.Add(time.Duration(calls[0]>>3) * ms)
			switch calls[0] & 7 {
			case 0, 1:
				for range 64 {
					if c.Wait(now, int(x)) > 0 {
						break
					}
					c.Sent(now, int(x&0x3fffffff))
				}
			case 2:
				now = now.Add(checkWait(t, c, now, int(x&0xffff)))
			case 3:
				c.Sent(now, int(x&0x3fffffff))
			case 4:
				c.Report(now, Report{Delivered: x, InFlightSent: x << 1, RTT: time.Duration(x << 3)})
			case 5:
				sent := c.flight.sent - min(x&0xfffff, c.flight.sent)
				c.Report(now, Report{Delivered: sent - min(x>>60<<10, sent), InFlightSent: sent, RTT: time.Duration(x >> 20 & 0xfffffff)})
			case 6:
				c.Lost(now, int(x))
			case 7:
				c.Backoff(now)
				if x&7 == 0 {
					now = now.Add(time.Duration(x>>3) % time.Hour)
				}
			}
			check(t, c)
			checkWait(t, c, now, 1400)
		}
	})
}

func checkWait(t *testing.T, c *Controller, now time.Time, bytes int) time.Duration {
	t.Helper()
	w := c.Wait(now, bytes)
	if w < 0 || w > time.Minute {
		t.Fatalf("wait of %v", w)
	}
	return w
}

func check(t *testing.T, c *Controller) {
	t.Helper()
	floor := max(minRate, 2*c.datagram)
	if r := c.Rate(); math.IsNaN(r) || r < floor || r > maxRate {
		t.Fatalf("%v B/s, want %v to %v", r, floor, maxRate)
	}
	switch {
	case c.Window() < burst:
		t.Fatalf("the window is %v, want at least %v", c.Window(), burst)
	case c.Window() > maxWindow:
		t.Fatalf("the window is %v, want at most %v", c.Window(), maxWindow)
	case c.InFlight() < 0:
		t.Fatalf("%v bytes are in flight, want at least 0", c.InFlight())
	case c.flight.delivered > c.flight.reported:
		t.Fatalf("%v bytes were delivered, want at most %v", c.flight.delivered, c.flight.reported)
	}
	switch rtt := c.RTT(); {
	case rtt <= 0:
		t.Fatalf("the round trip is %v, want more than 0", rtt)
	case rtt > maxRTT:
		t.Fatalf("the round trip is %v, want at most %v", rtt, maxRTT)
	case c.MinRTT() < 0:
		t.Fatalf("the least round trip is %v, want at least 0", c.MinRTT())
	case c.MinRTT() > maxRTT:
		t.Fatalf("the least round trip is %v, want at most %v", c.MinRTT(), maxRTT)
	}
	if r := c.loss.random; math.IsNaN(r) || r < 0 || r > randomMax {
		t.Fatalf("share of random loss %v", r)
	}
	if l := c.bucket.level; math.IsNaN(l) || math.IsInf(l, 0) {
		t.Fatalf("bucket level %v", l)
	}
}
