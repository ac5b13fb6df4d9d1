package inbox

import (
	"bytes"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// size is the maximum of bytes in the inboxes of the tests.
const size = 8 << 20

func TestDatagramIsCopiedAndComesOut(t *testing.T) {
	in := New(4, size)
	b := []byte("hello")
	in.Put(wire.Path{}, b)
	b[0] = 'j'
	if got := in.Poll(); len(got) != 1 || string(got[0].B) != "hello" {
		t.Fatalf("got %q", got)
	}
	if got := in.Poll(); len(got) != 0 {
		t.Fatalf("came out twice: %q", got)
	}
}

func TestFullInboxDropsAndCounts(t *testing.T) {
	in := New(2, size)
	for range 5 {
		in.Put(wire.Path{}, []byte("x"))
	}
	if got := in.Dropped(); got != 3 {
		t.Fatalf("dropped %d, want 3", got)
	}
}

func TestBytesAreBoundedToo(t *testing.T) {
	in := New(1024, size)
	big := bytes.Repeat([]byte("x"), 65_507)
	for range 200 {
		in.Put(wire.Path{}, big)
	}
	if n := len(in.c); n*len(big) > size || n < 100 {
		t.Fatalf("%d datagrams of %d bytes wait, of which %d bytes may", n, len(big), size)
	}
	for len(in.Poll()) > 0 {
	}
	in.Put(wire.Path{}, big)
	if len(in.c) != 1 {
		t.Fatal("freed bytes are not used again")
	}
}

func TestWaitingPutGivesUpWhenStopped(t *testing.T) {
	in := New(1, size)
	stop := make(chan struct{})
	in.PutWait(wire.Path{}, []byte("a"), stop)
	close(stop)
	in.PutWait(wire.Path{}, []byte("b"), stop)
	if len(in.c) != 1 {
		t.Fatalf("%d wait, want 1", len(in.c))
	}
}

func TestWaitEndsWithADatagramAtItsTimeAndWhenWoken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := New(100, size)
		defer in.Stop()
		begin := time.Now()
		after := func(d time.Duration, f func()) { time.AfterFunc(d, f) }
		wait := func(due, ends time.Duration, datagrams int) {
			t.Helper()
			got := in.Wait(begin.Add(due))
			if at := time.Since(begin); at != ends || len(got) != datagrams {
				t.Errorf("ended at %v with %d, want %v with %d", at, len(got), ends, datagrams)
			}
		}
		after(time.Second, func() { in.Put(wire.Path{}, []byte("x")) })
		wait(time.Hour, time.Second, 1)
		in.Put(wire.Path{}, []byte("x"))
		in.Put(wire.Path{}, []byte("y"))
		wait(time.Hour, time.Second, 2)
		wait(2*time.Second, 2*time.Second, 0)
		after(time.Second, in.Wake)
		wait(time.Hour, 3*time.Second, 0)
		in.Wake() // before Wait
		wait(time.Hour, 3*time.Second, 0)
		wait(time.Second, 3*time.Second, 0) // due in the past
		for range batch + 1 {
			in.Put(wire.Path{}, []byte("x"))
		}
		wait(time.Hour, 3*time.Second, batch)
	})
}

func BenchmarkPutAndFree(b *testing.B) {
	in := New(1, size)
	data := make([]byte, 256)
	b.ReportAllocs()
	for b.Loop() {
		in.Put(wire.Path{}, data)
		in.Poll()
	}
}
