package pacing

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// Whatever the peer reports and the caller does, a Controller keeps to its bounds. The input is a
// sequence of calls, nine bytes each.
func FuzzAnySequenceOfCallsKeepsTheBounds(f *testing.F) {
	call := func(op byte, arg uint64) []byte { return binary.LittleEndian.AppendUint64([]byte{op}, arg) }
	rng := rand.New(rand.NewPCG(1, 1))
	for range 20 {
		var b []byte
		for range 200 {
			b = append(b, call(byte(rng.Uint32()), rng.Uint64()>>rng.UintN(64))...)
		}
		f.Add(uint64(rng.Uint32()), uint16(rng.Uint32()), b)
	}
	f.Fuzz(func(t *testing.T, rtt uint64, datagram uint16, calls []byte) {
		now := epoch
		c := New(now, time.Duration(rtt), rand.New(rand.NewPCG(2, 2)).Int64N, int(datagram))
		check(t, c)
		for ; len(calls) >= 9; calls = calls[9:] {
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
	if c.Window() < burst || c.Window() > maxWindow || c.InFlight() < 0 || c.flight.delivered > c.flight.reported {
		t.Fatalf("window %d, in flight %d, delivered %d of %d", c.Window(), c.InFlight(), c.flight.delivered, c.flight.reported)
	}
	if rtt := c.RTT(); rtt <= 0 || rtt > maxRTT || c.MinRTT() < 0 || c.MinRTT() > maxRTT {
		t.Fatalf("RTT %v, least %v", rtt, c.MinRTT())
	}
	if r := c.loss.random; math.IsNaN(r) || r < 0 || r > randomMost {
		t.Fatalf("share of random loss %v", r)
	}
	if l := c.bucket.level; math.IsNaN(l) || math.IsInf(l, 0) {
		t.Fatalf("bucket level %v", l)
	}
}
