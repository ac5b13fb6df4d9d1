package doctor

import (
	"encoding/binary"
	"net/netip"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// A watch checks what arrives at this machine before its firewall drops it. It needs CAP_NET_RAW; without it a watch
// sees nothing.
type watch struct {
	from    netip.AddrPort
	to      uint16 // destination port
	fd      int
	found   atomic.Bool
	stopped atomic.Bool
	done    chan struct{} // closed when the reading goroutine has ended
}

// startWatch watches for UDP datagrams from an address to a local port.
func startWatch(from netip.AddrPort, to uint16) *watch {
	w := &watch{from: from, to: to, done: make(chan struct{})}
	kind := uint16(unix.ETH_P_IP)
	if from.Addr().Is6() {
		kind = unix.ETH_P_IPV6
	}
	var err error
	if w.fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, int(networkOrder(kind))); err != nil {
		close(w.done)
		return w
	}
	// Reads time out, so that the goroutine notices when the watch is stopped.
	timeout := unix.NsecToTimeval(50_000_000)
	_ = unix.SetsockoptTimeval(w.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &timeout)
	go w.run()
	return w
}

func networkOrder(n uint16) uint16 {
	return binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, n))
}

func (w *watch) run() {
	defer close(w.done)
	defer func() { _ = unix.Close(w.fd) }()
	b := make([]byte, 256)
	for !w.stopped.Load() && !w.found.Load() {
		n, _, err := unix.Recvfrom(w.fd, b, 0)
		switch {
		case err == nil:
			if from, to, ok := udpPorts(b[:n]); ok && from == w.from && to == w.to {
				w.found.Store(true)
			}
		case err != unix.EAGAIN && err != unix.EINTR:
			return
		}
	}
}

// seen reports whether a datagram for the port has arrived.
func (w *watch) seen() bool { return w.found.Load() }

// stop ends the watch.
func (w *watch) stop() {
	w.stopped.Store(true)
	<-w.done
}
