package wire

import (
	"bytes"
	"reflect"
	"testing"
)

// handshakes returns packets of every step, in every accepted form.
func handshakes(t *testing.T) (list [][]byte) {
	t.Helper()
	for _, v := range vectors(t, "packet_") {
		var p Packet
		if ParsePacket(&p, v.bytesOf(t)) == nil && p.Kind == PacketHandshake {
			list = append(list, p.Handshake)
		}
	}
	list = append(list, helloForms()...)
	return append(list, seq(bin(id1), dict(str("Cookie"), bin(k32[:16]))), dict(str("step"), dict(str("Cookie"), bin(k32[:16])), str("id"), bin(id1)))
}

func TestPeekedHandshakeIsThatWhichIsParsed(t *testing.T) {
	for _, b := range handshakes(t) {
		var h Handshake
		if err := ParseHandshake(&h, b); err != nil {
			t.Fatalf("%x: %v", b, err)
		}
		id, step, err := PeekHandshake(b)
		switch {
		case err != nil:
			t.Errorf("%x: %v", b, err)
		case id != h.ID:
			t.Errorf("%x: id is %v, want %v", b, id, h.ID)
		case step != h.Step:
			t.Errorf("%x: step is %v, want %v", b, step, h.Step)
		}
	}
}

func TestPeekedMessageIsTheBeginningOfTheFirstHmac(t *testing.T) {
	h := helloOf(3)
	var p Packet
	if err := ParsePacket(&p, AppendHandshake(nil, 1, NodeID{}, &h)); err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{0, 1, 64, HmacMessageMax} {
		want := h.Hmacs[0].Message[:min(n, len(h.Hmacs[0].Message))]
		if got := PeekHmac(make([]byte, n), p.Handshake); !bytes.Equal(got, want) {
			t.Errorf("%d bytes: %x, want %x", n, got, want)
		}
	}
	for n := range p.Handshake {
		got := PeekHmac(make([]byte, HmacMessageMax), p.Handshake[:n])
		if len(got) > 0 && !bytes.Equal(got, h.Hmacs[0].Message) {
			t.Errorf("the first %d bytes: %x", n, got)
		}
	}
}

func TestHandshakeThatIsUsedAgainHoldsNothingOfTheLast(t *testing.T) {
	list := handshakes(t)
	var used Handshake
	for i := range 3 * len(list) {
		b := list[i*7%len(list)]
		var fresh Handshake
		if err := ParseHandshake(&fresh, b); err != nil {
			t.Fatal(err)
		}
		if err := ParseHandshake(&used, b); err != nil {
			t.Fatal(err)
		}
		again := used
		if len(again.Hmacs) == 0 {
			again.Hmacs = fresh.Hmacs
		}
		if len(again.Responses) == 0 {
			again.Responses = fresh.Responses
		}
		if !reflect.DeepEqual(again, fresh) {
			t.Errorf("%+v, want %+v", used, fresh)
		}
	}
}

func TestHandshakeThatIsUsedAgainAllocatesNothing(t *testing.T) {
	hello := helloOf(4)
	okBoss := Handshake{Step: StepOkBoss, Responses: make([][64]byte, 8)}
	for _, h := range []*Handshake{&hello, &okBoss} {
		var p Packet
		if err := ParsePacket(&p, AppendHandshake(nil, 1, NodeID{}, h)); err != nil {
			t.Fatal(err)
		}
		var used Handshake
		if n := testing.AllocsPerRun(100, func() { _ = ParseHandshake(&used, p.Handshake) }); n != 0 {
			t.Errorf("%v: %v allocations", h.Step, n)
		}
	}
}

func TestCookieIsReadAsWritten(t *testing.T) {
	want := Handshake{ID: HandshakeID(id1), Step: StepCookie, Cookie: [CookieSize]byte(k32)}
	var p Packet
	if err := ParsePacket(&p, AppendHandshake(nil, 1, NodeID{}, &want)); err != nil {
		t.Fatal(err)
	}
	var got Handshake
	if err := ParseHandshake(&got, p.Handshake); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestCookieIsNoLongerThanAHello(t *testing.T) {
	h := Handshake{Step: StepCookie, Cookie: [CookieSize]byte(k32)}
	cookie := AppendHandshake(nil, 1<<32-1, NodeID{}, &h)
	hello := helloOf(1)
	if least := len(AppendHandshake(nil, 1, NodeID{}, &hello)); len(cookie) >= least {
		t.Errorf("a cookie of %d bytes answers a Hello of %d", len(cookie), least)
	}
}

func TestEndOfAHandshakeIsFoundWhenItIsParsed(t *testing.T) {
	behind := []byte("the packets that follow")
	for _, b := range handshakes(t) {
		var whole Handshake
		exact := Packet{Handshake: b}
		if err := exact.ParseHandshake(&whole); err != nil {
			t.Fatal(err)
		}
		want := exact.Handshake // of helloForms, one has a byte behind it
		s, sender, body := str("s"), str("id"), str("body")
		for i, b := range [][]byte{
			seq(num(7), bin(id1), dict(str("H"), want)),
			dict(s, num(7), sender, bin(id1), body, dict(str("H"), want)),
			dict(body, dict(str("H"), want), s, num(7), sender, bin(id1)),
		} {
			var p Packet
			var h Handshake
			if err := NextPacket(&p, append(bytes.Clone(b), behind...)); err != nil {
				t.Fatalf("form %d of %x: %v", i, want, err)
			}
			if err := p.ParseHandshake(&h); err != nil || !reflect.DeepEqual(h, whole) {
				t.Fatalf("form %d of %x: %+v, %v", i, want, h, err)
			}
			if !bytes.Equal(p.Handshake, want) || !bytes.Equal(p.Rest, behind) {
				t.Errorf("form %d of %x: %x with the rest %q", i, want, p.Handshake, p.Rest)
			}
		}
	}
}

func TestHandshakeThatCannotBeParsedHasNoRest(t *testing.T) {
	h := helloOf(1)
	packet := AppendHandshake(nil, 1, NodeID{}, &h)
	var p Packet
	if err := NextPacket(&p, packet[:len(packet)-1]); err != nil {
		t.Fatal(err)
	}
	if p.ParseHandshake(&h) != ErrShort || len(p.Rest) != 0 {
		t.Errorf("the rest is %x, want none", p.Rest)
	}
}
