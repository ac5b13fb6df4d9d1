package gwyh

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestMockNetworkCarriesPacketsInABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n MockNetwork
		a, b := n.NewTransport("a"), n.NewTransport("b")
		start := time.Now()
		done := make(chan struct{})
		go func() {
			defer close(done)
			for range 3 {
				p := <-b.PacketCh()
				if p.Timestamp.Sub(start)%time.Second != 0 {
					t.Error(p.Timestamp)
				}
				if _, err := b.WriteTo(p.Buf, p.From.String()); err != nil {
					t.Error(err)
				}
			}
		}()
		for range 3 {
			time.Sleep(time.Second)
			msg := []byte("ping")
			at, err := a.WriteTo(msg, b.addr.String())
			if err != nil || !at.Equal(time.Now()) {
				t.Fatal(at, err)
			}
			msg[0] = 'x' // the packet is a copy
			if p := <-a.PacketCh(); string(p.Buf) != "ping" || p.From.String() != b.addr.String() || p.From.Network() != "mock" {
				t.Fatalf("%+v", p)
			}
		}
		<-done
	})
}

func TestMockTransportNeverBlocks(t *testing.T) {
	var n MockNetwork
	a, b := n.NewTransport("a"), n.NewTransport("b")
	for range 2 * mockPacketDepth {
		if _, err := a.WriteTo([]byte("x"), b.addr.String()); err != nil {
			t.Fatal(err)
		}
	}
	if len(b.PacketCh()) != mockPacketDepth {
		t.Fatal(len(b.PacketCh()))
	}
}

func TestMockTransportsHaveAddressesOfTheirOwn(t *testing.T) {
	var n MockNetwork
	seen := make(map[string]bool)
	for range 100 {
		tr := n.NewTransport("")
		ip, port, err := tr.FinalAdvertiseAddr("192.0.2.1", 9)
		addr := (&Node{Addr: ip, Port: uint16(port)}).Address()
		if err != nil || addr != tr.addr.String() || seen[addr] {
			t.Fatal(addr, err)
		}
		seen[addr] = true
	}
}

func TestMockNetworkFindsByNameThenByAddress(t *testing.T) {
	var n MockNetwork
	a, old := n.NewTransport("a"), n.NewTransport("b")
	b := n.NewTransport("b")
	send := func(addr Address, to *MockTransport) {
		t.Helper()
		if _, err := a.WriteToAddress([]byte("x"), addr); err != nil {
			t.Fatal(err)
		}
		if len(to.packetCh) != 1 {
			t.Fatalf("%s did not reach %s", addr.String(), to.addr)
		}
		<-to.packetCh
	}
	send(Address{Name: "b", Addr: old.addr.String()}, old)
	send(Address{Name: "b", Addr: a.addr.String()}, b)
	send(Address{Name: "b", Addr: "192.0.2.1:9"}, b)
	send(Address{Addr: old.addr.String()}, old)
	send(Address{Name: "of nobody", Addr: old.addr.String()}, old)
	_ = old.Shutdown()
	send(Address{Name: "b"}, b)
	if _, err := a.WriteTo(nil, old.addr.String()); err == nil || !strings.Contains(err.Error(), old.addr.String()) {
		t.Fatal(err)
	}
	_ = b.Shutdown()
	_ = b.Shutdown()
	if _, err := a.WriteToAddress(nil, Address{Name: "b"}); err == nil {
		t.Fatal("reached a transport that is shut down")
	}
	if _, err := b.WriteTo(nil, a.addr.String()); err == nil {
		t.Fatal("wrote from a transport that is shut down")
	}
}
