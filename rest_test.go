package gwyh

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// A countingTransport counts the packets written to it.
type countingTransport struct {
	*MockTransport
	packets *atomic.Int64
}

func (c *countingTransport) WriteTo(b []byte, addr string) (time.Time, error) {
	return c.WriteToAddress(b, Address{Addr: addr})
}

func (c *countingTransport) WriteToAddress(b []byte, addr Address) (time.Time, error) {
	c.packets.Add(1)
	return c.MockTransport.WriteToAddress(b, addr)
}

// inDskit runs f with n nodes that have the settings of dskit's KVConfig: a TCP connection for each packet, and
// therefore large packets and rare probes.
func inDskit(t *testing.T, n int, f func(nodes []*Memberlist, packets *atomic.Int64)) {
	synctest.Test(t, func(t *testing.T) {
		var network MockNetwork
		var packets atomic.Int64
		var nodes []*Memberlist
		for i := range n {
			c := testConfig(fmt.Sprint("n", i), nil)
			c.Transport = &countingTransport{network.NewTransport(c.Name), &packets}
			c.Delegate = newKeeper(c.Name)
			c.UDPBufferSize, c.TCPTimeout = 10<<20, 2*time.Second
			c.ProbeInterval, c.ProbeTimeout = 5*time.Second, 2*time.Second
			nodes = append(nodes, create(t, c))
			if i > 0 {
				join(t, nodes[i], nodes[0])
			}
		}
		f(nodes, &packets)
	})
}

func TestNodeAtRestOverConnectionsSendsAboutOnePacketASecond(t *testing.T) {
	const n, minutes = 30, 10
	inDskit(t, n, func(_ []*Memberlist, packets *atomic.Int64) {
		time.Sleep(2 * time.Minute)
		packets.Store(0)
		time.Sleep(minutes * time.Minute)
		each := float64(packets.Load()) / n / minutes / 60
		t.Logf("%.2f packets/s", each)
		if each > 1.2 {
			t.Errorf("a node sends %.2f packets/s, want about 1", each)
		}
	})
}

// memberlist needs 37 to 57 s with the same settings.
func TestCrashOverConnectionsIsKnownWithinFortySeconds(t *testing.T) {
	const n = 30
	inDskit(t, n, func(nodes []*Memberlist, _ *atomic.Int64) {
		time.Sleep(2 * time.Minute)
		for k := range 5 {
			begin := time.Now()
			_ = nodes[n-1-k].Shutdown()
			for nodes[0].NumMembers() != n-1-k && time.Since(begin) < time.Hour {
				time.Sleep(100 * time.Millisecond)
			}
			t.Logf("crash %d was known after %v", k, time.Since(begin))
			if took := time.Since(begin); took > 40*time.Second {
				t.Errorf("crash %d was known after %v", k, took)
			}
			time.Sleep(17 * time.Second)
		}
		for i, m := range nodes[:n-5] {
			if m.NumMembers() != n-5 {
				t.Errorf("n%d has %d members: %s", i, m.NumMembers(), strings.Join(names(m.Members()), " "))
			}
		}
	})
}
