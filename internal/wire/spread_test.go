package wire

import (
	"bytes"
	"testing"
	"time"
)

func TestDelaySaturates(t *testing.T) {
	for d, want := range map[time.Duration]Delay{-time.Second: 0, 99 * time.Microsecond: 0, time.Millisecond: 10, 6553 * time.Millisecond: 65530, time.Hour: DelayMax} {
		if got := DelayOf(d); got != want {
			t.Errorf("%v is %d, want %d", d, got, want)
		}
	}
	if got := Delay(15).Duration(); got != 1500*time.Microsecond {
		t.Errorf("15 is %v", got)
	}
}

func TestCastCarriesTheDelay(t *testing.T) {
	id := MessageID{1, 6: 0x80, 15: 2}
	b := AppendCast(nil, KindCast, id, 300, []byte("hello"))
	want := append(append([]byte{0x92, 0xc4, 16}, id[:]...), 0x81, 0xa4, 'C', 'a', 's', 't', 0x92, 0xcd, 0x01, 0x2c, 0xc4, 5, 'h', 'e', 'l', 'l', 'o')
	if !bytes.Equal(b, want) {
		t.Errorf("% x, want % x", b, want)
	}
	var m Message
	if rest, err := ParseMessage(&m, b); err != nil || len(rest) != 0 {
		t.Fatal(err, rest)
	}
	if m.Kind != KindCast || m.ID != id {
		t.Errorf("%v %v, want %v %v", m.Kind, m.ID, KindCast, id)
	}
	if m.Delay != 300 {
		t.Errorf("delay %v, want 300", m.Delay)
	}
	if string(m.Data) != "hello" {
		t.Errorf("data %q", m.Data)
	}
	for n := range b {
		if _, err := ParseMessage(&m, b[:n]); err == nil {
			t.Errorf("%d of %d bytes are a message", n, len(b))
		}
	}
	long := AppendCast(nil, KindCast, id, DelayMax, make([]byte, 70_000))
	if got := len(long) - 70_000; got != CastOverhead {
		t.Errorf("it adds %d bytes at most, CastOverhead is %d", got, CastOverhead)
	}
}
