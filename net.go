package gwyh

import (
	"bytes"
	"errors"
	"fmt"
	"log"
	"net"
	"net/netip"
	"time"

	"github.com/gwyh-go/gwyh/internal/memnet"
	"github.com/gwyh-go/gwyh/internal/metrics"
	"github.com/gwyh-go/gwyh/internal/node"
	"github.com/gwyh-go/gwyh/internal/resolve"
	"github.com/gwyh-go/gwyh/internal/udp"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// A Packet is one datagram that a Transport received.
type Packet struct {
	Buf       []byte    // belongs to the receiver
	From      net.Addr  // the sender; its String appears in logs and need not be an address that can be replied to
	Timestamp time.Time // time of arrival, as exactly as the Transport knows it
}

// An Address is the network address of a node, with its name if that is known.
type Address struct {
	Addr string // host:port
	Name string // name of the node, empty if unknown
}

// String returns the address, preceded by the name if there is one.
func (a *Address) String() string {
	if a.Name != "" {
		return a.Name + " (" + a.Addr + ")"
	}
	return a.Addr
}

// A Transport carries datagrams between nodes. It may lose, duplicate and reorder them. Its methods may
// block: they are called in goroutines of their own, and a blocked write delays only datagrams to the same address. The methods
// for streams exist so that a Transport written for memberlist fits. They are never called.
type Transport interface {
	// FinalAdvertiseAddr returns the address at which other nodes reach this one. ip is Config.AdvertiseAddr, which may be
	// empty, and port is Config.AdvertisePort. Create calls it once.
	FinalAdvertiseAddr(ip string, port int) (net.IP, int, error)

	// WriteTo sends b to addr (host:port) and returns the time of sending. b belongs to the Transport afterwards. An error
	// is counted and otherwise treated like a lost datagram.
	//
	// WriteTo is called concurrently for up to 1,024 addresses, but never concurrently for one address, and in
	// the order in which the datagrams for that address were sent. At most 2,048 datagrams and 32 MiB are queued for all
	// addresses together, and at most half of what is left of that for one address. Datagrams beyond these bounds, and those that were
	// queued for 3 s, are dropped and counted in Stats.Dropped.
	WriteTo(b []byte, addr string) (time.Time, error)

	// PacketCh returns the channel of received packets. It returns the same channel each time. The node reads the channel
	// until Shutdown.
	PacketCh() <-chan *Packet

	// DialTimeout is never called.
	DialTimeout(addr string, timeout time.Duration) (net.Conn, error)

	// StreamCh is never called.
	StreamCh() <-chan net.Conn

	// Shutdown closes the Transport and releases its resources. It should make writes in progress return. WriteTo may
	// be called afterwards and should return an error then.
	Shutdown() error
}

// A NodeAwareTransport is a Transport that needs the names of the nodes that it sends to.
type NodeAwareTransport interface {
	Transport
	// WriteToAddress is called instead of WriteTo. The name is empty if it is not known.
	WriteToAddress(b []byte, addr Address) (time.Time, error)
	// DialAddressTimeout is never called.
	DialAddressTimeout(addr Address, timeout time.Duration) (net.Conn, error)
}

// An IngestionAwareTransport accepts packets that another component received for it, for example on a shared port.
type IngestionAwareTransport interface {
	// IngestPacket reads conn to its end as one packet from addr that was received at now. If shouldClose is set, it closes
	// conn afterwards.
	IngestPacket(conn net.Conn, addr net.Addr, now time.Time, shouldClose bool) error
	// IngestStream accepts a stream. The transports of this package return an error and do not use conn.
	IngestStream(conn net.Conn) error
}

// errNoStreams is returned by the stream methods of the transports of this package.
var errNoStreams = errors.New("gwyh opens no streams: all its traffic is datagrams")

// Capacities of the packet channels, in packets. A packet of a NetTransport may have 64 KiB, and the system's receive
// buffer holds further ones.
const (
	netPacketDepth  = 128
	mockPacketDepth = 1024
)

// A NetTransportConfig configures a NetTransport.
type NetTransportConfig struct {
	// BindAddrs are the addresses to listen on, at least one: IP addresses or host names, as in
	// Config.BindAddr. A single "0.0.0.0", "::" or empty string means every address, IPv4 and IPv6. Among several addresses it
	// means every address of its own family.
	BindAddrs []string
	// BindPort is the UDP port, the same on all addresses. With zero the system picks a port that is free on all
	// of them.
	BindPort int
	// Logger receives the log lines. Nil means standard error.
	Logger *log.Logger
	// MetricLabels has no meaning here: the Memberlist counts datagrams, with Config.MetricLabels.
	MetricLabels []metrics.Label
}

// A NetTransport carries datagrams over UDP. It starts to read its sockets with the first call of PacketCh, or when a
// Memberlist uses it, which reads them without a channel.
type NetTransport struct {
	sockets  udp.Sockets // at least one
	own      *udp.Own    // the addresses at which this machine reaches them
	inlet    *udp.Inlet[*Packet]
	log      node.Log
	streamCh chan net.Conn // never used
}

var (
	_ NodeAwareTransport      = (*NetTransport)(nil)
	_ IngestionAwareTransport = (*NetTransport)(nil)
)

// NewNetTransport resolves the host names among the addresses, for at most 10 s, and opens the sockets. It returns an
// error that names the address if an address does not belong to this machine or a socket cannot be opened. Then
// no socket is left open.
func NewNetTransport(config *NetTransportConfig) (*NetTransport, error) {
	if config == nil {
		return nil, errors.New("bad NetTransportConfig: it is nil")
	}
	addrs, err := resolve.BindAll(config.BindAddrs)
	if err != nil {
		return nil, err
	}
	if config.BindPort < 0 || config.BindPort > 65535 {
		return nil, fmt.Errorf("BindPort = %d, want 0 to 65535", config.BindPort)
	}
	sockets, err := udp.ListenAll(addrs, uint16(config.BindPort))
	if err != nil {
		return nil, err
	}
	t := &NetTransport{
		sockets:  sockets,
		own:      udp.NewOwn(sockets),
		inlet:    udp.NewInlet[*Packet](sockets, netPacketDepth),
		log:      node.NewLog(config.Logger, nil, nil),
		streamCh: make(chan net.Conn),
	}
	if got, _ := sockets[0].Buffers(); got > 0 && got < udp.ReceiveBuffer {
		t.log.Warnf("the system granted a receive buffer of %d KiB instead of %d KiB, so bursts may be lost "+
			"(on Linux, raise net.core.rmem_max)", got>>10, udp.ReceiveBuffer>>10)
	}
	return t, nil
}

// GetAutoBindPort returns the port that the sockets are bound to.
func (t *NetTransport) GetAutoBindPort() int { return int(t.sockets[0].LocalAddr().Port()) }

// FinalAdvertiseAddr returns ip and port if ip is not empty; a port of zero means the bound port. Otherwise it returns the bound
// address, or the machine's private address if the sockets are bound to all addresses, with the bound port.
func (t *NetTransport) FinalAdvertiseAddr(ip string, port int) (net.IP, int, error) {
	if ip != "" {
		a, err := netip.ParseAddr(ip)
		if err != nil {
			return nil, 0, fmt.Errorf("advertise address %q is not an IP address", ip)
		}
		if port == 0 {
			port = t.GetAutoBindPort()
		}
		return toIP(a), port, nil
	}
	a, err := resolve.Advertised(t.sockets[0].LocalAddr().Addr())
	if err != nil {
		return nil, 0, err
	}
	return toIP(a), t.GetAutoBindPort(), nil
}

func toIP(a netip.Addr) net.IP { return a.Unmap().AsSlice() }

// WriteTo sends b to addr, whose host may be a name. The caller may reuse b.
func (t *NetTransport) WriteTo(b []byte, addr string) (time.Time, error) {
	remote, err := netip.ParseAddrPort(addr)
	if err != nil {
		a, err := net.ResolveUDPAddr("udp", addr)
		if err != nil {
			return time.Time{}, err
		}
		remote = a.AddrPort()
	}
	if err := t.sockets.Write(wire.Path{Remote: remote}, b); err != nil {
		return time.Time{}, err
	}
	return time.Now(), nil
}

// WriteToAddress is WriteTo to addr.Addr.
func (t *NetTransport) WriteToAddress(b []byte, addr Address) (time.Time, error) {
	return t.WriteTo(b, addr.Addr)
}

// PacketCh returns the channel of received packets. The first call starts the reading.
func (t *NetTransport) PacketCh() <-chan *Packet {
	return t.inlet.Packets(func(path wire.Path, b []byte) *Packet {
		return &Packet{Buf: b, From: net.UDPAddrFromAddrPort(path.Remote), Timestamp: time.Now()}
	}, func(c *udp.Conn, err error) { t.log.Errorf("read UDP packet at %s: %v", c.LocalAddr(), err) })
}

// IngestPacket accepts a packet that another component received. It blocks while the queue of packets is full.
func (t *NetTransport) IngestPacket(conn net.Conn, addr net.Addr, now time.Time, shouldClose bool) error {
	b, err := udp.ReadPacket(conn, LogAddress(addr), shouldClose)
	if err != nil {
		return err
	}
	return t.inlet.Put(&Packet{Buf: b, From: addr, Timestamp: now})
}

// IngestStream returns an error and does not use conn.
func (t *NetTransport) IngestStream(net.Conn) error { return errNoStreams }

// DialTimeout returns an error.
func (t *NetTransport) DialTimeout(string, time.Duration) (net.Conn, error) {
	return nil, errNoStreams
}

// DialAddressTimeout returns an error.
func (t *NetTransport) DialAddressTimeout(Address, time.Duration) (net.Conn, error) {
	return nil, errNoStreams
}

// StreamCh returns a channel that never receives anything.
func (t *NetTransport) StreamCh() <-chan net.Conn { return t.streamCh }

// Shutdown closes the sockets and waits for the goroutines that read them. Further calls do nothing.
func (t *NetTransport) Shutdown() error { return t.inlet.Close() }

// A MockNetwork carries packets between its transports in memory, at once and in order. It is for tests. The zero value is a
// network without transports. It starts no goroutine, so it works in a testing/synctest bubble.
type MockNetwork struct {
	transports memnet.Directory[*MockTransport]
}

// MockAddress is the address of a MockTransport.
type MockAddress struct {
	addr netip.AddrPort
}

// Network returns "mock".
func (a *MockAddress) Network() string { return "mock" }

// String returns host:port.
func (a *MockAddress) String() string { return a.addr.String() }

// A MockTransport is one end of a MockNetwork. It drops packets if its receiver does not read them fast enough.
type MockTransport struct {
	net      *MockNetwork
	addr     *MockAddress
	packetCh chan *Packet
	streamCh chan net.Conn // never used
}

var (
	_ NodeAwareTransport      = (*MockTransport)(nil)
	_ IngestionAwareTransport = (*MockTransport)(nil)
)

// NewTransport adds a transport with a new address to the network. Packets to a node with this name reach it
// too. If several transports have the name, such a packet goes to the one at its address, or otherwise to the newest.
func (n *MockNetwork) NewTransport(name string) *MockTransport {
	return n.transports.Add(name, func(addr netip.AddrPort) *MockTransport {
		return &MockTransport{net: n, addr: &MockAddress{addr}, packetCh: make(chan *Packet, mockPacketDepth), streamCh: make(chan net.Conn)}
	})
}

// FinalAdvertiseAddr returns the address that the network assigned.
func (t *MockTransport) FinalAdvertiseAddr(string, int) (net.IP, int, error) {
	return toIP(t.addr.addr.Addr()), int(t.addr.addr.Port()), nil
}

// WriteTo sends a copy of b to the transport at addr.
func (t *MockTransport) WriteTo(b []byte, addr string) (time.Time, error) {
	return t.WriteToAddress(b, Address{Addr: addr})
}

// WriteToAddress sends a copy of b to the transport with that name, or otherwise to the one at that address. The copy is
// lost if the receiver's queue is full.
func (t *MockTransport) WriteToAddress(b []byte, addr Address) (time.Time, error) {
	to, ok := t.net.transports.Find(addr.Addr, addr.Name)
	if from, here := t.net.transports.Find(t.addr.String(), ""); !ok || !here || from != t {
		return time.Time{}, fmt.Errorf("no route to %s", addr.String())
	}
	now := time.Now()
	to.hand(&Packet{Buf: bytes.Clone(b), From: t.addr, Timestamp: now})
	return now, nil
}

func (t *MockTransport) hand(p *Packet) {
	select {
	case t.packetCh <- p:
	default:
	}
}

// PacketCh returns the channel of received packets.
func (t *MockTransport) PacketCh() <-chan *Packet { return t.packetCh }

// IngestPacket accepts a packet that another component received. The packet is lost if the queue is full.
func (t *MockTransport) IngestPacket(conn net.Conn, addr net.Addr, now time.Time, shouldClose bool) error {
	b, err := udp.ReadPacket(conn, LogAddress(addr), shouldClose)
	if err != nil {
		return err
	}
	t.hand(&Packet{Buf: b, From: addr, Timestamp: now})
	return nil
}

// IngestStream returns an error and does not use conn.
func (t *MockTransport) IngestStream(net.Conn) error { return errNoStreams }

// DialTimeout returns an error.
func (t *MockTransport) DialTimeout(string, time.Duration) (net.Conn, error) {
	return nil, errNoStreams
}

// DialAddressTimeout returns an error.
func (t *MockTransport) DialAddressTimeout(Address, time.Duration) (net.Conn, error) {
	return nil, errNoStreams
}

// StreamCh returns a channel that never receives anything.
func (t *MockTransport) StreamCh() <-chan net.Conn { return t.streamCh }

// Shutdown removes the transport from the network. Packets to it and from it are lost afterwards.
func (t *MockTransport) Shutdown() error {
	t.net.transports.Remove(t.addr.String())
	return nil
}

// shellTransport returns t in the form that the shell uses. found reports that no address to advertise is configured, so the
// address may change at run time.
func shellTransport(t Transport, found bool) node.Transport {
	switch t := t.(type) {
	case *NetTransport:
		return t.shell(found)
	case NodeAwareTransport:
		n := customTransport(t)
		n.Named = true
		n.Write = func(to netip.AddrPort, name string, b []byte) error {
			_, err := t.WriteToAddress(b, Address{Addr: to.String(), Name: name})
			return err
		}
		return n
	}
	return customTransport(t)
}

// customTransport returns a Transport of the application in the form that the shell uses.
func customTransport(t Transport) node.Transport {
	return node.Transport{
		Shutdown: t.Shutdown,
		Write: func(to netip.AddrPort, _ string, b []byte) error {
			_, err := t.WriteTo(b, to.String())
			return err
		},
		Receive: node.Receive(t.PacketCh, func(p *Packet) (net.Addr, []byte) { return p.From, p.Buf }),
	}
}

// shell returns the NetTransport in the form that the shell uses.
func (t *NetTransport) shell(found bool) node.Transport {
	n := node.Transport{
		Shutdown: t.Shutdown, Sockets: t.sockets, Own: t.own, Claim: t.inlet.Claim,
		Divert: func(take func(from net.Addr, b []byte)) { t.inlet.Divert(func(p *Packet) { take(p.From, p.Buf) }) },
	}
	if found {
		n.Advertised = func() (netip.Addr, error) { return resolve.Advertised(t.sockets[0].LocalAddr().Addr()) }
	}
	return n
}
