package wire

import (
	"bytes"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-msgpack/v2/codec"
)

// random draws values of all sizes for the tests that compare the hand-written code with go-msgpack. Equal seeds
// give equal values.
type random struct{ *rand.Rand }

func newRandom(seed uint64) random { return random{rand.New(rand.NewPCG(seed, 1))} }

// uint returns a number with a random width of up to the given bits.
func (r random) uint(bits int) uint64 { return r.Uint64() >> (64 - r.IntN(bits+1)) }

// bytes returns a byte string. In every other case its length is at a limit of a head form, but rarely of the widest.
func (r random) bytes() []byte {
	borders := []int{0, 1, 15, 16, 31, 32, 255, 256, 1200}
	n := borders[r.IntN(len(borders))]
	if r.IntN(2) == 0 {
		n = r.IntN(300)
	}
	if r.IntN(40) == 0 {
		n = 65535 + r.IntN(2)
	}
	return r.exactly(n)
}

func (r random) exactly(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

func (r random) id() [16]byte { return [16]byte(r.exactly(16)) }

func (r random) zone() Zone {
	if r.IntN(3) == 0 {
		return Zone{}
	}
	return Zone{Name: string(bytes.Repeat([]byte("zo"), r.IntN(ZoneMax/2))), Valid: true}
}

// pack returns v encoded by go-msgpack.
func pack(t testing.TB, v any) []byte {
	t.Helper()
	var b []byte
	if err := codec.NewEncoderBytes(&b, handle).Encode(v); err != nil {
		t.Fatal(err)
	}
	return b
}

func blob(enc Encoding, s []byte) any {
	if enc == Bin {
		return notNil(s)
	}
	return integers(s)
}

type list = []any

func message(id MessageID, variant string, value any) any {
	return list{id[:], map[string]any{variant: value}}
}

// PROTOCOL.md W3.
func TestEnvelopesEqualThoseOfGoMsgpack(t *testing.T) {
	r := newRandom(1)
	for range 100 {
		seq, from, data := uint32(r.uint(32)), NodeID(r.id()), r.bytes()
		nonce, tag := [24]byte(r.exactly(24)), [16]byte(r.exactly(16))
		for _, enc := range []Encoding{Arrays, Bin} {
			p := Packet{Seq: seq, Sender: from, Kind: PacketBox, Box: Box{nonce, tag, data, enc}}
			got := encodePacket(t, &p)
			want := pack(t, list{seq, from[:], map[string]any{"B": list{list{nil, tag[:], blob(enc, data)}, nonce[:]}}})
			if !bytes.Equal(got, want) {
				t.Fatalf("box of %d bytes:\n got %x\nwant %x", len(data), got, want)
			}
			if q := parsePacket(t, got); !reflect.DeepEqual(p, q) {
				t.Fatalf("box of %d bytes was read as %+v", len(data), q)
			}
			if enc == Bin {
				checkShortWay(t, got)
			}
		}
	}
}

func TestMessagesEqualThoseOfGoMsgpack(t *testing.T) {
	r := newRandom(2)
	for range 100 {
		id, data, a, b := MessageID(r.id()), r.bytes(), uint32(r.uint(32)), uint32(r.uint(32))
		enc := Encoding(r.IntN(2))
		kind := KindPeerList + Kind(r.IntN(5))
		ping := Ping{Seq: r.uint(64), Payload: data}
		for _, c := range []struct {
			got  []byte
			want any
			m    Message
		}{
			{AppendBroadcast(nil, enc, id, data), message(id, "Broadcast", blob(enc, data)),
				Message{ID: id, Kind: KindBroadcast, Data: data}},
			{AppendFrame(nil, enc, id, a, b, data), message(id, "Frame", list{a, b, blob(enc, data)}),
				Message{ID: id, Kind: KindFrame, Total: a, Offset: b, Data: data}},
			{AppendNak(nil, id, a, b), message(id, "Nak", list{a, b}),
				Message{ID: id, Kind: KindNak, Start: a, End: b}},
			{AppendRequest(nil, id, kind), message(id, "PeerRequest", kind.String()),
				Message{ID: id, Kind: kind}},
			{AppendPing(nil, KindPing, id, ping), message(id, "Ping", list{ping.Seq, data}),
				Message{ID: id, Kind: KindPing, Data: pack(t, list{ping.Seq, data})}},
			{AppendPing(nil, KindAck, id, ping), message(id, "Ack", list{ping.Seq, data}),
				Message{ID: id, Kind: KindAck, Data: pack(t, list{ping.Seq, data})}},
		} {
			if want := pack(t, c.want); !bytes.Equal(c.got, want) {
				t.Fatalf("%s of %d bytes:\n got %x\nwant %x", c.m.Kind, len(data), c.got, want)
			}
			var m Message
			rest, err := ParseMessage(&m, append(c.got, 'x'))
			switch {
			case err != nil:
				t.Fatal(err)
			case string(rest) != "x":
				t.Fatalf("string(rest) is %q, want %q", string(rest), "x")
			case !reflect.DeepEqual(m, c.m):
				t.Fatalf("%s was read as %+v, %v", c.m.Kind, m, err)
			}
		}
	}
}

func (r random) member() Member {
	m := Member{State: State(r.IntN(4)), ID: NodeID(r.id()), Incarnation: r.uint(64)}
	switch m.State {
	case StateSuspect, StateDead:
		m.From = NodeID(r.id())
	case StateLeft:
		m.Proof = Proof(r.exactly(32))
	case StateAlive:
		if r.IntN(4) == 0 {
			m.Proof = Proof(r.exactly(32))
		}
		z := r.zone()
		m.Name, m.HasZone = r.exactly(r.IntN(NameMax+1)), z.Valid
		if z.Valid {
			m.ZoneName = []byte(z.Name)
		}
		m.Addr = netip.AddrPortFrom(netip.AddrFrom4([4]byte(r.exactly(4))), uint16(r.uint(16)))
		if r.IntN(2) == 0 {
			m.Addr = netip.AddrPortFrom(netip.AddrFrom16(r.id()), uint16(r.uint(16)))
		}
		m.Versions, m.Meta, m.Named, m.Refuted = [6]byte(r.exactly(6)), r.exactly(r.IntN(600)), r.uint(64), r.uint(64)
	}
	return m
}

func memberValue(m *Member) any {
	switch m.State {
	case StateSuspect, StateDead:
		return list{m.State, m.ID[:], m.Incarnation, m.From[:]}
	case StateLeft:
		return list{m.State, m.ID[:], m.Incarnation, m.Proof[:]}
	}
	zone := zoneValue(Zone{Name: string(m.ZoneName), Valid: m.HasZone})
	addr, _ := m.Addr.MarshalBinary() // the same except for the byte order of the port
	n := len(addr)
	addr[n-2], addr[n-1] = addr[n-1], addr[n-2]
	values := list{m.State, m.ID[:], m.Incarnation, string(m.Name), addr, zone, m.Versions[:], m.Meta, m.Named, m.Refuted}
	if m.returned() {
		values = append(values, m.Proof[:])
	}
	return values
}

func TestMembersEqualThoseOfGoMsgpack(t *testing.T) {
	r := newRandom(3)
	for range 50 {
		id := MessageID(r.id())
		w := BeginMembers(nil, id)
		var all []Member
		var values list
		for range 16 + r.IntN(30) { // from 16 on, the shortest head has the count in 16 bits
			m := r.member()
			w.Append(&m, 1<<20)
			all, values = append(all, m), append(values, memberValue(&m))
		}
		got := w.End()
		if want := pack(t, message(id, "Members", values)); !bytes.Equal(got, want) {
			t.Fatalf("got %x\nwant %x", got, want)
		}
		var m Message
		if _, err := ParseMessage(&m, got); err != nil {
			t.Fatal(err)
		}
		var e Member
		it := IterMembers(m.Data)
		for i := range all {
			if !it.Next(&e) || !reflect.DeepEqual(e, all[i]) {
				t.Fatalf("got %+v\nwant %+v", e, all[i])
			}
		}
		if it.Next(&e) || it.Err() != nil {
			t.Fatal("one more, or", it.Err())
		}
	}
}

func (r random) hmacs() []Hmac {
	list := make([]Hmac, 1+r.IntN(HmacsMax))
	for i := range list {
		list[i] = Hmac{Sum: [64]byte(r.exactly(64)), Message: r.exactly(69 + r.IntN(351))}
	}
	return list
}

func (r random) handshake() Handshake {
	h := Handshake{ID: HandshakeID(r.id()), Step: Step(r.IntN(5))}
	switch h.Step {
	case StepHello, StepOhai:
		h.PublicKey, h.Zone, h.Hmacs = [32]byte(r.exactly(32)), r.zone(), r.hmacs()
	case StepOkBoss:
		for range 1 + r.IntN(ResponsesMax) {
			h.Responses = append(h.Responses, [64]byte(r.exactly(64)))
		}
	}
	if h.Step == StepHello {
		h.Timestamp = time.Unix(int64(r.Uint32()), int64(r.IntN(1e9))).UTC()
	}
	if h.Step == StepOhai {
		h.Challenge = [69]byte(r.exactly(69))
	}
	return h
}

func TestHandshakesSurviveAPassage(t *testing.T) {
	r := newRandom(4)
	for range 100 {
		h, seq, from := r.handshake(), uint32(r.uint(32)), NodeID(r.id())
		b := AppendHandshake([]byte("before"), seq, from, &h)
		p := parsePacket(t, b[len("before"):])
		var got Handshake
		if err := ParseHandshake(&got, p.Handshake); err != nil || !reflect.DeepEqual(got, h) {
			t.Fatalf("got %+v %v\nwant %+v", got, err, h)
		}
		switch {
		case p.Seq != seq:
			t.Fatalf("the packet number is %v, want %v", p.Seq, seq)
		case p.Sender != from:
			t.Fatalf("the sender is %v, want %v", p.Sender, from)
		case p.Kind != PacketHandshake:
			t.Fatalf("the kind of the packet is %v, want %v", p.Kind, PacketHandshake)
		}
	}
}

func TestPeersSurviveAPassage(t *testing.T) {
	r := newRandom(5)
	for range 50 {
		peers := make([]Peer, 1+r.IntN(20))
		for i := range peers {
			m := Member{}
			for !m.Addr.IsValid() {
				m = r.member()
			}
			peers[i] = Peer{Addr: m.Addr, ID: m.ID, Zone: r.zone()}
		}
		var m Message
		if _, err := ParseMessage(&m, AppendPeers(nil, MessageID(r.id()), peers)); err != nil || m.Kind != KindPeers {
			t.Fatal(m.Kind, err)
		}
		if got, err := ParsePeers(m.Data); err != nil || !reflect.DeepEqual(got, peers) {
			t.Fatalf("got %v %v\nwant %v", got, err, peers)
		}
		up := r.IntN(2) == 0
		if _, err := ParseMessage(&m, AppendPeerStatus(nil, m.ID, peers[0], up)); err != nil || m.Kind != KindPeerStatus {
			t.Fatal(m.Kind, err)
		}
		switch got, isUp, err := ParsePeerStatus(m.Data); {
		case err != nil:
			t.Fatal(err)
		case got != peers[0]:
			t.Fatalf("the peer is %v, want %v", got, peers[0])
		case isUp != up:
			t.Fatalf("isUp is %v, want %v", isUp, up)
		}
	}
}

// The nodes of one process encode concurrently, each on its own goroutine.
func TestHandshakesAreWrittenFromSeveralGoroutines(t *testing.T) {
	var group sync.WaitGroup
	for seed := range uint64(4) {
		group.Go(func() {
			r := newRandom(seed)
			for range 20 {
				h := r.handshake()
				AppendHandshake(nil, 1, NodeID{}, &h)
			}
		})
	}
	group.Wait()
}
