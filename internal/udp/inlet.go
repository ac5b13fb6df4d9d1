package udp

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// An Inlet decides who reads Sockets: either a caller that claims them, or goroutines of the Inlet, which pass the
// packets to a channel. P is the type of a packet in that channel. An Inlet is safe for concurrent use.
type Inlet[P any] struct {
	sockets Sockets
	packets chan P
	done    chan struct{} // closed by Close
	readers sync.WaitGroup

	mu      sync.Mutex // guards the following fields
	claimed bool       // the sockets have a reader, or are closed
	closed  bool
	divert  func(P) // receives the packets of Put instead of the channel; nil if not set
}

// NewInlet returns an Inlet whose channel holds depth packets.
func NewInlet[P any](s Sockets, depth int) *Inlet[P] {
	return &Inlet[P]{sockets: s, packets: make(chan P, depth), done: make(chan struct{})}
}

// Claim makes the caller the only reader of the sockets until Close. It returns false if the sockets already have a
// reader or are closed.
func (i *Inlet[P]) Claim() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	free := !i.claimed
	i.claimed = true
	return free
}

// Divert makes Put pass its packets to take, which may block.
func (i *Inlet[P]) Divert(take func(P)) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.divert = take
}

// Packets returns the channel. Unless the sockets are claimed, the first call starts reading them. pack makes a packet
// of a datagram, whose bytes the packet may keep. failed is called with read errors.
func (i *Inlet[P]) Packets(pack func(path wire.Path, b []byte) P, failed func(c *Conn, err error)) <-chan P {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.claimed {
		return i.packets
	}
	i.claimed = true
	for _, c := range i.sockets {
		i.readers.Go(func() {
			c.ReadEach(i.done, func(path wire.Path, b []byte) {
				if len(b) > 0 {
					_ = i.send(pack(path, bytes.Clone(b)))
				}
			}, func(err error) { failed(c, err) })
		})
	}
	return i.packets
}

// send blocks while the channel is full. The system's buffer then queues packets, and drops them when it is full.
func (i *Inlet[P]) send(p P) error {
	select {
	case i.packets <- p:
		return nil
	case <-i.done:
		return net.ErrClosed
	}
}

// Put takes a packet that was received elsewhere. It blocks while the channel is full, and returns net.ErrClosed after
// Close.
func (i *Inlet[P]) Put(p P) error {
	i.mu.Lock()
	divert, closed := i.divert, i.closed
	i.mu.Unlock()
	switch {
	case closed:
		return net.ErrClosed
	case divert != nil:
		divert(p)
		return nil
	}
	return i.send(p)
}

// Close closes the sockets and waits for the goroutines that read them. Further calls do nothing.
func (i *Inlet[P]) Close() error {
	var err error
	i.mu.Lock()
	if !i.closed {
		i.claimed, i.closed = true, true
		close(i.done)
		err = i.sockets.Close()
	}
	i.mu.Unlock()
	i.readers.Wait()
	return err
}

// ReadPacket reads conn to its end as one packet. If shouldClose is set, it closes conn afterwards. from describes the
// origin of the packet in errors.
func ReadPacket(conn net.Conn, from string, shouldClose bool) ([]byte, error) {
	if conn == nil {
		return nil, errors.New("no connection to read a packet of " + from)
	}
	if shouldClose {
		defer func() { _ = conn.Close() }()
	}
	b, err := io.ReadAll(io.LimitReader(conn, MaxDatagram+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read packet %s: %w", from, err)
	case len(b) == 0:
		return nil, fmt.Errorf("empty packet %s", from)
	case len(b) > MaxDatagram:
		return nil, fmt.Errorf("packet of more than %d bytes %s", MaxDatagram, from)
	}
	return b, nil
}
