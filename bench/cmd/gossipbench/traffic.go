package main

import (
	"math/rand/v2"
	"time"

	"github.com/gwyh-go/gwyh/bench/measure"
)

// silence is the time without deliveries after which missing messages count as lost.
const silence = 2 * time.Second

// latency sends messages from random nodes, spaced so that each one has arrived before the next.
func (b *bench) latency(size, count int) *Latency {
	b.spaced(size, min(5, count)) // warm-up
	before := measure.Snapshot()
	r := b.spaced(size, count)
	d, secs := measure.Snapshot().Sub(before)
	d = d.Less(b.rest, secs).Over(float64(count * b.n))
	last, mid, ratio, incomplete := r.Spread()
	return &Latency{Size: size, Count: count, Ratio: ratio, Incomplete: incomplete,
		LastP50: measure.Quantile(last, 0.5) / 1e3, LastP99: measure.Quantile(last, 0.99) / 1e3, MidP50: measure.Quantile(mid, 0.5) / 1e3,
		Delays: measure.Percentiles(r.Delays()), CPU: d.CPU * 1e6, Packets: d.LoPackets, Bytes: d.LoBytes}
}

// spaced returns when all messages have arrived, or no more arrive.
func (b *bench) spaced(size, count int) *measure.Round {
	r := b.hub.Begin(count, b.n, true)
	var buf []byte
	for i := range count {
		from := rand.IntN(b.n)
		buf = r.Payload(buf, i, size)
		r.Sent(i, from)
		for b.cluster.Broadcast(from, buf) != nil {
			time.Sleep(refusedPause)
		}
		if size > spacedSize {
			r.WaitWhole(int64(i+1), silence)
		}
		time.Sleep(b.gap/2 + rand.N(b.gap))
	}
	r.WaitWhole(int64(count), silence)
	return r
}

// spacedSize is the size in bytes above which a message waits until the previous one has arrived.
const spacedSize = 16 << 10

// refusedPause is the pause before a rejected message is sent again.
const refusedPause = 100 * time.Microsecond

// flow sends from one node with at most open messages in flight. Messages that are incomplete when nothing has
// arrived for the time silence count as lost, and others take their place.
func (b *bench) flow(open int) *Flow {
	r := b.hub.Begin(b.burst, b.n, false)
	f := &Flow{}
	var buf []byte
	lost := 0
	before := measure.Snapshot()
	for end := time.Now().Add(b.cap); f.Sent < b.burst && time.Now().Before(end); {
		if want := f.Sent + 1 - open - lost; want > 0 && !r.WaitWhole(int64(want), silence) {
			lost = f.Sent - int(r.Whole.Load())
		}
		buf = r.Payload(buf, f.Sent, b.size)
		r.Sent(f.Sent, 0)
		for b.cluster.Broadcast(0, buf) != nil {
			f.Refused++
			time.Sleep(refusedPause)
		}
		f.Sent++
	}
	r.WaitWhole(int64(f.Sent-lost), silence)
	d, _ := measure.Snapshot().Sub(before)
	f.Lost, f.CPU = d.UDPErr, d.CPU*1e6/float64(f.Sent*b.n)
	f.Ratio = float64(r.Total.Load()) / float64(f.Sent*(b.n-1))
	if secs := r.LastAt(); secs > 0 {
		f.Rate = f.Ratio * float64(f.Sent) / secs
	}
	return f
}
