package gwyh

import (
	"bytes"
	"errors"
	"io"
	"log"
	"net"
	"net/netip"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gwyh-go/gwyh/internal/udp"
	"github.com/gwyh-go/gwyh/internal/wire"
)

func newNetTransport(t *testing.T, addrs ...string) *NetTransport {
	t.Helper()
	tr, err := NewNetTransport(&NetTransportConfig{BindAddrs: addrs, Logger: log.New(io.Discard, "", 0)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tr.Shutdown() })
	return tr
}

// boundAddr returns host:port with the port of t's socket.
func boundAddr(host string, t *NetTransport) string {
	return netip.AddrPortFrom(netip.MustParseAddr(host), uint16(t.GetAutoBindPort())).String()
}

// loopbackHosts returns the loopback addresses of this machine, which may have no IPv6.
func loopbackHosts() []string {
	c, err := net.ListenPacket("udp6", "[::1]:0")
	if err != nil {
		return []string{"127.0.0.1"}
	}
	_ = c.Close()
	return []string{"127.0.0.1", "::1"}
}

// receivePacket waits for a packet. If the packet is lost, it fails the test instead of blocking it.
func receivePacket(t *testing.T, from Transport) *Packet {
	t.Helper()
	select {
	case p := <-from.PacketCh():
		return p
	case <-time.After(10 * time.Second):
		t.Fatal("no packet")
		return nil
	}
}

func TestNetTransportCarriesPacketsOverIPv4AndIPv6(t *testing.T) {
	for _, host := range loopbackHosts() {
		a, b := newNetTransport(t, host), newNetTransport(t, host)
		before := time.Now()
		at, err := a.WriteToAddress([]byte("ping"), Address{Addr: boundAddr(host, b), Name: "b"})
		if err != nil || at.Before(before) {
			t.Fatal(at, err)
		}
		p := receivePacket(t, b)
		if string(p.Buf) != "ping" || p.From.String() != boundAddr(host, a) || p.Timestamp.Before(before) {
			t.Fatalf("%+v", p)
		}
		if _, err := b.WriteTo([]byte("pong"), p.From.String()); err != nil {
			t.Fatal(err)
		}
		if p := receivePacket(t, a); string(p.Buf) != "pong" || p.From.String() != boundAddr(host, b) {
			t.Fatalf("%+v", p)
		}
	}
}

func TestNetTransportOnAllAddressesTakesBothFamilies(t *testing.T) {
	for _, all := range []string{"", "0.0.0.0"} {
		tr := newNetTransport(t, all)
		for _, host := range loopbackHosts() {
			c := newNetTransport(t, host)
			if _, err := c.WriteTo([]byte("x"), boundAddr(host, tr)); err != nil {
				t.Fatal(err)
			}
			if p := receivePacket(t, tr); p.From.String() != boundAddr(host, c) {
				t.Fatal(p.From)
			}
		}
	}
}

func TestHostNamesAreResolvedOnWrite(t *testing.T) {
	a, b := newNetTransport(t, ""), newNetTransport(t, "")
	if _, err := a.WriteTo([]byte("x"), net.JoinHostPort("localhost", portOf(b))); err != nil {
		t.Fatal(err)
	}
	receivePacket(t, b)
	for _, bad := range []string{"", "127.0.0.1", "127.0.0.1:port"} {
		if at, err := a.WriteTo([]byte("x"), bad); err == nil || !at.IsZero() {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func portOf(t *NetTransport) string {
	_, p, _ := net.SplitHostPort(boundAddr("127.0.0.1", t))
	return p
}

func TestPacketBuffersAreTheReceiversOwn(t *testing.T) {
	a, b := newNetTransport(t, "127.0.0.1"), newNetTransport(t, "127.0.0.1")
	for _, msg := range []string{"one", "", "two"} { // an empty datagram is not a packet
		if _, err := a.WriteTo([]byte(msg), boundAddr("127.0.0.1", b)); err != nil {
			t.Fatal(err)
		}
	}
	one, two := receivePacket(t, b), receivePacket(t, b)
	copy(two.Buf, "xxx")
	if string(one.Buf) != "one" {
		t.Fatalf("%q", one.Buf)
	}
}

func TestNetTransportReadsOnlyWhenClaimed(t *testing.T) {
	a, b := newNetTransport(t, "127.0.0.1"), newNetTransport(t, "127.0.0.1")
	to := wire.Path{Remote: netip.MustParseAddrPort(boundAddr("127.0.0.1", b))}
	if err := a.sockets.Write(to, []byte("early")); err != nil {
		t.Fatal(err)
	}
	if !b.inlet.Claim() || b.inlet.Claim() {
		t.Fatal("claimed not exactly once")
	}
	ch := b.PacketCh() // for ingested packets; it no longer reads
	if err := a.sockets.Write(to, []byte("late")); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, udp.MaxDatagram)
	_ = b.sockets[0].SetReadDeadline(time.Now().Add(10 * time.Second))
	for _, want := range []string{"early", "late"} {
		n, path, err := b.sockets[0].Read(buf)
		if err != nil || string(buf[:n]) != want || path.Remote.String() != boundAddr("127.0.0.1", a) {
			t.Fatal(string(buf[:n]), path, err)
		}
		if err := b.sockets.Write(path, []byte("answer")); err != nil {
			t.Fatal(err)
		}
		receivePacket(t, a)
	}
	if len(ch) != 0 {
		t.Fatal("two read")
	}
}

func TestReaderThatHasThePacketsKeepsThem(t *testing.T) {
	a := newNetTransport(t, "127.0.0.1")
	a.PacketCh()
	if a.inlet.Claim() {
		t.Fatal("claimed after PacketCh")
	}
	b := newNetTransport(t, "127.0.0.1")
	_ = b.Shutdown()
	if b.inlet.Claim() {
		t.Fatal("claimed after Shutdown")
	}
}

func TestAllBindAddressesHaveOnePort(t *testing.T) {
	tr := newNetTransport(t, loopbackHosts()...)
	for i, host := range loopbackHosts() {
		if got := tr.sockets[i].LocalAddr(); got.String() != boundAddr(host, tr) {
			t.Fatal(got)
		}
		c := newNetTransport(t, host)
		if _, err := c.WriteTo([]byte(host), boundAddr(host, tr)); err != nil {
			t.Fatal(err)
		}
		p := receivePacket(t, tr)
		// The address family of the target selects the socket.
		if _, err := tr.WriteTo(p.Buf, p.From.String()); err != nil {
			t.Fatal(err)
		}
		if p := receivePacket(t, c); p.From.String() != boundAddr(host, tr) {
			t.Fatal(p.From)
		}
	}
	if _, err := newNetTransport(t, "127.0.0.1").WriteTo([]byte("x"), "[2001:db8::1]:1"); err == nil || !strings.Contains(err.Error(), "[2001:db8::1]:1") {
		t.Fatal(err)
	}
}

func TestPortInUseIsAnErrorThatNamesTheAddress(t *testing.T) {
	a := newNetTransport(t, "127.0.0.1")
	tr, err := NewNetTransport(&NetTransportConfig{BindAddrs: []string{"127.0.0.1"}, BindPort: a.GetAutoBindPort()})
	if tr != nil || !errors.Is(err, syscall.EADDRINUSE) || !strings.Contains(err.Error(), boundAddr("127.0.0.1", a)) {
		t.Fatal(err)
	}
}

func TestBadBindAddressIsAnError(t *testing.T) {
	for _, c := range []struct {
		says  string
		addrs []string
		port  int
	}{
		{"BindAddrs is empty", nil, 0},
		{`"10.0.0.300" is neither an IP address nor a host name`, []string{"10.0.0.300"}, 0},
		{`"no host"`, []string{"127.0.0.1", "no host"}, 0},
		{"BindPort = -1, want 0 to 65535", []string{"127.0.0.1"}, -1},
		{"BindPort = 65536, want 0 to 65535", []string{"127.0.0.1"}, 65536},
		{"203.0.113.77:", []string{"127.0.0.1", "203.0.113.77"}, 0}, // not of this machine
	} {
		tr, err := NewNetTransport(&NetTransportConfig{BindAddrs: c.addrs, BindPort: c.port})
		if tr != nil || err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%v, want %s", err, c.says)
		}
	}
}

func TestHostNameAsBindAddressIsTheAddressThatItResolvesTo(t *testing.T) {
	tr := newNetTransport(t, "localhost")
	if got := tr.sockets[0].LocalAddr().Addr(); !got.IsLoopback() || len(tr.sockets) != 1 {
		t.Errorf("%s in %d sockets", got, len(tr.sockets))
	}
	c := testConfig("a", nil)
	c.BindAddr = "localhost"
	m := create(t, c)
	if !m.LocalNode().Addr.IsLoopback() || c.BindAddr != "localhost" {
		t.Errorf("advertises %s, BindAddr %q", m.LocalNode().Addr, c.BindAddr)
	}
	c = testConfig("b", nil)
	c.BindAddr = "localhost"
	if n, err := create(t, c).Join([]string{m.LocalNode().Address()}); n != 1 || err != nil {
		t.Error(n, err)
	}
}

func TestAddressThatNoNodeCanHaveIsNotAdvertised(t *testing.T) {
	conf := testConfig("a", nil)
	conf.BindAddr = "224.0.0.1"
	if _, err := Create(conf); err == nil || !strings.Contains(err.Error(), `"224.0.0.1": it is a multicast address`) {
		t.Error(err)
	}
	conf = testConfig("a", nil)
	conf.Transport, conf.AdvertiseAddr = newNetTransport(t, "127.0.0.1"), "0.0.0.0"
	if _, err := Create(conf); err == nil || !strings.Contains(err.Error(), "0.0.0.0: it is the unspecified address") {
		t.Error(err)
	}
	// A foreign Transport may advertise any address: its author knows what the address means.
	var out bytes.Buffer
	conf = testConfig("b", nil)
	conf.LogOutput, conf.Transport = &out, zeroTransport{new(MockNetwork).NewTransport("b")}
	m := create(t, conf)
	_ = m.Shutdown()
	if !strings.Contains(out.String(), "[WARN] gwyh: no other node can reach the address to advertise, 0.0.0.0") {
		t.Errorf("%q", out.String())
	}
}

// zeroTransport advertises the unspecified address.
type zeroTransport struct{ *MockTransport }

func (t zeroTransport) FinalAdvertiseAddr(string, int) (net.IP, int, error) {
	return net.IPv4zero, 7, nil
}

func TestAdvertisedAddress(t *testing.T) {
	lo, all := newNetTransport(t, "127.0.0.1"), newNetTransport(t, "0.0.0.0")
	for _, c := range []struct {
		t        *NetTransport
		ip       string
		port     int
		wantIP   string
		wantPort int
	}{
		{lo, "", 99, "127.0.0.1", lo.GetAutoBindPort()},
		{lo, "192.0.2.5", 99, "192.0.2.5", 99},
		{all, "2001:db8::5", 0, "2001:db8::5", all.GetAutoBindPort()},
		{all, "::ffff:192.0.2.5", 1, "192.0.2.5", 1},
	} {
		ip, port, err := c.t.FinalAdvertiseAddr(c.ip, c.port)
		if err != nil || ip.String() != c.wantIP || port != c.wantPort {
			t.Errorf("%q, %d: %s %d %v", c.ip, c.port, ip, port, err)
		}
		if ip.To4() != nil && len(ip) != net.IPv4len {
			t.Errorf("%s has %d bytes", ip, len(ip))
		}
	}
	if _, _, err := lo.FinalAdvertiseAddr("example.org", 1); err == nil || !strings.Contains(err.Error(), `"example.org"`) {
		t.Error(err)
	}
	// On a machine without a private address, the result is an error.
	ip, port, err := all.FinalAdvertiseAddr("", 0)
	if err == nil {
		if ip.IsUnspecified() || ip.IsLoopback() {
			t.Errorf("advertises %s", ip)
		}
		if want := all.GetAutoBindPort(); port != want {
			t.Errorf("advertises port %d, want %d", port, want)
		}
	}
	if err != nil && !strings.Contains(err.Error(), "AdvertiseAddr") {
		t.Error(err)
	}
}

func TestSmallReceiveBufferIsLoggedOnce(t *testing.T) {
	var out bytes.Buffer
	tr, err := NewNetTransport(&NetTransportConfig{BindAddrs: loopbackHosts(), Logger: log.New(&out, "", 0)})
	if err != nil {
		t.Fatal(err)
	}
	got, _ := tr.sockets[0].Buffers()
	_ = tr.Shutdown()
	want := 1
	if got == 0 || got >= udp.ReceiveBuffer {
		want = 0
	}
	if n := strings.Count(out.String(), "[WARN] gwyh: the system granted"); n != want {
		t.Fatalf("%d times of %d: %q", n, want, out.String())
	}
}

func TestShutdownEndsReadersAndWriters(t *testing.T) {
	tr := newNetTransport(t, loopbackHosts()...)
	to := newNetTransport(t, "127.0.0.1")
	tr.PacketCh()
	for range 2 * netPacketDepth { // so that a reader blocks
		if _, err := to.WriteTo([]byte("x"), boundAddr("127.0.0.1", tr)); err != nil {
			t.Fatal(err)
		}
	}
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			tr.PacketCh()
			if err := tr.Shutdown(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if _, err := tr.WriteTo([]byte("x"), boundAddr("127.0.0.1", to)); !errors.Is(err, net.ErrClosed) {
		t.Fatal(err)
	}
	if _, _, err := tr.sockets[0].Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
		t.Fatal(err)
	}
	again, err := NewNetTransport(&NetTransportConfig{BindAddrs: loopbackHosts(), BindPort: tr.GetAutoBindPort()})
	if err != nil {
		t.Fatal("the port is not free:", err)
	}
	_ = again.Shutdown()
}

func TestStreamsAreRefusedButHaveAChannel(t *testing.T) {
	conn, other := net.Pipe()
	defer func() { _, _ = conn.Close(), other.Close() }()
	for _, tr := range []interface {
		NodeAwareTransport
		IngestionAwareTransport
	}{newNetTransport(t, "127.0.0.1"), new(MockNetwork).NewTransport("a")} {
		if c, err := tr.DialTimeout("127.0.0.1:1", time.Second); c != nil || err == nil {
			t.Error(err)
		}
		if c, err := tr.DialAddressTimeout(Address{}, time.Second); c != nil || err == nil {
			t.Error(err)
		}
		if err := tr.IngestStream(conn); err == nil {
			t.Error("took a stream")
		}
		select {
		case c, ok := <-tr.StreamCh():
			t.Error(c, ok)
		default:
		}
	}
}

// namedTransport records the names in the addresses that it receives.
type namedTransport struct {
	*MockTransport
	mu    sync.Mutex
	names []string // of all datagrams
}

func (n *namedTransport) WriteToAddress(b []byte, addr Address) (time.Time, error) {
	n.mu.Lock()
	n.names = append(n.names, addr.Name)
	n.mu.Unlock()
	return n.WriteTo(b, addr.Addr)
}

func TestTransportGetsTheNamesOfAJoinAndOfMembersIfItWantsThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var network MockNetwork
		named := &namedTransport{MockTransport: network.NewTransport("a")}
		r := newRecorder()
		ca, cb := testConfig("a", nil), testConfig("b", r)
		ca.Transport = named
		cb.Transport = struct{ Transport }{network.NewTransport("b")} // uses no names
		a, b := create(t, ca), create(t, cb)
		if _, err := a.Join([]string{"called/" + b.LocalNode().Address()}); err != nil {
			t.Fatal(err)
		}
		if err := a.Broadcast([]byte("hello")); err != nil {
			t.Fatal(err)
		}
		r.wait(t, 1)
		named.mu.Lock()
		defer named.mu.Unlock()
		if first, last := named.names[0], named.names[len(named.names)-1]; first != "called" || last != "b" {
			t.Errorf("names %q", named.names)
		}
	})
}
