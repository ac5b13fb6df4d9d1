package members

import (
	"math/rand/v2"
	"testing"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// BenchmarkTakeMembers is what a new node does with the entries of a cluster: 1,000 members join, and each changes once.
func BenchmarkTakeMembers(b *testing.B) {
	const nodes = 1000
	var first, second []*wire.Member
	for i := 1; i <= nodes; i++ {
		first = append(first, alive(i))
		second = append(second, with(alive(i), func(e *wire.Member) { e.Incarnation++; e.Meta = []byte("meta") }))
	}
	b.ReportAllocs()
	for b.Loop() {
		t := NewTable(start, Config{Self: memberFor(0), MetaMax: 512, Rand: rand.New(rand.NewPCG(1, 2))})
		for _, list := range [][]*wire.Member{first, second} {
			for _, e := range list {
				t.SetAlive(start, e, t.Claim(start, e, nil))
			}
		}
		if t.Count() != nodes+1 {
			b.Fatal(t.Count(), "members")
		}
	}
}
