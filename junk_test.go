package gwyh

import (
	"encoding/binary"
	"fmt"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// junkPackets returns packets of each kind that any host may send at any rate.
func junkPackets() [][]byte {
	sender := wire.NodeID{0: 9, 6: 0x80}
	hmacs := make([]wire.Hmac, 4)
	for i := range hmacs {
		hmacs[i].Message = append([]byte("gwyh-ext"), make([]byte, 200)...)
	}
	packet := func(h wire.Handshake) []byte {
		h.Timestamp = time.Now()
		return wire.AppendHandshake(nil, 1, sender, &h)
	}
	var nonce [24]byte
	box, _, _ := wire.ReserveBox(nil, 1, sender, &nonce, 500)
	return [][]byte{
		packet(wire.Handshake{Step: wire.StepHello, Hmacs: hmacs}), packet(wire.Handshake{Step: wire.StepOhai, Hmacs: hmacs[:1]}),
		packet(wire.Handshake{Step: wire.StepOkBoss, Responses: make([][64]byte, 8)}), packet(wire.Handshake{Step: wire.StepGoTeam}),
		packet(wire.Handshake{Step: wire.StepCookie}), box, []byte("GET / HTTP/1.1\r\nHost: 10.0.0.1\r\n\r\n"),
	}
}

// pelt sends up to perSecond packets per second to an address until stop is closed, and counts them in sent.
func pelt(t testing.TB, to string, perSecond int, sent *atomic.Int64, stop <-chan struct{}) {
	conn, err := net.Dial("udp", to)
	if err != nil {
		t.Error(err)
		return
	}
	defer func() { _ = conn.Close() }()
	packets := junkPackets()
	begin := time.Now()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for i := 0; ; {
		select {
		case <-stop:
			return
		case <-tick.C:
		}
		due := int(time.Since(begin).Seconds() * float64(perSecond))
		for ; i < due; i++ {
			_, _ = conn.Write(packets[i%len(packets)]) // an error means a full buffer or a closed port
			sent.Add(1)
		}
	}
}

// A host sends junk to a node continuously. Other nodes join through that node and broadcast. `make junk` prints the
// results with 100,000 packets per second.
func TestNodeThatGetsJunkLetsOthersJoinAndHearsThem(t *testing.T) {
	rate, seconds := 2_000, 1
	if *full {
		rate, seconds = 100_000, 10
	}
	const perSecond = 1000
	messages := perSecond * seconds
	ms, cs := crowd(t, 6, messages)
	var sent atomic.Int64
	stop, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		pelt(t, ms[0].LocalNode().Address(), rate, &sent, stop)
	}()
	begin, dropped := time.Now(), ms[0].Stats().Dropped
	var slowest time.Duration
	for i := range 5 {
		c := testConfig(fmt.Sprint("joiner", i), nil)
		m := create(t, c)
		at := time.Now()
		if _, err := m.Join([]string{ms[0].LocalNode().Address()}); err != nil {
			t.Errorf("join %d during the junk: %v", i, err)
		}
		slowest = max(slowest, time.Since(at))
	}
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	from := time.Now()
	for n := 0; n < messages; {
		<-tick.C
		for due := int(time.Since(from).Seconds() * perSecond); n < min(due, messages); n++ {
			var b [64]byte
			binary.BigEndian.PutUint64(b[:], uint64(n))
			for ms[1].Broadcast(b[:]) != nil {
				<-tick.C
			}
		}
	}
	broadcasts := time.Since(from)
	lost := settle(func() int { return messages - int(cs[0].messages.Load()) })
	took := time.Since(begin)
	close(stop)
	<-ended
	t.Logf("%.0f packets of junk a second sent, %.0f a second of them taken in and dropped; slowest of 5 joins %v; %d broadcasts in %v, %d lost",
		float64(sent.Load())/took.Seconds(), float64(ms[0].Stats().Dropped-dropped)/took.Seconds(), slowest, messages, broadcasts, lost)
	if lost > 0 {
		t.Errorf("%d of %d broadcasts are lost", lost, messages)
	}
}
