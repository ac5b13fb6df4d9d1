package session

import (
	"fmt"
	"testing"
	"time"

	"golang.org/x/crypto/nacl/secretbox"

	"github.com/gwyh-go/gwyh/internal/wire"
)

type wirePacket = wire.Packet

func sealAndOpen(t testing.TB, from, to *Session, p *wire.Packet, buf, plain []byte) {
	b := from.Seal(epoch, buf, plain)
	if err := wire.ParsePacket(p, b); err != nil {
		t.Fatal(err)
	}
	if _, err := to.Open(epoch, p); err != nil {
		t.Fatal(err)
	}
}

func sealAndOpenLegacy(t testing.TB, from, to *Session, p *wire.Packet, buf, plain []byte) {
	b := from.SealLegacy(epoch, buf, 1, plain)
	if err := wire.ParsePacket(p, b); err != nil {
		t.Fatal(err)
	}
	if _, err := to.Open(epoch, p); err != nil {
		t.Fatal(err)
	}
}

func benchSizes(b *testing.B, f func(b *testing.B, plain []byte)) {
	for _, n := range []int{256, 1300} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.SetBytes(int64(n))
			b.ReportAllocs()
			f(b, make([]byte, n))
		})
	}
}

// BenchmarkSeal measures sealing a whole packet into a datagram. BenchmarkSecretboxSeal measures the box alone.
func BenchmarkSeal(b *testing.B) {
	for name, suite := range suites {
		b.Run(name, func(b *testing.B) {
			benchSizes(b, func(b *testing.B, plain []byte) {
				low, _ := pair(suite)
				buf := make([]byte, 0, 1500)
				for b.Loop() {
					low.Seal(epoch, buf, plain)
				}
			})
		})
	}
}

// BenchmarkOpen opens the same box repeatedly. Each iteration restores the window and the ciphertext, a cost that
// BenchmarkSecretboxOpen does not have, because it opens into another buffer.
func BenchmarkOpen(b *testing.B) {
	for name, suite := range suites {
		b.Run(name, func(b *testing.B) {
			benchSizes(b, func(b *testing.B, plain []byte) {
				low, high := pair(suite)
				p := parse(b, low.Seal(epoch, nil, plain))
				data := append([]byte(nil), p.Box.Data...)
				mustOpen(b, high, low.Seal(epoch, nil, nil), "") // the window has words
				for b.Loop() {
					high.window.highest = 0
					clear(high.window.words)
					copy(p.Box.Data, data)
					if _, err := high.Open(epoch, p); err != nil {
						b.Fatal(err)
					}
				}
			})
		})
	}
}

// BenchmarkForged measures the cost of a forged box.
func BenchmarkForged(b *testing.B) {
	benchSizes(b, func(b *testing.B, plain []byte) {
		low, high := pair(NaCl)
		p := parse(b, low.Seal(epoch, nil, plain))
		p.Box.Tag[0]++
		for b.Loop() {
			if _, err := high.Open(epoch, p); err != ErrForged {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkSecretboxSeal(b *testing.B) {
	benchSizes(b, func(b *testing.B, plain []byte) {
		key, nonce, out := new([32]byte), new([24]byte), make([]byte, 0, 1500)
		for b.Loop() {
			secretbox.Seal(out, plain, nonce, key)
		}
	})
}

func BenchmarkSecretboxOpen(b *testing.B) {
	benchSizes(b, func(b *testing.B, plain []byte) {
		key, nonce, out := new([32]byte), new([24]byte), make([]byte, 0, 1500)
		sealed := secretbox.Seal(nil, plain, nonce, key)
		for b.Loop() {
			if _, ok := secretbox.Open(out, sealed, nonce, key); !ok {
				b.Fatal("does not open")
			}
		}
	})
}

// BenchmarkCounter measures the cost of one packet apart from its cryptography: the window alone, the window and
// the detection of gaps if nothing is missing, and bad links, on which the core calls NextNak after each packet.
func BenchmarkCounter(b *testing.B) {
	b.Run("window", func(b *testing.B) {
		_, s := pair(Null)
		for c := uint64(1); b.Loop(); c++ {
			s.newest = c > s.window.highest
			s.window.mark(c)
		}
	})
	b.Run("in order", func(b *testing.B) {
		_, s := pair(Null)
		for c := uint64(1); b.Loop(); c++ {
			s.noteCounter(epoch, c)
		}
	})
	for _, nth := range []uint64{2, 20} {
		b.Run(fmt.Sprintf("every %dth lost", nth), func(b *testing.B) {
			b.ReportAllocs()
			_, s := pair(Null)
			now := epoch
			for c := uint64(1); b.Loop(); c++ {
				if c%nth == 0 {
					c++
				}
				now = now.Add(12 * time.Microsecond) // 1 Gbit/s
				s.noteCounter(now, c)
				if s.Missing() && !s.NextNak(40*time.Millisecond).After(now) {
					s.TakeNaks(now, 40*time.Millisecond, func(_, _ uint64) bool { return true })
				}
			}
		})
	}
}

// BenchmarkSentLog measures recording one datagram and removing it when it is old.
func BenchmarkSentLog(b *testing.B) {
	b.ReportAllocs()
	l, now, v := NewSentLog[*int](time.Second, &Room{Max: 1 << 30}), epoch, new(int)
	for c := uint64(1); b.Loop(); c++ {
		now = now.Add(time.Millisecond / 8)
		l.Put(c, now, 1400, v)
		l.DropBefore(now.Add(-time.Second), 0, func(*int) {})
	}
}
