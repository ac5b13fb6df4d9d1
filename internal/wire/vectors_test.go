package wire

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/timestamp"
)

// A vector is a value encoded by gwyh 0.1 (testdata/gwyh-0.1.json).
type vector struct {
	Name   string
	Inputs map[string]string
	Hex    string
	Len    int
	SHA256 string
}

func vectors(t testing.TB, prefix string) []vector {
	t.Helper()
	var all, picked []vector
	readJSON(t, "gwyh-0.1.json", &all)
	for _, v := range all {
		if strings.HasPrefix(v.Name, prefix) {
			picked = append(picked, v)
		}
	}
	if len(picked) == 0 {
		t.Fatalf("no vector begins with %q", prefix)
	}
	return picked
}

func readJSON(t testing.TB, name string, v any) {
	t.Helper()
	b, err := os.ReadFile("../../testdata/" + name)
	if err == nil {
		err = json.Unmarshal(b, v)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, "-", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// bytesOf returns the vector's value. The two values that are too long for the file are generated and compared with
// the digest.
func (v *vector) bytesOf(t testing.TB) []byte {
	t.Helper()
	if v.Hex != "" {
		return unhex(t, v.Hex)
	}
	n, err := strconv.Atoi(v.Name[strings.LastIndexByte(v.Name, '_')+1:])
	if err != nil {
		t.Fatal(err)
	}
	b := AppendBroadcast(nil, Arrays, MessageID(unhex(t, v.Inputs["message.id"])), counting(n))
	if sum := sha256.Sum256(b); len(b) != v.Len || hex.EncodeToString(sum[:]) != v.SHA256 {
		t.Fatalf("%s: %d bytes, digest %x", v.Name, len(b), sum)
	}
	return b
}

// counting returns n bytes 0, 1, 2...
func counting(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i)
	}
	return b
}

// encodePacket encodes p again, as parsed from a handshake or in the encoding of its box.
func encodePacket(t testing.TB, p *Packet) []byte {
	t.Helper()
	if p.Kind == PacketHandshake {
		var h Handshake
		if err := ParseHandshake(&h, p.Handshake); err != nil {
			t.Fatal(err)
		}
		return AppendHandshake(nil, p.Seq, p.Sender, &h)
	}
	if p.Box.Encoding == Arrays {
		return AppendBoxArrays(nil, p.Seq, p.Sender, &p.Box.Nonce, &p.Box.Tag, p.Box.Data)
	}
	b, tag, data := ReserveBox(nil, p.Seq, p.Sender, &p.Box.Nonce, len(p.Box.Data))
	copy(tag, p.Box.Tag[:])
	copy(data, p.Box.Data)
	return b
}

// parsePacket parses a copy of b, so that b is not modified.
func parsePacket(t testing.TB, b []byte) Packet {
	t.Helper()
	var p Packet
	if err := ParsePacket(&p, bytes.Clone(b)); err != nil {
		t.Fatal(err)
	}
	return p
}

// PROTOCOL.md W1.
func TestPacketVectorsAreReadAndWrittenBack(t *testing.T) {
	for _, v := range vectors(t, "packet_") {
		want := v.bytesOf(t)
		p := parsePacket(t, want)
		if s, ok := v.Inputs["packet.id (node)"]; ok && p.Sender.String() != s {
			t.Errorf("%s: from %s", v.Name, p.Sender)
		}
		if got := encodePacket(t, &p); !bytes.Equal(got, want) {
			t.Errorf("%s:\n got %x\nwant %x", v.Name, got, want)
		}
	}
}

// PROTOCOL.md W4.
func TestHandshakeVectorsHoldTheirInputs(t *testing.T) {
	steps := map[string]Step{"packet_hello": StepHello, "packet_ohai": StepOhai, "packet_okboss": StepOkBoss,
		"packet_goteam": StepGoTeam, "packet_dead": StepDead}
	for prefix, step := range steps {
		for _, v := range vectors(t, prefix) {
			var h Handshake
			p := parsePacket(t, v.bytesOf(t))
			if err := ParseHandshake(&h, p.Handshake); err != nil {
				t.Fatalf("%s: %v", v.Name, err)
			}
			switch {
			case h.Step != step:
				t.Errorf("%s: the step is %v, want %v", v.Name, h.Step, step)
			case h.ID.String() != "10111213-1415-4617-9819-1a1b1c1d1e1f" && v.Inputs["handshake.id"] != h.ID.String():
				t.Errorf("%s: %s of %s", v.Name, h.Step, h.ID)
			}
			for i, m := range h.Hmacs {
				if want := unhex(t, v.Inputs["hmac"+strconv.Itoa(i+1)+".message"]); !bytes.Equal(m.Message, want) {
					t.Errorf("%s: message %d is %x", v.Name, i, m.Message)
				}
			}
			if step == StepHello && strconv.FormatInt(h.Timestamp.UnixNano(), 10) != v.Inputs["timestamp_nanos"] {
				t.Errorf("%s: timestamp %s", v.Name, h.Timestamp)
			}
			if want := strings.Contains(v.Name, "zone_some"); want && h.Zone != (Zone{"us-east", true}) {
				t.Errorf("%s: zone %+v", v.Name, h.Zone)
			}
		}
	}
}

func TestBoxVectorsAreReadAlone(t *testing.T) {
	whole := vectors(t, "vecbox_to_vec_broadcast_hello")[0].bytesOf(t)
	c := cursor{b: vectors(t, "vecbox_broadcast_hello")[0].bytesOf(t)}
	var x Box
	if c.box(&x); c.err != nil || c.left() != 0 {
		t.Fatal(c.err, c.left())
	}
	if got := append(x.Tag[:], x.Data...); !bytes.Equal(got, whole) {
		t.Errorf("got %x, want %x", got, whole)
	}
}

// encodeMessage encodes m again.
func encodeMessage(t testing.TB, m *Message, enc Encoding) []byte {
	t.Helper()
	b, err := appendParsed(nil, m, enc)
	if err != nil {
		t.Fatalf("%s: %v", m.Kind, err)
	}
	return b
}

// appendParsed appends m again. An error means that its value cannot be parsed.
func appendParsed(b []byte, m *Message, enc Encoding) ([]byte, error) {
	switch m.Kind {
	case KindUnknown:
		return b, nil
	case KindBroadcast:
		return AppendBroadcast(b, enc, m.ID, m.Data), nil
	case KindFrame:
		return AppendFrame(b, enc, m.ID, m.Total, m.Offset, m.Data), nil
	case KindNak:
		return AppendNak(b, m.ID, m.Start, m.End), nil
	case KindPeers:
		v, err := ParsePeers(m.Data)
		return AppendPeers(b, m.ID, v), err
	case KindPeerStatus:
		v, up, err := ParsePeerStatus(m.Data)
		return AppendPeerStatus(b, m.ID, v, up), err
	}
	if m.Kind.IsExtension() {
		return appendExtension(b, m)
	}
	return AppendRequest(b, m.ID, m.Kind), nil
}

func appendExtension(b []byte, m *Message) ([]byte, error) {
	var e Member
	switch m.Kind {
	case KindIdentity:
		err := ParseIdentity(m.Data, &e)
		return AppendIdentity(b, m.ID, &e), err
	case KindMembers, KindSyncMembers:
		w := BeginMembers(b, m.ID)
		if m.Kind == KindSyncMembers {
			w = BeginSyncMembers(b, m.ID)
		}
		it := IterMembers(m.Data)
		for it.Next(&e) {
			w.Append(&e, 1<<30)
		}
		return w.End(), it.Err()
	case KindSyncRoot:
		v, err := ParseSyncRoot(m.Data)
		return AppendSyncRoot(b, m.ID, v), err
	case KindSyncBuckets:
		v, err := ParseSyncBuckets(m.Data)
		return AppendSyncBuckets(b, m.ID, v), err
	case KindSyncWant:
		v, err := ParseSyncWant(m.Data)
		return AppendSyncWant(b, m.ID, v), err
	case KindPing:
		v, err := ParsePing(m.Data)
		return AppendPing(b, KindPing, m.ID, v), err
	case KindDirect:
		v, err := ParseDirect(m.Data)
		return AppendDirect(b, m.ID, v), err
	case KindDirectAck:
		v, err := ParseDirectAck(m.Data)
		return AppendDirectAck(b, m.ID, v), err
	case KindReport:
		v, err := ParseReport(m.Data)
		return AppendReport(b, m.ID, v), err
	case KindCast:
		return AppendCast(b, KindCast, m.ID, m.Delay, m.Data), nil
	case KindBeacon:
		return AppendCast(b, KindBeacon, m.ID, m.Delay, m.Data), nil
	case KindClock:
		v, err := ParseClock(m.Data)
		return AppendClock(b, m.ID, v), err
	case KindHave:
		digests, err := ParseHave(m.Data)
		return AppendList(b, KindHave, m.ID, digests), err
	case KindWant:
		v, err := ParseWant(m.Data)
		w := Want{}
		for i := range v.Len() {
			id, from, to := v.At(i)
			w.Add(&id, from, to)
		}
		return AppendList(b, KindWant, m.ID, w.Bytes()), err
	case KindPrune, KindGraft:
		v, err := ParseSteer(m.Data)
		w := Steer{}
		for i := range v.Len() {
			w.Add(v.At(i))
		}
		if m.Kind == KindGraft {
			return AppendList(b, KindGraft, m.ID, w.Bytes()), err
		}
		return AppendList(b, KindPrune, m.ID, w.Bytes()), err
	case KindStripes:
		v, err := ParseStripes(m.Data)
		w := Stripes{}
		for i := range v.Len() {
			id, stripes := v.At(i)
			w.Add(&id, stripes)
		}
		return AppendList(b, KindStripes, m.ID, w.Bytes()), err
	case KindStop:
		stop, err := ParseStop(m.Data)
		return AppendStop(b, m.ID, stop), err
	case KindSettled:
		v, err := ParseSettled(m.Data)
		return AppendSettled(b, m.ID, v), err
	case KindStateRefused:
		v, err := ParseStateRefused(m.Data)
		return AppendStateRefused(b, m.ID, v), err
	case KindProbeFor:
		v, err := ParseProbeFor(m.Data)
		return AppendProbeFor(b, m.ID, v), err
	case KindProbeResult:
		v, err := ParseProbeResult(m.Data)
		return AppendProbeResult(b, m.ID, v), err
	}
	v, err := ParsePing(m.Data)
	return AppendPing(b, KindAck, m.ID, v), err
}

func TestMessageVectorsAreReadAndWrittenBack(t *testing.T) {
	for _, v := range vectors(t, "message_") {
		want := v.bytesOf(t)
		var m Message
		rest, err := ParseMessage(&m, bytes.Clone(want))
		switch {
		case err != nil:
			t.Fatalf("%s: %v", v.Name, err)
		case len(rest) != 0:
			t.Fatalf("%s: len(rest) is %d, want 0: %v", v.Name, len(rest), rest)
		case m.Kind == KindUnknown:
			t.Fatalf("%s: the kind is %v, want anything but %v", v.Name, m.Kind, KindUnknown)
		}
		if m.ID.String() != v.Inputs["message.id"] {
			t.Errorf("%s: id %s", v.Name, m.ID)
		}
		if got := encodeMessage(t, &m, Arrays); !bytes.Equal(got, want) {
			t.Errorf("%s:\n got %x\nwant %x", v.Name, got, want)
		}
	}
}

// PROTOCOL.md W2.
func TestMessageVectorsHoldTheirValues(t *testing.T) {
	parse := func(name string) (m Message) {
		b := vectors(t, name)[0].bytesOf(t)
		if _, err := ParseMessage(&m, b); err != nil {
			t.Fatal(name, err)
		}
		return m
	}
	if m := parse("message_broadcast_intsizes"); !bytes.Equal(m.Data, []byte{0, 1, 127, 128, 255}) {
		t.Errorf("broadcast of %x", m.Data)
	}
	if m := parse("message_broadcast_70000"); !bytes.Equal(m.Data, counting(70000)) {
		t.Errorf("broadcast of %d bytes", len(m.Data))
	}
	switch m := parse("message_frame"); {
	case m.Total != 1000:
		t.Errorf("the total is %v, want 1000", m.Total)
	case m.Offset != 300:
		t.Errorf("the offset is %v, want 300", m.Offset)
	case !bytes.Equal(m.Data, []byte{1, 2, 200}):
		t.Errorf("the data is %v, want %v", m.Data, []byte{1, 2, 200})
	}
	if m := parse("message_nak_200_70000"); m.Start != 200 || m.End != 70000 {
		t.Errorf("nak %+v", m)
	}
	m := parse("message_peers_1_v6_scope")
	peers, err := ParsePeers(m.Data)
	switch {
	case err != nil:
		t.Error(err)
	case len(peers) != 1:
		t.Errorf("len(peers) is %d, want 1: %v", len(peers), peers)
	case peers[0].Addr.String() != "[fe80::1]:1":
		t.Errorf("peers[0].Addr.String() is %q, want %q", peers[0].Addr.String(), "[fe80::1]:1")
	}
	m = parse("message_peerstatus_down")
	p, up, err := ParsePeerStatus(m.Data)
	switch {
	case err != nil:
		t.Error(err)
	case up:
		t.Error("the node is said to be up")
	case p.Addr.String() != "[2001:db8::1]:6969":
		t.Errorf("p.Addr.String() is %q, want %q", p.Addr.String(), "[2001:db8::1]:6969")
	case p.Zone != (Zone{"us-east", true}):
		t.Errorf("the zone is %v, want %v", p.Zone, (Zone{"us-east", true}))
	}
}

func TestTimestampVectorsAreReadAndWrittenBack(t *testing.T) {
	for _, v := range vectors(t, "datetime_") {
		c := cursor{b: v.bytesOf(t)}
		text := c.str()
		got, err := timestamp.Parse(text)
		switch {
		case c.err != nil:
			t.Fatalf("%s: the error is %v, want nil", v.Name, c.err)
		case c.left() > 0:
			t.Fatalf("%s: %v bytes are left, want 0", v.Name, c.left())
		case err != nil:
			t.Fatalf("%s: %v", v.Name, err)
		}
		secs, _ := strconv.ParseInt(v.Inputs["secs"], 10, 64)
		nanos, _ := strconv.ParseInt(v.Inputs["nanos"], 10, 64)
		if want := time.Unix(secs, nanos); !got.Equal(want) {
			t.Errorf("%s: %s, want %s", v.Name, got, want.UTC())
		}
		if v.Name == "datetime_leap_second" {
			continue // Go's time has no leap seconds, so a Go node never sends one
		}
		if back := timestamp.Append(nil, got); !bytes.Equal(back, text) {
			t.Errorf("%s: %s, want %s", v.Name, back, text)
		}
	}
}

// cuts returns lengths at which to cut n bytes: all, or for a long value those near its ends and some between.
func cuts(n int) []int {
	var list []int
	for i := 0; i < n; i++ {
		if i > 1000 && i < n-50 && i%9973 != 0 {
			continue
		}
		list = append(list, i)
	}
	return list
}

func TestEveryPrefixOfAVectorFails(t *testing.T) {
	for _, v := range vectors(t, "packet_") {
		b := v.bytesOf(t)
		for _, n := range cuts(len(b)) {
			var p Packet
			if err := ParsePacket(&p, bytes.Clone(b[:n])); err != ErrShort {
				t.Fatalf("%s cut to %d: %v", v.Name, n, err)
			}
		}
		p := parsePacket(t, b)
		for n := range p.Handshake {
			h := Handshake{Step: StepDead}
			if err := ParseHandshake(&h, p.Handshake[:n]); err != ErrShort || h.Step != StepDead {
				t.Fatalf("%s, handshake cut to %d: %v", v.Name, n, err)
			}
		}
	}
	for _, v := range vectors(t, "message_") {
		b := v.bytesOf(t)
		for _, n := range cuts(len(b)) {
			var m Message
			if _, err := ParseMessage(&m, bytes.Clone(b[:n])); err != ErrShort {
				t.Fatalf("%s cut to %d: %v", v.Name, n, err)
			}
		}
	}
	for _, v := range vectors(t, "datetime_") {
		c := cursor{b: v.bytesOf(t)}
		text := c.str()
		for n := range text {
			if _, err := timestamp.Parse(text[:n]); err != timestamp.ErrSyntax {
				t.Fatalf("%s cut to %d: %v", v.Name, n, err)
			}
		}
	}
}
