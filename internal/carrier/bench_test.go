package carrier

import (
	"net/netip"
	"sync"
	"testing"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// BenchmarkQuickForeignTransport measures a turn of the loop that sends one datagram to each of nine nodes over a
// transport that never blocks, until all are written.
func BenchmarkQuickForeignTransport(b *testing.B) {
	stop := make(chan struct{})
	var mu sync.Mutex
	c := NewForeign(func(_ netip.AddrPort, p []byte) error {
		mu.Lock()
		defer mu.Unlock()
		sink = append(sink[:0], p...)
		return nil
	}, roomFor(1), stop)
	var g sync.WaitGroup
	c.Start(&g)
	var to [9]wire.Path
	for i := range to {
		to[i].Remote = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}), 7946)
	}
	datagram := make([]byte, 200)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		for _, p := range to {
			c.SendRun(p, datagram, len(datagram))
		}
		if i%50 == 49 {
			<-c.Flushed()
		}
	}
	<-c.Flushed()
	b.StopTimer()
	if got := c.Stats(); got != (Stats{}) {
		b.Error(got)
	}
	close(stop)
	g.Wait()
}

var sink []byte
