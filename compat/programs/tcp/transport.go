package main

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"
)

// The first byte of a connection, which gives its purpose.
const (
	carriesPackets byte = iota + 1
	carriesAStream
)

// maxPacket is the maximum size of a packet in bytes.
const maxPacket = 10 << 20

// A tcpTransport carries packets over persistent TCP connections, and each stream over its own connection.
type tcpTransport struct {
	listener *net.TCPListener
	packets  chan *memberlist.Packet
	streams  chan net.Conn
	done     chan struct{}
	once     sync.Once
	running  sync.WaitGroup

	mu    sync.Mutex // guards the following fields
	out   map[string]*outgoing
	conns map[net.Conn]bool // all open connections
}

// outgoing is the connection for packets to an address.
type outgoing struct {
	mu   sync.Mutex // locked while a packet is written
	conn net.Conn
}

var _ memberlist.NodeAwareTransport = (*tcpTransport)(nil)

func newTransport(addr string) (*tcpTransport, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, err
	}
	t := &tcpTransport{listener: l.(*net.TCPListener), packets: make(chan *memberlist.Packet), streams: make(chan net.Conn),
		done: make(chan struct{}), out: make(map[string]*outgoing), conns: make(map[net.Conn]bool)}
	t.running.Go(t.accept)
	return t, nil
}

func (t *tcpTransport) accept() {
	for {
		conn, err := t.listener.Accept()
		if err != nil {
			return
		}
		if t.keep(conn) {
			t.running.Go(func() { t.serve(conn) })
		}
	}
}

// keep records an open connection so that Shutdown closes it. It returns false after Shutdown.
func (t *tcpTransport) keep(conn net.Conn) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	select {
	case <-t.done:
		_ = conn.Close()
		return false
	default:
	}
	t.conns[conn] = true
	return true
}

func (t *tcpTransport) drop(conn net.Conn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.conns, conn)
	_ = conn.Close()
}

func (t *tcpTransport) serve(conn net.Conn) {
	var kind [1]byte
	if _, err := io.ReadFull(conn, kind[:]); err != nil {
		t.drop(conn)
		return
	}
	if kind[0] == carriesAStream {
		t.mu.Lock()
		delete(t.conns, conn) // the receiver owns it now
		t.mu.Unlock()
		select {
		case t.streams <- conn:
		case <-t.done:
			_ = conn.Close()
		}
		return
	}
	defer t.drop(conn)
	for r := bufio.NewReader(conn); ; {
		p, err := readPacket(r)
		if err != nil {
			return
		}
		select {
		case t.packets <- p:
		case <-t.done:
			return
		}
	}
}

// readPacket reads the sender's listening address and the packet. A length precedes each of them.
func readPacket(r io.Reader) (*memberlist.Packet, error) {
	from, err := readBytes(r, 64)
	if err != nil {
		return nil, err
	}
	addr, err := net.ResolveTCPAddr("tcp", string(from))
	if err != nil {
		return nil, err
	}
	b, err := readBytes(r, maxPacket)
	return &memberlist.Packet{Buf: b, From: addr, Timestamp: time.Now()}, err
}

func readBytes(r io.Reader, limit uint32) ([]byte, error) {
	var size uint32
	if err := binary.Read(r, binary.BigEndian, &size); err != nil {
		return nil, err
	}
	if size > limit {
		return nil, fmt.Errorf("%d bytes, of which at most %d are taken", size, limit)
	}
	b := make([]byte, size)
	_, err := io.ReadFull(r, b)
	return b, err
}

func appendBytes(to, b []byte) []byte {
	return append(binary.BigEndian.AppendUint32(to, uint32(len(b))), b...)
}

func (t *tcpTransport) FinalAdvertiseAddr(string, int) (net.IP, int, error) {
	addr := t.listener.Addr().(*net.TCPAddr)
	return addr.IP, addr.Port, nil
}

func (t *tcpTransport) WriteTo(b []byte, addr string) (time.Time, error) {
	return t.WriteToAddress(b, memberlist.Address{Addr: addr})
}

func (t *tcpTransport) WriteToAddress(b []byte, addr memberlist.Address) (time.Time, error) {
	if len(b) > maxPacket {
		return time.Time{}, fmt.Errorf("packet of %d bytes", len(b))
	}
	o := t.outgoing(addr.Addr)
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.conn == nil {
		conn, err := t.dial(addr.Addr, carriesPackets, time.Second)
		if err != nil {
			return time.Time{}, err
		}
		if !t.keep(conn) {
			return time.Time{}, net.ErrClosed
		}
		o.conn = conn
	}
	msg := appendBytes(nil, []byte(t.listener.Addr().String()))
	_ = o.conn.SetWriteDeadline(time.Now().Add(5 * time.Second))
	if _, err := o.conn.Write(appendBytes(msg, b)); err != nil {
		t.drop(o.conn)
		o.conn = nil
		return time.Time{}, err
	}
	return time.Now(), nil
}

func (t *tcpTransport) outgoing(addr string) *outgoing {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.out[addr] == nil {
		t.out[addr] = &outgoing{}
	}
	return t.out[addr]
}

func (t *tcpTransport) dial(addr string, kind byte, timeout time.Duration) (net.Conn, error) {
	conn, err := net.DialTimeout("tcp", addr, timeout)
	if err != nil {
		return nil, err
	}
	if _, err := conn.Write([]byte{kind}); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return conn, nil
}

func (t *tcpTransport) PacketCh() <-chan *memberlist.Packet { return t.packets }

func (t *tcpTransport) DialTimeout(addr string, timeout time.Duration) (net.Conn, error) {
	return t.dial(addr, carriesAStream, timeout)
}

func (t *tcpTransport) DialAddressTimeout(addr memberlist.Address, timeout time.Duration) (net.Conn, error) {
	return t.DialTimeout(addr.Addr, timeout)
}

func (t *tcpTransport) StreamCh() <-chan net.Conn { return t.streams }

// Shutdown closes all connections and waits for the goroutines that serve them.
func (t *tcpTransport) Shutdown() error {
	var errs []error
	t.once.Do(func() {
		t.mu.Lock()
		close(t.done)
		errs = append(errs, t.listener.Close())
		for conn := range t.conns {
			_ = conn.Close()
		}
		t.mu.Unlock()
		t.running.Wait()
	})
	return errors.Join(errs...)
}
