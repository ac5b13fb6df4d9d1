package compat

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	memberlist "github.com/gwyh-go/gwyh/compat/lib"
)

// port is the port of every end of a network, and so the default port of Join.
const port = 7000

// A network carries packets and streams in memory, as a program's own transport does. Packets stay in order unless
// they are delayed.
type network struct {
	mu    sync.Mutex // guards the following fields, and the ends
	ends  map[string]*end
	made  int
	delay time.Duration
	lost  func(from, to *end) bool // nil: nothing is lost
}

// An end is one node's transport.
type end struct {
	net      *network
	name     string
	ip       net.IP
	packets  chan *memberlist.Packet
	streams  chan net.Conn
	done     chan struct{}
	once     sync.Once
	named    map[string]string // guarded by net.mu: the name passed with each address written to
	scribble bool              // overwrite each buffer after it was sent, as its owner may
}

var _ memberlist.NodeAwareTransport = (*end)(nil)

var (
	errNoRoute = errors.New("no route to host")
	errClosed  = errors.New("transport is shut down")
)

// end adds a transport to the network.
func (n *network) end(name string) *end {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.ends == nil {
		n.ends = make(map[string]*end)
	}
	n.made++
	e := &end{net: n, name: name, ip: net.IPv4(10, 0, 0, byte(n.made)).To4(),
		packets: make(chan *memberlist.Packet, 4096), streams: make(chan net.Conn), done: make(chan struct{}),
		named: make(map[string]string)}
	n.ends[e.addr()] = e
	return e
}

func (e *end) addr() string { return fmt.Sprintf("%s:%d", e.ip, port) }

// move changes the address of an end.
func (n *network) move(e *end, ip net.IP) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.ends, e.addr())
	e.ip = ip
	n.ends[e.addr()] = e
}

// lose sets which packets and streams do not arrive.
func (n *network) lose(lost func(from, to *end) bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.lost = lost
}

// slow sets the delay of packets.
func (n *network) slow(delay time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.delay = delay
}

// route returns the end at addr, or nil if e cannot reach it.
func (e *end) route(addr memberlist.Address) (to *end, delay time.Duration) {
	e.net.mu.Lock()
	defer e.net.mu.Unlock()
	e.named[addr.Addr] = addr.Name
	to = e.net.ends[addr.Addr]
	if to == nil || e.net.lost != nil && e.net.lost(e, to) {
		return nil, 0
	}
	return to, e.net.delay
}

func (e *end) FinalAdvertiseAddr(string, int) (net.IP, int, error) { return e.ip, port, nil }

func (e *end) WriteTo(b []byte, addr string) (time.Time, error) {
	return e.WriteToAddress(b, memberlist.Address{Addr: addr})
}

func (e *end) WriteToAddress(b []byte, addr memberlist.Address) (time.Time, error) {
	now := time.Now()
	select {
	case <-e.done:
		return now, errClosed
	default:
	}
	to, delay := e.route(addr)
	if to == nil {
		return now, nil // UDP returns no error either
	}
	p := &memberlist.Packet{Buf: append([]byte(nil), b...), From: &net.UDPAddr{IP: e.ip, Port: port}, Timestamp: now.Add(delay)}
	if e.scribble {
		for i := range b {
			b[i] = 0xff
		}
	}
	if delay > 0 {
		time.AfterFunc(delay, func() { to.take(p) })
	} else {
		to.take(p)
	}
	return now, nil
}

func (e *end) take(p *memberlist.Packet) {
	select {
	case e.packets <- p:
	default: // the queue is full: the packet is lost
	}
}

func (e *end) PacketCh() <-chan *memberlist.Packet { return e.packets }

func (e *end) DialTimeout(addr string, timeout time.Duration) (net.Conn, error) {
	return e.DialAddressTimeout(memberlist.Address{Addr: addr}, timeout)
}

func (e *end) DialAddressTimeout(addr memberlist.Address, timeout time.Duration) (net.Conn, error) {
	to, _ := e.route(addr)
	if to == nil {
		return nil, errNoRoute
	}
	near, far := net.Pipe()
	t := time.NewTimer(timeout)
	defer t.Stop()
	select {
	case to.streams <- far:
		return near, nil
	case <-to.done:
	case <-t.C:
	}
	_, _ = near.Close(), far.Close()
	return nil, errNoRoute
}

func (e *end) StreamCh() <-chan net.Conn { return e.streams }

// Shutdown removes the end from the network, as when a process dies.
func (e *end) Shutdown() error {
	e.once.Do(func() {
		close(e.done)
		e.net.mu.Lock()
		defer e.net.mu.Unlock()
		if e.net.ends[e.addr()] == e {
			delete(e.net.ends, e.addr())
		}
	})
	return nil
}

// nameOf returns the name passed with the latest write to an address.
func (e *end) nameOf(addr string) string {
	e.net.mu.Lock()
	defer e.net.mu.Unlock()
	return e.named[addr]
}
