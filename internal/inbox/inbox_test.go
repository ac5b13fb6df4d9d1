package inbox

import (
	"bytes"
	"testing"

	"github.com/gwyh-go/gwyh/internal/wire"
)

func TestDatagramIsCopiedAndComesOut(t *testing.T) {
	in := New(4)
	b := []byte("hello")
	in.Put(wire.Path{}, b)
	b[0] = 'j'
	d := <-in.C
	if string(d.B) != "hello" {
		t.Fatalf("got %q", d.B)
	}
	in.Free(d)
}

func TestFullInboxDropsAndCounts(t *testing.T) {
	in := New(2)
	for range 5 {
		in.Put(wire.Path{}, []byte("x"))
	}
	if got := in.Dropped(); got != 3 {
		t.Fatalf("dropped %d, want 3", got)
	}
}

func TestBytesAreBoundedToo(t *testing.T) {
	in := New(1024)
	big := bytes.Repeat([]byte("x"), 65_507)
	for range 200 {
		in.Put(wire.Path{}, big)
	}
	if n := len(in.C); n*len(big) > MaxBytes || n < 100 {
		t.Fatalf("%d datagrams of %d bytes wait, of which %d bytes may", n, len(big), MaxBytes)
	}
	for len(in.C) > 0 {
		in.Free(<-in.C)
	}
	in.Put(wire.Path{}, big)
	if len(in.C) != 1 {
		t.Fatal("freed bytes are not used again")
	}
}

func TestWaitingPutGivesUpWhenStopped(t *testing.T) {
	in := New(1)
	stop := make(chan struct{})
	in.PutWait(wire.Path{}, []byte("a"), stop)
	close(stop)
	in.PutWait(wire.Path{}, []byte("b"), stop)
	if len(in.C) != 1 {
		t.Fatalf("%d wait, want 1", len(in.C))
	}
}

func BenchmarkPutAndFree(b *testing.B) {
	in := New(1)
	data := make([]byte, 256)
	b.ReportAllocs()
	for b.Loop() {
		in.Put(wire.Path{}, data)
		in.Free(<-in.C)
	}
}
