package gwyh

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	sockaddr "github.com/hashicorp/go-sockaddr"

	"github.com/gwyh-go/gwyh/internal/addrbook"
	"github.com/gwyh-go/gwyh/internal/carrier"
	"github.com/gwyh-go/gwyh/internal/metrics"
	"github.com/gwyh-go/gwyh/internal/outbox"
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

// readIngested is the packet that an IngestPacket is handed.
func readIngested(conn net.Conn, addr net.Addr, shouldClose bool) ([]byte, error) {
	if conn == nil {
		return nil, fmt.Errorf("no connection to read a packet of %s", LogAddress(addr))
	}
	if shouldClose {
		defer func() { _ = conn.Close() }()
	}
	b, err := io.ReadAll(io.LimitReader(conn, udp.MaxDatagram+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read packet %s: %w", LogAddress(addr), err)
	case len(b) == 0:
		return nil, fmt.Errorf("empty packet %s", LogAddress(addr))
	case len(b) > udp.MaxDatagram:
		return nil, fmt.Errorf("packet of more than %d bytes %s", udp.MaxDatagram, LogAddress(addr))
	}
	return b, nil
}

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
	log      logger
	packetCh chan *Packet
	streamCh chan net.Conn // never used
	done     chan struct{} // closed by Shutdown
	readers  sync.WaitGroup

	mu      sync.Mutex // guards what follows
	claimed bool       // somebody reads, or the sockets are closed
	closed  bool
	ingest  func(*Packet) // takes what IngestPacket is handed, if set, instead of packetCh
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
	addrs, err := bindAddrs(config.BindAddrs)
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
		log:      newLogger(&Config{Logger: config.Logger}),
		packetCh: make(chan *Packet, netPacketDepth),
		streamCh: make(chan net.Conn),
		done:     make(chan struct{}),
	}
	if got, _ := sockets[0].Buffers(); got > 0 && got < udp.ReceiveBuffer {
		t.log.warnf("the system granted a receive buffer of %d KiB, not %d KiB: bursts may be lost. "+
			"On Linux raise net.core.rmem_max", got>>10, udp.ReceiveBuffer>>10)
	}
	return t, nil
}

// bindLookup is how long the lookup of all host names among the bind addresses may take.
const bindLookup = 10 * time.Second

// bindAddrs are the IP addresses that the bind addresses stand for.
func bindAddrs(bind []string) (addrs []netip.Addr, err error) {
	if len(bind) == 0 {
		return nil, errors.New("BindAddrs is empty, want at least one address")
	}
	ctx, cancel := context.WithTimeout(context.Background(), bindLookup)
	defer cancel()
	for _, s := range bind {
		a, err := resolve.Bind(ctx, s, net.DefaultResolver.LookupNetIP, resolve.Own)
		if err != nil {
			return nil, err
		}
		addrs = append(addrs, a)
	}
	return addrs, nil
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
	if bound := t.sockets[0].LocalAddr().Addr(); !bound.IsUnspecified() {
		return toIP(bound), t.GetAutoBindPort(), nil
	}
	private, err := sockaddr.GetPrivateIP()
	if err != nil {
		return nil, 0, fmt.Errorf("look for a private IP address to advertise: %w", err)
	}
	a, err := netip.ParseAddr(private)
	if err != nil {
		return nil, 0, errors.New("the machine has no private IP address to advertise: set AdvertiseAddr, or BindAddr to the address that others reach it at")
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

// claim makes the caller the one that reads the sockets until Shutdown. It is false if
// somebody does already, or the transport is shut down. Packets that IngestPacket took come through
// packetCh, or where divert sends them.
func (t *NetTransport) claim() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	free := !t.claimed
	t.claimed = true
	return free
}

// divert hands what IngestPacket takes to f, which may wait, instead of the channel.
func (t *NetTransport) divert(f func(*Packet)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ingest = f
}

// PacketCh is the channel of what was received. The first call begins to read.
func (t *NetTransport) PacketCh() <-chan *Packet {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.claimed {
		t.claimed = true
		for _, c := range t.sockets {
			t.readers.Go(func() { t.readPackets(c) })
		}
	}
	return t.packetCh
}

// readPackets hands on what comes to one socket. It waits while the channel is full: the system's
// buffer is the queue then, and drops.
func (t *NetTransport) readPackets(c *udp.Conn) {
	c.ReadEach(t.done, func(path wire.Path, b []byte) {
		if len(b) > 0 {
			_ = t.hand(&Packet{Buf: bytes.Clone(b), From: net.UDPAddrFromAddrPort(path.Remote), Timestamp: time.Now()})
		}
	}, func(err error) { t.log.errorf("read UDP packet at %s: %v", c.LocalAddr(), err) })
}

// hand waits while the channel is full.
func (t *NetTransport) hand(p *Packet) error {
	select {
	case t.packetCh <- p:
		return nil
	case <-t.done:
		return net.ErrClosed
	}
}

// IngestPacket takes a packet that somebody else received. It waits while many others wait.
func (t *NetTransport) IngestPacket(conn net.Conn, addr net.Addr, now time.Time, shouldClose bool) error {
	b, err := readIngested(conn, addr, shouldClose)
	if err != nil {
		return err
	}
	p := &Packet{Buf: b, From: addr, Timestamp: now}
	t.mu.Lock()
	ingest, closed := t.ingest, t.closed
	t.mu.Unlock()
	switch {
	case closed:
		return net.ErrClosed
	case ingest != nil:
		ingest(p)
		return nil
	}
	return t.hand(p)
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
func (t *NetTransport) Shutdown() error {
	var err error
	t.mu.Lock()
	if !t.closed {
		t.claimed, t.closed = true, true
		close(t.done)
		err = t.sockets.Close()
	}
	t.mu.Unlock()
	t.readers.Wait()
	return err
}

// A MockNetwork carries packets between its transports in memory, at once and in order: for tests.
// The zero value is a network without transports. It has no goroutine of its own, so that it works
// in a testing/synctest bubble.
type MockNetwork struct {
	mu     sync.Mutex
	byAddr map[string]*MockTransport
	byName map[string]*MockTransport
	made   int // how many transports
}

// MockAddress is the address of a MockTransport.
type MockAddress struct {
	addr netip.AddrPort
	name string
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
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.byAddr == nil {
		n.byAddr, n.byName = make(map[string]*MockTransport), make(map[string]*MockTransport)
	}
	// 127.0.0.1:1, 127.0.0.1:2 and so on, and 127.0.0.2:1 after the last port.
	host, port := n.made/65535+1, n.made%65535+1
	n.made++
	ip := netip.AddrFrom4([4]byte{127, byte(host >> 16), byte(host >> 8), byte(host)})
	t := &MockTransport{
		net:      n,
		addr:     &MockAddress{netip.AddrPortFrom(ip, uint16(port)), name},
		packetCh: make(chan *Packet, mockPacketDepth),
		streamCh: make(chan net.Conn),
	}
	n.byAddr[t.addr.String()] = t
	n.byName[name] = t
	return t
}

// find is the transport of a's name and address, else the newest of the name, else the one at the
// address, nil if there is none.
func (n *MockNetwork) find(a Address) *MockTransport {
	n.mu.Lock()
	defer n.mu.Unlock()
	at := n.byAddr[a.Addr]
	if named := n.byName[a.Name]; named != nil && a.Name != "" && (at == nil || at.addr.name != a.Name) {
		return named
	}
	return at
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
	to := t.net.find(addr)
	if to == nil || t.net.find(Address{Addr: t.addr.String()}) != t {
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
	b, err := readIngested(conn, addr, shouldClose)
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
	n := t.net
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.byAddr, t.addr.String())
	if n.byName[t.addr.name] == t {
		delete(n.byName, t.addr.name)
	}
	return nil
}

// listen makes the transport that c describes, and writes to c the ports that were picked.
func listen(c *Config) (Transport, error) {
	t, err := NewNetTransport(&NetTransportConfig{BindAddrs: []string{c.BindAddr}, BindPort: c.BindPort,
		Logger: newLogger(c).out, MetricLabels: c.MetricLabels})
	if err != nil {
		return nil, fmt.Errorf("gwyh: %w", err)
	}
	if c.picksAdvertisePort() {
		c.AdvertisePort = t.GetAutoBindPort()
	}
	c.BindPort = t.GetAutoBindPort()
	return t, nil
}

// advertised is the address that others reach the node at, as t tells. It writes to c the ports that come of it.
// An address that nobody can reach is an error, but a Transport of the application's own may have any.
func advertised(t Transport, c *Config) (netip.AddrPort, error) {
	ip, port, err := t.FinalAdvertiseAddr(c.AdvertiseAddr, c.AdvertisePort)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("gwyh: find the address to advertise: %w", err)
	}
	addr, ok := netip.AddrFromSlice(ip)
	if !ok || port < 1 || port > 65535 {
		return netip.AddrPort{}, fmt.Errorf("gwyh: cannot advertise address %v port %d", ip, port)
	}
	own, _ := net.InterfaceAddrs() // without it the networks of this machine are not looked at
	if why := resolve.Unreachable(addr, own); why != "" {
		err := fmt.Errorf("no other node can reach the address to advertise, %s: %s", addr.Unmap(), why)
		if _, ours := t.(*NetTransport); ours {
			return netip.AddrPort{}, fmt.Errorf("gwyh: %w", err)
		}
		newLogger(c).warnf("%v", err)
	}
	c.AdvertisePort = port
	if c.BindPort == 0 {
		c.BindPort = port
	}
	return netip.AddrPortFrom(addr.Unmap(), uint16(port)), nil
}

// relocateEvery is how often a node that found out its address by itself looks whether it is still true.
const relocateEvery = time.Minute

// lookForAddress tells the others when the machine has lost the address that it advertises and has another.
// A goroutine that ends by itself asks the system.
func (m *Memberlist) lookForAddress(now time.Time) {
	t, ours := m.transport.(*NetTransport)
	if !ours || m.config.AdvertiseAddr != "" || now.Before(m.relocate) {
		return
	}
	m.relocate = now.Add(relocateEvery)
	current := m.core.Self().Addr
	m.goroutines.Go(func() {
		addrs, err := net.InterfaceAddrs()
		if err != nil || amongAddrs(current.Addr(), addrs) {
			return
		}
		ip, _, err := t.FinalAdvertiseAddr("", 0)
		if addr, ok := netip.AddrFromSlice(ip); err == nil && ok {
			_ = m.do(func(now time.Time) { m.core.Readdress(now, netip.AddrPortFrom(addr.Unmap(), current.Port())) })
		}
	})
}

// amongAddrs reports whether an address is one of those of a machine's interfaces.
func amongAddrs(a netip.Addr, addrs []net.Addr) bool {
	return slices.ContainsFunc(addrs, func(of net.Addr) bool {
		n, ok := of.(*net.IPNet)
		if !ok {
			return false
		}
		ip, _ := netip.AddrFromSlice(n.IP)
		return ip.Unmap() == a.Unmap()
	})
}

// isOwn reports whether an address is one that a NetTransport is bound to. Of any other Transport only the
// address is known that it advertises.
func (m *Memberlist) isOwn(a netip.AddrPort) bool {
	t, ours := m.transport.(*NetTransport)
	return ours && t.own.Has(a)
}

// lookAtOwn brings isOwn up to date. It asks the system, so the loop must not call it.
func (m *Memberlist) lookAtOwn() {
	if t, ours := m.transport.(*NetTransport); ours {
		t.own.Look()
	}
}

// carry claims the transport and makes the carrier.
func (m *Memberlist) carry() error {
	if t, ours := m.transport.(*NetTransport); ours {
		if !t.claim() {
			return errors.New("gwyh: the NetTransport is in use already, or shut down")
		}
		c := carrier.New(t.sockets, m.config.HandoffQueueDepth, m.log.errorf, m.stop)
		t.divert(func(p *Packet) { c.Ingest(source(p), p.Buf) })
		m.carrier = c
		return nil
	}
	write := func(to netip.AddrPort, b []byte) error {
		_, err := m.transport.WriteTo(b, to.String())
		return err
	}
	if t, aware := m.transport.(NodeAwareTransport); aware {
		m.names = new(addrbook.Book)
		write = func(to netip.AddrPort, b []byte) error {
			_, err := t.WriteToAddress(b, Address{Addr: to.String(), Name: m.names.Name(to)})
			return err
		}
	}
	m.carrier = carrier.NewForeign(write, m.config.HandoffQueueDepth, m.stop)
	return nil
}

// startCarrier starts the goroutines that read and write where the loop does not.
func (m *Memberlist) startCarrier() {
	m.carrier.Start(&m.goroutines)
	if _, ours := m.transport.(*NetTransport); !ours {
		m.goroutines.Go(m.receive)
	}
}

// receive hands the carrier the packets of a transport of the application's own.
func (m *Memberlist) receive() {
	packets := m.transport.PacketCh()
	for {
		select {
		case <-m.stop:
			return
		case p, ok := <-packets:
			if !ok {
				return
			}
			m.carrier.Put(source(p), p.Buf)
		}
	}
}

// source is where a packet came from, as far as its text tells: some transports give no address.
func source(p *Packet) (path wire.Path) {
	if p.From != nil {
		path.Remote, _ = netip.ParseAddrPort(p.From.String())
	}
	return path
}

// send hands a run of datagrams of the core to the transport.
func (m *Memberlist) send(r outbox.Run) {
	switch {
	case r.Probe:
		m.carrier.SendWhole(r.To, r.Bytes)
	case r.Packets > 0:
		m.carrier.SendPackets(r.To, r.Bytes, r.Packets)
	default:
		m.carrier.SendRun(r.To, r.Bytes, r.Size)
	}
}

// unsent reports whether something that was sent to an address waits for a slow transport.
func (m *Memberlist) unsent(to netip.AddrPort) bool { return m.carrier.Unsent(to) }

// nameMembers tells a transport that wants names who is where.
func (m *Memberlist) nameMembers(nodes []*Node) {
	if m.names == nil {
		return
	}
	names := make(map[netip.AddrPort]string, len(nodes))
	for _, n := range nodes {
		ip, _ := netip.AddrFromSlice(n.Addr)
		names[netip.AddrPortFrom(ip.Unmap(), n.Port)] = n.Name
	}
	m.names.SetMembers(names)
}
