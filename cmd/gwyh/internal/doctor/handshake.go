package doctor

import (
	"context"
	"crypto/rand"
	"errors"
	"net"
	"net/netip"
	"time"

	"github.com/gwyh-go/gwyh/internal/handshake"
	"github.com/gwyh-go/gwyh/internal/nodeid"
	"github.com/gwyh-go/gwyh/internal/session"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// A try is one variant of a handshake: a key, and the assumed error of this machine's clock.
type try struct {
	key   handshake.Key
	shift time.Duration
}

// A line is a UDP socket for handshakes with the node at one address. It is not safe for concurrent use.
type line struct {
	conn  *net.UDPConn
	to    wire.Path
	clock func() time.Time
	heard bool // a datagram arrived from the address
	buf   [65536]byte
}

// open returns a line from a local address, with port zero for any. clock is compared with the other node's clock.
func open(local, to netip.AddrPort, clock func() time.Time) (*line, error) {
	conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(local))
	if err != nil {
		return nil, err
	}
	setWhole(conn, false)
	return &line{conn: conn, to: wire.Path{Remote: to}, clock: clock}, nil
}

func (l *line) close() { _ = l.conn.Close() }

// local returns the port that the line sends from.
func (l *line) local() uint16 { return l.conn.LocalAddr().(*net.UDPAddr).AddrPort().Port() }

// An attempt is a try in progress: one end of a handshake, with its own node id.
type attempt struct {
	try
	id       wire.NodeID
	clock    func() time.Time
	endpoint *handshake.Endpoint
	seq      uint32
	made     *handshake.Established // the other node has verified the Hello and answered; nil before
	wrong    error                  // first error of the system when it sent something
}

// datagramTaken is the size in bytes of the largest datagram that the doctor announces to accept.
const datagramTaken = 65507

func newAttempt(t try, clock func() time.Time) *attempt {
	id, secret, _ := nodeid.New(rand.Reader, nodeid.X25519) // never fails
	a := &attempt{try: t, id: id, clock: clock}
	a.endpoint = handshake.New(handshake.Config{Node: a.id, Secret: secret, Name: selfName, MaxDatagram: datagramTaken, Heartbeat: time.Second,
		Keys: []handshake.Key{t.key}, Rand: rand.Reader})
	return a
}

// now returns the time as the attempt assumes it.
func (a *attempt) now() time.Time { return a.clock().Add(a.shift) }

// due runs the timeouts of the handshake that are due.
func (a *attempt) due(l *line) {
	for next := a.endpoint.NextTimeout(); !next.IsZero() && !next.After(a.now()); next = a.endpoint.NextTimeout() {
		a.act(l, a.endpoint.HandleTimeout(nil, a.now()))
	}
}

// act sends the packets of outcomes and stores the session.
func (a *attempt) act(l *line, outcomes []handshake.Outcome) {
	for i := range outcomes {
		switch o := &outcomes[i]; o.Kind {
		case handshake.SendHandshake:
			a.seq++
			a.write(l, wire.AppendHandshake(nil, a.seq, a.id, o.Message))
		case handshake.SendPacket:
			a.write(l, o.Packet)
		case handshake.SessionEstablished:
			made := *o.Session
			a.made = &made
		}
	}
}

func (a *attempt) write(l *line, b []byte) {
	if _, err := l.conn.WriteToUDPAddrPort(b, l.to.Remote); err != nil && a.wrong == nil {
		a.wrong = err
	}
}

// shake starts all tries, a few milliseconds apart, and repeats each Hello until so many were sent. It returns the
// attempts that were answered in time, in the order of the tries, and the first error of the system. If first is set,
// it returns after the first answer.
func (l *line) shake(ctx context.Context, tries []try, hellos uint32, within time.Duration, first bool) (answered []*attempt, err error) {
	all := make([]*attempt, 0, len(tries))
	for _, t := range tries {
		a := newAttempt(t, l.clock)
		_, out := a.endpoint.Initiate(nil, a.now(), l.to, wire.NodeID{}, a.now().Add(time.Hour))
		a.act(l, out)
		all = append(all, a)
		l.read(time.Now().Add(2*time.Millisecond), all)
	}
	deadline := time.Now().Add(within)
	for time.Now().Before(deadline) && ctx.Err() == nil {
		left := 0
		for _, a := range all {
			if a.made == nil {
				left++
				if a.seq < hellos {
					a.due(l)
				}
			}
		}
		if left == 0 || first && left < len(all) {
			break
		}
		l.read(time.Now().Add(20*time.Millisecond), all)
	}
	for _, a := range all {
		switch {
		case a.made != nil:
			answered = append(answered, a)
		case a.wrong != nil && err == nil:
			err = a.wrong
		}
	}
	return answered, err
}

// read passes one datagram that arrives before until to the attempts. It returns early if one arrives.
func (l *line) read(until time.Time, all []*attempt) {
	var p wire.Packet
	b, ok := l.receive(until)
	if !ok || wire.ParsePacket(&p, b) != nil || p.Kind != wire.PacketHandshake {
		return
	}
	for _, a := range all {
		if a.made == nil {
			a.act(l, a.endpoint.HandlePacket(nil, a.now(), l.to, &p))
		}
	}
}

// receive returns the next datagram from the address if one arrives before until. It is valid until the next call.
func (l *line) receive(until time.Time) ([]byte, bool) {
	if l.conn.SetReadDeadline(until) != nil {
		return nil, false
	}
	n, from, err := l.conn.ReadFromUDPAddrPort(l.buf[:])
	if err != nil || netip.AddrPortFrom(from.Addr().Unmap(), from.Port()) != l.to.Remote {
		return nil, false
	}
	l.heard = true
	return l.buf[:n], true
}

var errUnconfirmed = errors.New("the node has answered the Hello, and nothing after it")

// A talk is a session with the node.
type talk struct {
	line    *line
	attempt *attempt
	session *session.Session
	peer    wire.Member // the node's description of itself
	ids     wire.IDs
	seq     uint64
}

// talk completes an answered attempt. It returns when the node has sent something in the session.
func (l *line) talk(ctx context.Context, a *attempt, within time.Duration) (*talk, error) {
	e := a.made
	t := &talk{line: l, attempt: a}
	t.session = session.New(a.now(), session.Params{Self: a.id, Peer: e.Peer, Handshake: e.Handshake, Initiator: true, SendKey: e.SendKey, RecvKey: e.RecvKey,
		Prefix: e.Prefix, Timestamp: e.Timestamp, Path: l.to})
	var random [8]byte
	_, _ = rand.Read(random[:]) // never fails
	t.ids = wire.NewIDs(random)
	self := wire.Member{State: wire.StateAlive, ID: a.id, Name: []byte(selfName), Addr: l.to.Remote, Incarnation: 1, Versions: e.Versions}
	identity := t.session.Seal(a.now(), nil, wire.AppendIdentity(nil, t.ids.Control(), &self))
	a.act(l, a.endpoint.Introduce(nil, a.now(), e, identity))
	for deadline := time.Now().Add(within); time.Now().Before(deadline) && ctx.Err() == nil; {
		a.due(l)
		if t.hear(time.Now().Add(20*time.Millisecond), func(*wire.Message) {}) {
			a.endpoint.Confirm(a.now(), e.Handshake, e.Peer)
			return t, nil
		}
	}
	return nil, errUnconfirmed
}

// hear passes the messages of a datagram to f if a datagram of the session arrives before until.
func (t *talk) hear(until time.Time, f func(*wire.Message)) (heard bool) {
	b, ok := t.line.receive(until)
	if !ok {
		return false
	}
	for len(b) > 0 {
		var p wire.Packet
		if wire.NextPacket(&p, b) != nil {
			return heard
		}
		b = p.Rest
		if p.Kind != wire.PacketBox {
			continue
		}
		plain, err := t.session.Open(t.attempt.now(), &p)
		if err != nil {
			continue
		}
		heard = true
		for len(plain) > 0 {
			var m wire.Message
			if plain, err = wire.ParseMessage(&m, plain); err != nil {
				break
			}
			if m.Kind == wire.KindIdentity && len(t.peer.Name) == 0 {
				t.identify(m.Data)
			}
			f(&m)
		}
	}
	return heard
}

// identify stores the node's description of itself. It copies everything that aliases the datagram.
func (t *talk) identify(data []byte) {
	var m wire.Member
	if wire.ParseIdentity(data, &m) == nil {
		t.peer = m
		t.peer.Name, t.peer.ZoneName, t.peer.Meta = append([]byte(nil), m.Name...), append([]byte(nil), m.ZoneName...), append([]byte(nil), m.Meta...)
	}
}

// pings is how many times a size is tried.
const pings = 4

// passes reports whether a datagram of size bytes reaches the node. The answer is small.
func (t *talk) passes(ctx context.Context, size int, each time.Duration) bool {
	padding := make([]byte, max(size-around(size), 0))
	for range pings {
		t.seq++
		seq := t.seq
		packet := t.session.Seal(t.attempt.now(), nil, wire.AppendPing(nil, wire.KindPing, t.ids.Control(), wire.Ping{Seq: seq, Payload: padding}))
		if _, err := t.line.conn.WriteToUDPAddrPort(packet, t.line.to.Remote); err != nil {
			return false
		}
		answered := false
		for until := time.Now().Add(each); !answered && time.Now().Before(until) && ctx.Err() == nil; {
			t.hear(until, func(m *wire.Message) {
				if ack, err := wire.ParsePing(m.Data); m.Kind == wire.KindAck && err == nil && ack.Seq == seq {
					answered = true
				}
			})
		}
		if answered {
			return true
		}
	}
	return false
}

// around returns the overhead in bytes of a datagram with a Ping whose payload has about that size.
func around(size int) int {
	message := wire.AppendPing(nil, wire.KindPing, wire.MessageID{}, wire.Ping{Payload: make([]byte, size)})
	return wire.BoxSize(len(message)) - size
}
