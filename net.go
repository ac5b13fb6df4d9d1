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
	Buf       []byte    // the receiver's own, also to write to
	From      net.Addr  // the sender; its String is shown in logs and may be no address to answer to
	Timestamp time.Time // when it came, as near to the wire as the Transport can tell
}

// An Address is where a node is reached.
type Address struct {
	Addr string // host:port
	Name string // of the node, empty when unknown
}

// String is the address, after the name if there is one.
func (a *Address) String() string {
	if a.Name != "" {
		return a.Name + " (" + a.Addr + ")"
	}
	return a.Addr
}

// A Transport carries datagrams between nodes. They may be lost, doubled and reordered. A method may
// block: none is called where a node would be held up by it, and a write that blocks delays only what is
// sent to the same address. The methods that concern streams are there so that a Transport written for
// memberlist fits, and are never called.
type Transport interface {
	// FinalAdvertiseAddr tells the address that others reach this node at, given what the Config says
	// about it (ip may be empty, port 0). It is called once, by Create.
	FinalAdvertiseAddr(ip string, port int) (net.IP, int, error)

	// WriteTo sends b, which is the Transport's own from then on, to addr (host:port), and tells when.
	// An error is counted, nothing else: the datagram may have been lost as well. WriteTo may be called for
	// up to 1,024 addresses at once, by a goroutine each, but for one address by one goroutine at a time and
	// in the order in which the datagrams were sent. What waits is bounded: 2,048 datagrams and 32 MiB for
	// all addresses, and for one address half of what the others leave of that. A datagram beyond these
	// bounds, or one that has waited for 3 s, is dropped and counted (Stats.Dropped).
	WriteTo(b []byte, addr string) (time.Time, error)

	// PacketCh is the channel of what was received, always the same. It is read all the time until
	// Shutdown.
	PacketCh() <-chan *Packet

	// DialTimeout would open a stream. Never called.
	DialTimeout(addr string, timeout time.Duration) (net.Conn, error)

	// StreamCh would be the channel of streams that others opened. Never called.
	StreamCh() <-chan net.Conn

	// Shutdown ends the Transport and frees what it holds. It should end the writes in progress.
	// WriteTo may be called afterwards, and should return an error then.
	Shutdown() error
}

// A NodeAwareTransport is a Transport that wants to know the name of the node that it sends to.
type NodeAwareTransport interface {
	Transport
	// WriteToAddress is called instead of WriteTo. The name is filled in where it is known.
	WriteToAddress(b []byte, addr Address) (time.Time, error)
	// DialAddressTimeout would open a stream. Never called.
	DialAddressTimeout(addr Address, timeout time.Duration) (net.Conn, error)
}

// An IngestionAwareTransport takes packets that others received for it, as when a port is shared.
type IngestionAwareTransport interface {
	// IngestPacket reads conn to its end as one packet from addr, received at now, and closes conn
	// afterwards if shouldClose says so.
	IngestPacket(conn net.Conn, addr net.Addr, now time.Time, shouldClose bool) error
	// IngestStream would take a stream. Those of this package return an error and leave conn alone.
	IngestStream(conn net.Conn) error
}

// errNoStreams is what the stream half of the transports of this package returns.
var errNoStreams = errors.New("gwyh opens no streams: all its traffic is datagrams")

// How many packets wait in the channel of a transport of this package. Those of a NetTransport may
// have 64 KiB each; behind its channel the system's buffer waits.
const (
	netPacketDepth  = 128
	mockPacketDepth = 1024
)

// NetTransportConfig says how a NetTransport is made.
type NetTransportConfig struct {
	// BindAddrs are the addresses to listen on, one at least: IP addresses, or host names as in
	// Config.BindAddr. A single "0.0.0.0", "::" or empty one is every address, IPv4 and IPv6; among
	// several it is those of its own family.
	BindAddrs []string
	// BindPort is the UDP port to listen on, the same on all addresses. Zero picks one that is free on
	// all of them.
	BindPort int
	// Logger writes the log lines. nil: to standard error.
	Logger *log.Logger
	// MetricLabels is without meaning here: Memberlist counts datagrams, with its own labels.
	MetricLabels []metrics.Label
}

// A NetTransport carries datagrams over UDP. It reads its sockets only when somebody wants the
// packets: from the first PacketCh on, or as a Memberlist does without a channel in between.
type NetTransport struct {
	sockets  udp.Sockets // one at least
	own      *udp.Own    // where they are reached from this machine
	inlet    *udp.Inlet[*Packet]
	log      node.Log
	streamCh chan net.Conn // never used
}

var (
	_ NodeAwareTransport      = (*NetTransport)(nil)
	_ IngestionAwareTransport = (*NetTransport)(nil)
)

// NewNetTransport looks up the host names among the addresses, for at most 10 s, and opens the sockets. An
// address that is not one of this machine's is an error that names it. If one socket cannot be opened, none
// is left open.
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
		t.log.Warnf("the system granted a receive buffer of %d KiB, not %d KiB: bursts may be lost. "+
			"On Linux raise net.core.rmem_max", got>>10, udp.ReceiveBuffer>>10)
	}
	return t, nil
}

// GetAutoBindPort is the port that the sockets are bound to.
func (t *NetTransport) GetAutoBindPort() int { return int(t.sockets[0].LocalAddr().Port()) }

// FinalAdvertiseAddr is ip and port if an ip is given (a zero port being the bound one). Else it is
// the bound address, and when that is unspecified the private address of the machine.
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

// WriteTo sends b to addr; the host may be a name. b is not kept.
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

// WriteToAddress is WriteTo; the name is not needed.
func (t *NetTransport) WriteToAddress(b []byte, addr Address) (time.Time, error) {
	return t.WriteTo(b, addr.Addr)
}

// PacketCh is the channel of what was received. The first call begins to read.
func (t *NetTransport) PacketCh() <-chan *Packet {
	return t.inlet.Packets(func(path wire.Path, b []byte) *Packet {
		return &Packet{Buf: b, From: net.UDPAddrFromAddrPort(path.Remote), Timestamp: time.Now()}
	}, func(c *udp.Conn, err error) { t.log.Errorf("read UDP packet at %s: %v", c.LocalAddr(), err) })
}

// IngestPacket takes a packet that somebody else received. It waits while many others wait.
func (t *NetTransport) IngestPacket(conn net.Conn, addr net.Addr, now time.Time, shouldClose bool) error {
	b, err := udp.ReadPacket(conn, LogAddress(addr), shouldClose)
	if err != nil {
		return err
	}
	return t.inlet.Put(&Packet{Buf: b, From: addr, Timestamp: now})
}

// IngestStream returns an error and leaves conn alone.
func (t *NetTransport) IngestStream(net.Conn) error { return errNoStreams }

// DialTimeout returns an error.
func (t *NetTransport) DialTimeout(string, time.Duration) (net.Conn, error) {
	return nil, errNoStreams
}

// DialAddressTimeout returns an error.
func (t *NetTransport) DialAddressTimeout(Address, time.Duration) (net.Conn, error) {
	return nil, errNoStreams
}

// StreamCh is a channel on which nothing ever comes.
func (t *NetTransport) StreamCh() <-chan net.Conn { return t.streamCh }

// Shutdown closes the sockets and waits for the goroutines that read them. Further calls do nothing.
func (t *NetTransport) Shutdown() error { return t.inlet.Close() }

// A MockNetwork carries packets between its transports in memory, at once and in order: for tests.
// The zero value is a network without transports. It has no goroutine of its own, so that it works
// in a testing/synctest bubble.
type MockNetwork struct {
	transports memnet.Directory[*MockTransport]
}

// MockAddress is the address of a MockTransport.
type MockAddress struct {
	addr netip.AddrPort
}

// Network is "mock".
func (a *MockAddress) Network() string { return "mock" }

// String is host:port.
func (a *MockAddress) String() string { return a.addr.String() }

// A MockTransport is one end of a MockNetwork. It drops packets rather than wait when its receiver
// is slow.
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

// NewTransport adds a transport with an address of its own to the network. Those who send to a node
// of this name reach it too; if there are several the one at the address, else the newest.
func (n *MockNetwork) NewTransport(name string) *MockTransport {
	return n.transports.Add(name, func(addr netip.AddrPort) *MockTransport {
		return &MockTransport{net: n, addr: &MockAddress{addr}, packetCh: make(chan *Packet, mockPacketDepth), streamCh: make(chan net.Conn)}
	})
}

// FinalAdvertiseAddr is the address that the network gave.
func (t *MockTransport) FinalAdvertiseAddr(string, int) (net.IP, int, error) {
	return toIP(t.addr.addr.Addr()), int(t.addr.addr.Port()), nil
}

// WriteTo sends a copy of b to the transport at addr.
func (t *MockTransport) WriteTo(b []byte, addr string) (time.Time, error) {
	return t.WriteToAddress(b, Address{Addr: addr})
}

// WriteToAddress sends a copy of b to the transport of that name, else to the one at that address. It
// is lost if too many wait there.
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

// PacketCh is the channel of what was received.
func (t *MockTransport) PacketCh() <-chan *Packet { return t.packetCh }

// IngestPacket takes a packet that somebody else received. It is lost if too many wait.
func (t *MockTransport) IngestPacket(conn net.Conn, addr net.Addr, now time.Time, shouldClose bool) error {
	b, err := udp.ReadPacket(conn, LogAddress(addr), shouldClose)
	if err != nil {
		return err
	}
	t.hand(&Packet{Buf: b, From: addr, Timestamp: now})
	return nil
}

// IngestStream returns an error and leaves conn alone.
func (t *MockTransport) IngestStream(net.Conn) error { return errNoStreams }

// DialTimeout returns an error.
func (t *MockTransport) DialTimeout(string, time.Duration) (net.Conn, error) {
	return nil, errNoStreams
}

// DialAddressTimeout returns an error.
func (t *MockTransport) DialAddressTimeout(Address, time.Duration) (net.Conn, error) {
	return nil, errNoStreams
}

// StreamCh is a channel on which nothing ever comes.
func (t *MockTransport) StreamCh() <-chan net.Conn { return t.streamCh }

// Shutdown takes the transport off the network: nothing reaches it or leaves it any more.
func (t *MockTransport) Shutdown() error {
	t.net.transports.Remove(t.addr.String())
	return nil
}

// shellTransport returns a Transport as the node uses it. found says that no address to advertise is configured, so
// that it may change.
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

// customTransport returns a Transport of the application's own as the node uses it.
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

// shell returns a NetTransport as the node uses it.
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
